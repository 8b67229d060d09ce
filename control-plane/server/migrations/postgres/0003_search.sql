-- Parts of names and addresses are found by their trigrams: here in an index, on
-- SQLite in a table of their own. Where the extension cannot be had, they are
-- found all the same, by looking at every one of the tenant.

DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX scim_values_search ON scim_values USING gin (value gin_trgm_ops)
    WHERE key IN ('userName', 'displayName', 'emails.value', 'name.formatted', 'name.familyName', 'name.givenName');
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'no index of trigrams: %', SQLERRM;
END
$$;
