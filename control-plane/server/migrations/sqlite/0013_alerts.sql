-- Alerts, as issues of a tracker (docs/alerts.md). Times are milliseconds since the
-- epoch.

-- One row for each group of Alertmanager's: what its issue is to be, and how far it
-- is that.
CREATE TABLE alert_groups (
    -- SHA-256 of the group's key.
    id TEXT COLLATE BINARY PRIMARY KEY,
    -- 1 while something of it fires.
    firing BIGINT NOT NULL,
    -- 1 where something of it is critical.
    critical BIGINT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    -- When its first alert began: its issue is no older.
    started_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- Counts what Alertmanager said; the last of it that the tracker has.
    wanted BIGINT NOT NULL,
    done BIGINT NOT NULL,
    -- The issue's number, once it is known.
    issue BIGINT,
    -- Calls that failed since the last that did not, and when the next may be.
    failures BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    error TEXT,
    -- Who works on it, and until when nobody else does.
    claim TEXT,
    claimed_until BIGINT NOT NULL
);

CREATE INDEX alert_groups_waiting ON alert_groups (next_at) WHERE wanted > done;
CREATE INDEX alert_groups_by_change ON alert_groups (changed_at);
