-- What requests cost. Times are milliseconds since the epoch; hours begin where UTC's
-- do. Quantities are in the smallest units of their resources.

-- What gateways served, by the hour. The tenant is empty where no guard knew it.
CREATE TABLE cost_counts (
    hour BIGINT NOT NULL,
    graph TEXT COLLATE BINARY NOT NULL,
    region TEXT COLLATE BINARY NOT NULL,
    tenant TEXT COLLATE BINARY NOT NULL,
    route TEXT COLLATE BINARY NOT NULL,
    operation TEXT COLLATE BINARY NOT NULL,
    requests BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL,
    egress_bytes BIGINT NOT NULL,
    busy_micros BIGINT NOT NULL,
    PRIMARY KEY (hour, graph, region, tenant, route, operation)
);

CREATE INDEX cost_counts_by_tenant ON cost_counts (tenant, hour);

-- What spans say of the same: how many there were, and their time together.
CREATE TABLE cost_weights (
    hour BIGINT NOT NULL,
    graph TEXT COLLATE BINARY NOT NULL,
    tenant TEXT COLLATE BINARY NOT NULL,
    route TEXT COLLATE BINARY NOT NULL,
    operation TEXT COLLATE BINARY NOT NULL,
    spans BIGINT NOT NULL,
    nanos BIGINT NOT NULL,
    PRIMARY KEY (hour, graph, tenant, route, operation)
);

CREATE INDEX cost_weights_by_tenant ON cost_weights (tenant, hour);

-- Batches of both that were added: one that is tried again is added once.
CREATE TABLE cost_batches (
    id TEXT PRIMARY KEY,
    added_at BIGINT NOT NULL
);

-- What was used, as each source says.
CREATE TABLE cost_usage (
    hour BIGINT NOT NULL,
    region TEXT COLLATE BINARY NOT NULL,
    resource TEXT COLLATE BINARY NOT NULL,
    source TEXT COLLATE BINARY NOT NULL,
    quantity BIGINT NOT NULL,
    -- The part of it that no request caused.
    overhead BIGINT NOT NULL,
    reported_at BIGINT NOT NULL,
    reported_by TEXT NOT NULL,
    PRIMARY KEY (hour, region, resource, source)
);

-- Price maps, as canonical JSON. None is ever changed.
CREATE TABLE cost_prices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT COLLATE BINARY NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    currency TEXT NOT NULL,
    effective_from BIGINT NOT NULL,
    map TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

-- What was billed for a month, `2026-11`. Amounts are decimal texts.
CREATE TABLE cost_bills (
    month TEXT COLLATE BINARY PRIMARY KEY,
    amount TEXT NOT NULL,
    put_at BIGINT NOT NULL,
    put_by TEXT NOT NULL
);

CREATE TABLE cost_budgets (
    name TEXT COLLATE BINARY PRIMARY KEY,
    -- As JSON: whose it is, and how much.
    budget TEXT NOT NULL
);
