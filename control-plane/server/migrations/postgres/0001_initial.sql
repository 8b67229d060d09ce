-- Times are milliseconds since the epoch. Lists and settings are JSON.

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    -- SHA-256 of the token, hex: a copy of the table lets nobody in.
    hash TEXT NOT NULL UNIQUE,
    -- Stays taken once revoked: the audit trail names it.
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    tenant TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE schemas (
    graph TEXT NOT NULL,
    tag TEXT NOT NULL,
    sdl TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (graph, tag)
);

CREATE TABLE documents (
    graph TEXT NOT NULL,
    -- SHA-256 of the text, hex.
    hash TEXT NOT NULL,
    text TEXT NOT NULL,
    -- The only clients that may use it; none is every client.
    clients TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    retired_at BIGINT,
    PRIMARY KEY (graph, hash)
);

-- An id means one document for ever, also once the document is retired.
CREATE TABLE document_ids (
    graph TEXT NOT NULL,
    id TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (graph, id)
);

CREATE INDEX document_ids_by_hash ON document_ids (graph, hash);

-- When a document was last let through.
CREATE TABLE document_uses (
    graph TEXT NOT NULL,
    hash TEXT NOT NULL,
    uses BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (graph, hash)
);

CREATE TABLE bundles (
    revision TEXT PRIMARY KEY,
    archive BYTEA NOT NULL,
    sha256 TEXT NOT NULL,
    tests BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

-- Settings of a graph, `guard.toml` without tenants, and what is in force.
CREATE TABLE graphs (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    schema_tag TEXT NOT NULL,
    bundle TEXT NOT NULL,
    -- Identities of the proxies that may have its snapshots; none is any.
    proxies TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Which bundle was in force when: what a roll-back goes back to.
CREATE TABLE activations (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    graph TEXT NOT NULL,
    bundle TEXT NOT NULL,
    activated_at BIGINT NOT NULL,
    activated_by TEXT NOT NULL
);

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE snapshots (
    revision TEXT PRIMARY KEY,
    graph TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- The last one of a graph is what its proxies get.
CREATE TABLE publications (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    graph TEXT NOT NULL,
    revision TEXT NOT NULL REFERENCES snapshots (revision),
    -- Last change that the snapshot has, by its number in `audit`.
    state BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL
);

CREATE INDEX publications_by_graph ON publications (graph, number);

CREATE TABLE audit (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT,
    after TEXT
);

-- What each replica knows of the proxies that are connected to it.
CREATE TABLE replicas (
    id TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    proxies TEXT NOT NULL
);

-- What proxies decided. Columns are what can be asked for.
CREATE TABLE decisions (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    graph TEXT NOT NULL,
    node TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    tenant TEXT,
    operation TEXT,
    rule TEXT NOT NULL,
    outcome TEXT NOT NULL,
    record TEXT NOT NULL
);

CREATE INDEX decisions_by_id ON decisions (decision_id);
CREATE INDEX decisions_by_tenant ON decisions (tenant, number);
CREATE INDEX decisions_by_rule ON decisions (rule, number);
CREATE INDEX decisions_by_operation ON decisions (operation, number);
CREATE INDEX decisions_by_time ON decisions (at);
