-- Times are milliseconds since the epoch.

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    -- SHA-256 of the token, hex: a copy of the table lets nobody in.
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    tenant TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);

CREATE TABLE schemas (
    graph TEXT NOT NULL,
    tag TEXT NOT NULL,
    sdl TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (graph, tag)
);

-- An id means one text for ever, also after the operation is retired.
CREATE TABLE operations (
    graph TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    clients TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    retired_at BIGINT,
    PRIMARY KEY (graph, id)
);

CREATE TABLE bundles (
    revision TEXT PRIMARY KEY,
    archive BLOB NOT NULL,
    sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

-- Settings of a graph, `guard.toml` without tenants, and what is in force.
CREATE TABLE graphs (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    schema_tag TEXT NOT NULL,
    bundle TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE snapshots (
    revision TEXT PRIMARY KEY,
    graph TEXT NOT NULL,
    bytes BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

-- The last one of a graph is what its proxies get.
CREATE TABLE publications (
    number INTEGER PRIMARY KEY,
    graph TEXT NOT NULL,
    revision TEXT NOT NULL REFERENCES snapshots (revision),
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL
);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT,
    after TEXT
);
