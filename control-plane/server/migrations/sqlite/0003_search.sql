-- Parts of names and addresses are found by their trigrams: here in a table of
-- their own, on PostgreSQL in an index.

CREATE VIRTUAL TABLE scim_search USING fts5 (
    value, content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1'
);

CREATE TRIGGER scim_values_searched AFTER INSERT ON scim_values
WHEN NEW.key IN ('userName', 'displayName', 'emails.value', 'name.formatted', 'name.familyName', 'name.givenName')
BEGIN
    INSERT INTO scim_search (rowid, value) VALUES (NEW.number, NEW.value);
END;

CREATE TRIGGER scim_values_forgotten AFTER DELETE ON scim_values
WHEN OLD.key IN ('userName', 'displayName', 'emails.value', 'name.formatted', 'name.familyName', 'name.givenName')
BEGIN
    DELETE FROM scim_search WHERE rowid = OLD.number;
END;
