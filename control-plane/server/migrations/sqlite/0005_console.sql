-- The console: who is logged in, and how tenants' users log in. Times are
-- milliseconds since the epoch, but for that of a login, which is in seconds.

-- As whom the console asks a tenant's issuer. No two tenants share one.
CREATE TABLE console_clients (
    issuer TEXT NOT NULL,
    client TEXT NOT NULL,
    tenant TEXT NOT NULL,
    -- What it proves itself with; none for a public client.
    secret TEXT,
    PRIMARY KEY (issuer, client)
);

CREATE INDEX console_clients_by_tenant ON console_clients (tenant);

CREATE TABLE console_sessions (
    -- SHA-256 of what the cookie has, in hex.
    id TEXT COLLATE BINARY PRIMARY KEY,
    -- SHA-256 of the login's state: a login makes one session. It is there as
    -- long as the row, which outlives the session.
    login TEXT COLLATE BINARY UNIQUE,
    -- A user of a tenant,
    tenant TEXT,
    user_id TEXT,
    issuer TEXT,
    subject TEXT,
    auth_time BIGINT,
    -- or the id of a token of the API.
    token TEXT,
    made_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    -- Zero once it was ended.
    ends_at BIGINT NOT NULL
);

CREATE INDEX console_sessions_by_user ON console_sessions (tenant, user_id);
CREATE INDEX console_sessions_by_time ON console_sessions (made_at);
