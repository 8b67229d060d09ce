-- Exports: manifests that were signed, and keys they are signed with. Times are
-- milliseconds since the epoch.

-- What a token that counts once was used for: the id of the guard's decision, and
-- all that the guard says of it, as JSON. None where it did not say.
ALTER TABLE step_up_tokens ADD COLUMN decision TEXT;
ALTER TABLE step_up_tokens ADD COLUMN used_for TEXT;
-- Whom and what a token was made for, as JSON: what a guard says of its use is
-- believed as far as that goes.
ALTER TABLE step_up_tokens ADD COLUMN made_for TEXT;
CREATE INDEX step_up_tokens_by_decision ON step_up_tokens (tenant, decision);

-- Tenants for whose callers a service may ask for exports, by the token's id.
CREATE TABLE token_tenants (
    token TEXT NOT NULL,
    tenant TEXT NOT NULL,
    PRIMARY KEY (token, tenant)
);

CREATE INDEX token_tenants_by_tenant ON token_tenants (tenant);

CREATE TABLE export_keys (
    -- As bundles name it: base64 of the SHA-256 of its DER.
    hint TEXT COLLATE BINARY PRIMARY KEY,
    -- `PUBLIC KEY` in PEM.
    pem TEXT NOT NULL,
    -- The private key, sealed; none of one that is in a file.
    sealed TEXT,
    not_before BIGINT NOT NULL,
    -- Since when it signs no more; none of the one that signs.
    retired_at BIGINT
);

CREATE TABLE exports (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT COLLATE BINARY NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- The user, as the manifest names it.
    created_by TEXT NOT NULL,
    -- The token of the service that asked for it; none where the user did.
    service TEXT,
    graph TEXT NOT NULL,
    action TEXT NOT NULL,
    purpose TEXT NOT NULL,
    authority TEXT,
    -- One decision makes one export.
    decision TEXT COLLATE BINARY NOT NULL UNIQUE,
    -- The proof of presence that was used for it, by its number.
    proof TEXT NOT NULL,
    idempotency_key TEXT COLLATE BINARY NOT NULL,
    -- SHA-256 of what was asked for: the same key with another one is refused.
    fingerprint TEXT NOT NULL,
    items BIGINT NOT NULL,
    manifest BLOB NOT NULL,
    manifest_sha TEXT NOT NULL,
    key_hint TEXT NOT NULL,
    -- With its entry of the ledger, once the ledger has it.
    bundle TEXT NOT NULL,
    -- Its place in the ledger's queue.
    entry BIGINT NOT NULL,
    ledger_index BIGINT,
    ledger_proof TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant, user_id, idempotency_key)
);

CREATE INDEX exports_by_tenant ON exports (tenant, number);
CREATE INDEX exports_by_user ON exports (tenant, user_id, number);
CREATE INDEX exports_by_service ON exports (service, number);
