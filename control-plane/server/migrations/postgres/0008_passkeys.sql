-- Passkeys that may have been copied, and how often tokens of a user have ended.

-- When its counter went back; it gives no proof from then on.
ALTER TABLE passkeys ADD COLUMN suspect_at BIGINT;

-- Two ends may be of one second; no two have the same number.
ALTER TABLE step_up_ends ADD COLUMN number BIGINT NOT NULL DEFAULT 0;

-- That number, when the ceremony began.
ALTER TABLE ceremonies ADD COLUMN ends BIGINT NOT NULL DEFAULT 0;

-- Facts say since when tokens of a user count: not before its links.
CREATE INDEX subject_links_by_user ON subject_links (tenant, user_id);
