CREATE INDEX referrals_program_id_referrer_id_idx ON referrals (workspace_id, program_id, referrer_id, id) WHERE state NOT IN ('expired', 'rejected', 'superseded');
