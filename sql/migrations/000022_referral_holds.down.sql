ALTER TABLE referrals DROP COLUMN holds_from;
