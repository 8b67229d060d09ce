-- The console's logins: each counts once, for one client, and what is shown of
-- decisions is the user's own. Times are milliseconds since the epoch.

-- States of logins that came back. One is here before anything is asked for it,
-- and as long as its login could come back again.
CREATE TABLE console_logins (
    -- SHA-256 of the state, in hex.
    state TEXT COLLATE BINARY PRIMARY KEY,
    used_at BIGINT NOT NULL
);

CREATE INDEX console_logins_by_time ON console_logins (used_at);

-- As which client its user was logged in. The column `login` is used no more.
ALTER TABLE console_sessions ADD COLUMN client TEXT;

-- Of those that are there nobody knows it.
UPDATE console_sessions SET ends_at = 0 WHERE tenant IS NOT NULL;

-- Whether the issuer may be at an address of a private network.
ALTER TABLE tenant_logins ADD COLUMN is_private BIGINT NOT NULL DEFAULT 0;

-- Since when a tenant has the issuers that it has: a subject is nobody without
-- its issuer.
ALTER TABLE tenants ADD COLUMN issuers_at BIGINT NOT NULL DEFAULT 0;

-- Subject of the token that was decided about.
ALTER TABLE decisions ADD COLUMN actor TEXT;

CREATE INDEX decisions_by_actor ON decisions (tenant, actor, number);
