-- Passkeys, and the proofs of presence that they give. Times are milliseconds
-- since the epoch, but for those of tokens, which are seconds as in the tokens.

CREATE TABLE passkeys (
    -- base64url
    credential TEXT COLLATE "C" PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    -- How often it was used, as it says itself; 0 where it does not count.
    counter BIGINT NOT NULL,
    -- Whether its maker vouches for it.
    attested BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX passkeys_by_user ON passkeys (tenant, user_id, created_at);

-- What was begun and not ended. A row is taken away before anything is verified.
CREATE TABLE ceremonies (
    id TEXT COLLATE "C" PRIMARY KEY,
    -- `registration` or `authentication`.
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- Who began it, in which session.
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    session TEXT NOT NULL,
    -- What it is for.
    purpose TEXT NOT NULL,
    -- What the answer is verified with.
    state TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);

CREATE INDEX ceremonies_by_user ON ceremonies (tenant, user_id, ends_at);
CREATE INDEX ceremonies_by_end ON ceremonies (ends_at);

CREATE TABLE step_up_tokens (
    token TEXT COLLATE "C" PRIMARY KEY,
    graph TEXT NOT NULL,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    spent_at BIGINT
);

CREATE INDEX step_up_tokens_by_end ON step_up_tokens (ends_at);
CREATE INDEX step_up_tokens_by_user ON step_up_tokens (tenant, user_id, made_at);

-- Tokens of a user that were made before this do not count.
CREATE TABLE step_up_ends (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    tokens_from BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE step_up_keys (
    kid TEXT COLLATE "C" PRIMARY KEY,
    -- hex
    seed TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    -- Proxies have to know it before.
    signs_from BIGINT NOT NULL,
    -- Until when it is told; none as long as it signs.
    ends_at BIGINT
);
