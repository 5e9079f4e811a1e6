ALTER TABLE referrals ADD COLUMN holds_from timestamptz;

COMMENT ON COLUMN referrals.holds_from IS 'When a person gave the referee to this referrer: the tree had the one before until then. NULL where it holds since attributed_at.';

UPDATE referrals AS r
SET holds_from = r.created_at
FROM attribution_decisions AS d
WHERE d.workspace_id = r.workspace_id AND d.id = r.decision_id AND d.door = 'reattribution';
