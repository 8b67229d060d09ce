-- Which issue of a group is its own, and which labels it has.

-- Issues of the group that are gone: a marker of one of them is no other's.
ALTER TABLE alert_groups ADD COLUMN gone BIGINT NOT NULL DEFAULT 0;
-- Labels that its issue has: 0 none that are known, 1 those of all, 2 those of critical
-- ones too.
ALTER TABLE alert_groups ADD COLUMN labelled BIGINT NOT NULL DEFAULT 0;
-- Alerts of the last message, as JSON: fingerprints and when each began.
ALTER TABLE alert_groups ADD COLUMN alerts TEXT NOT NULL DEFAULT '[]';
