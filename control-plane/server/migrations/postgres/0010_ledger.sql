-- The ledger: a transparency log, and what waits to be in it (docs/ledger.md).
-- Times are milliseconds since the epoch.

-- A row is written in the transaction of what it is about. Nothing is taken away.
CREATE TABLE ledger_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT NOT NULL,
    body BYTEA NOT NULL,
    queued_at BIGINT NOT NULL,
    -- Its place in the log, from 0; none while it waits.
    leaf BIGINT
);

CREATE UNIQUE INDEX ledger_entries_by_leaf ON ledger_entries (leaf);
CREATE INDEX ledger_entries_queued ON ledger_entries (id) WHERE leaf IS NULL;

-- Each as wide as it is by now: a narrower one is its beginning.
CREATE TABLE ledger_tiles (
    level BIGINT NOT NULL,
    tile BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, tile)
);

-- One row, of this control plane's log.
CREATE TABLE ledger_log (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    origin TEXT NOT NULL,
    -- Signed notes: the last one, and the last one that witnesses have cosigned.
    checkpoint TEXT NOT NULL,
    cosigned TEXT,
    -- Until when a replica asks witnesses, so that others do not.
    asked_until BIGINT NOT NULL
);

-- Logs of others: the largest tree of each that was cosigned here.
CREATE TABLE ledger_witnessed (
    origin TEXT COLLATE "C" PRIMARY KEY,
    size BIGINT NOT NULL,
    root TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- What a record's leaf commits to is salt and record; none of records that were
-- before there was a ledger.
ALTER TABLE audit ADD COLUMN salt TEXT;
ALTER TABLE audit ADD COLUMN entry BIGINT;
CREATE UNIQUE INDEX audit_by_entry ON audit (entry);
