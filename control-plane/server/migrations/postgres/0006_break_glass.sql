-- Break-glass: one-time passwords, for who has no passkey at hand. Times are
-- milliseconds since the epoch.

-- In which tenants they count now, until when, and for what.
CREATE TABLE break_glass (
    tenant TEXT COLLATE "C" PRIMARY KEY,
    until_at BIGINT NOT NULL,
    -- JSON: names of actions; a `*` at the end stands for anything.
    actions TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_at BIGINT NOT NULL
);

CREATE TABLE otp_secrets (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- Sealed, base64url.
    secret TEXT NOT NULL,
    -- Whether its user has shown that they have it.
    is_active BIGINT NOT NULL,
    -- The last step whose code was taken: none is taken twice.
    last_step BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE otp_recovery_codes (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- Keyed hash, hex.
    hash TEXT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant, user_id, hash)
);

CREATE TABLE otp_failures (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- Since the last lock, or the last code that was right.
    failures BIGINT NOT NULL,
    locks BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    failed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

-- JSON: the actions of a token that a one-time password was given for.
ALTER TABLE step_up_tokens ADD COLUMN otp_actions TEXT;
