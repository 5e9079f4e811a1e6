DROP INDEX referrals_referee_id_idx;

CREATE INDEX referrals_referee_id_idx ON referrals (workspace_id, referee_id, program_id);

ALTER TABLE referrals DROP COLUMN ended_at;
