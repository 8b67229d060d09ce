-- The public half of a key, so that whoever tells it does not read the seed. None
-- of rows of a release before, until a replica fills it in.
ALTER TABLE step_up_keys ADD COLUMN x TEXT;

-- Of users without tokens that could still count, nothing is kept.
CREATE INDEX step_up_ends_by_time ON step_up_ends (tokens_from);
