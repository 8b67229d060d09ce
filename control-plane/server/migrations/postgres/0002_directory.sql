-- Users and groups of tenants, by SCIM. Times are milliseconds since the epoch.

ALTER TABLE tokens ADD COLUMN may_confer BIGINT NOT NULL DEFAULT 0;

-- Issuers, privileged groups and the like: what only owners say of a tenant.
ALTER TABLE tenants ADD COLUMN identity TEXT NOT NULL DEFAULT '{}';

CREATE TABLE scim_resources (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL,
    -- `User` or `Group`.
    kind TEXT NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    -- userName or displayName as it is compared: in lower case.
    name TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C",
    -- 0 is suspended.
    active BIGINT NOT NULL,
    -- The resource without what the other columns and tables have.
    document TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- Not to be found from then on; its name is free again.
    deleted_at BIGINT
);

CREATE UNIQUE INDEX scim_names ON scim_resources (tenant, kind, name) WHERE deleted_at IS NULL;
CREATE INDEX scim_order ON scim_resources (tenant, kind, number) WHERE deleted_at IS NULL;
CREATE INDEX scim_by_name ON scim_resources (tenant, kind, name, number) WHERE deleted_at IS NULL;
CREATE INDEX scim_by_external_id ON scim_resources (tenant, kind, external_id, number) WHERE deleted_at IS NULL;
CREATE INDEX scim_by_change ON scim_resources (tenant, kind, changed_at, number) WHERE deleted_at IS NULL;

-- What resources are found and sorted by: one row for each simple value.
CREATE TABLE scim_values (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL,
    resource BIGINT NOT NULL,
    -- Path of the attribute; of a complex one itself, where it is not empty.
    key TEXT COLLATE "C" NOT NULL,
    -- Number within its list, the primary one first.
    element BIGINT NOT NULL,
    -- As it is compared: in lower case, where case does not count.
    value TEXT COLLATE "C" NOT NULL,
    UNIQUE (tenant, resource, key, element)
);

CREATE INDEX scim_values_by_value ON scim_values (tenant, key, value, resource, element);

CREATE TABLE scim_members (
    tenant TEXT NOT NULL,
    -- Number of the group.
    in_group BIGINT NOT NULL,
    -- Id of a user or group; it may be of none, and is nothing then.
    member TEXT COLLATE "C" NOT NULL,
    -- `User` or `Group`.
    type TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, in_group, member)
);

CREATE INDEX scim_members_by_member ON scim_members (tenant, member, in_group);

-- How many there are: a million are not counted for each page.
CREATE TABLE scim_counts (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind)
);

-- Which subject of which issuer is which user. Never changed: a user that is
-- renamed stays the same person.
CREATE TABLE subject_links (
    tenant TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, issuer, subject),
    UNIQUE (tenant, issuer, user_id)
);

-- Whose access tokens are those of a tenant's users at the API.
CREATE TABLE tenant_logins (
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    tenant TEXT NOT NULL,
    jwks TEXT,
    PRIMARY KEY (issuer, audience)
);

-- What proxies must forget, in the order of commits.
CREATE TABLE directory_changes (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    -- None is everybody of the tenant.
    user_id TEXT
);

-- Keys of this control plane, shared by its replicas, hex.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
