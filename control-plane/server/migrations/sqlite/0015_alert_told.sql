-- When a group was last told of, so that one is given up that nobody tells of any more
-- (docs/alerts.md). Of rows from before nobody knows it: NULL until it is looked at.
ALTER TABLE alert_groups ADD COLUMN told_at BIGINT;
