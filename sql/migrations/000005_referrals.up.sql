CREATE TABLE signups (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    referee_id uuid NOT NULL,
    external_id text NOT NULL,
    fingerprint bytea NOT NULL,
    metadata jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT signups_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT signups_external_id_key UNIQUE (workspace_id, program_id, external_id),
    CONSTRAINT signups_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT signups_referee_id_fkey FOREIGN KEY (workspace_id, referee_id) REFERENCES participants (workspace_id, id)
);

COMMENT ON TABLE signups IS 'One row is the fact that a referee joined a program.';

CREATE INDEX signups_referee_id_idx ON signups (workspace_id, referee_id, id);

CREATE TABLE attribution_decisions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    program_version_id uuid,
    signup_id uuid,
    referee_id uuid NOT NULL,
    door text NOT NULL,
    attributed boolean NOT NULL,
    reason text NOT NULL,
    referrer_id uuid,
    code_id uuid,
    referral_id uuid,
    inputs text NOT NULL,
    inputs_hash bytea NOT NULL,
    answer text NOT NULL,
    decided_at timestamptz NOT NULL,
    CONSTRAINT attribution_decisions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT attribution_decisions_program_version_id_fkey FOREIGN KEY (workspace_id, program_version_id) REFERENCES program_versions (workspace_id, id),
    CONSTRAINT attribution_decisions_signup_id_fkey FOREIGN KEY (workspace_id, signup_id) REFERENCES signups (workspace_id, id),
    CONSTRAINT attribution_decisions_referee_id_fkey FOREIGN KEY (workspace_id, referee_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT attribution_decisions_door_check CHECK (door IN ('signup', 'manual', 'import', 'late_claim', 'reattribution')),
    CONSTRAINT attribution_decisions_referral_id_check CHECK (NOT attributed OR (referral_id IS NOT NULL AND referrer_id IS NOT NULL))
);

COMMENT ON TABLE attribution_decisions IS 'One row is the stored answer to who gets a referee and why: inputs and answer are kept as bytes, so that a replay can be compared.';

CREATE INDEX attribution_decisions_referee_id_idx ON attribution_decisions (workspace_id, referee_id, id);

CREATE INDEX attribution_decisions_signup_id_idx ON attribution_decisions (workspace_id, signup_id);

CREATE TABLE referrals (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    program_version_id uuid NOT NULL,
    referrer_id uuid NOT NULL,
    referee_id uuid NOT NULL,
    code_id uuid,
    signup_id uuid,
    decision_id uuid NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    attributed_at timestamptz NOT NULL,
    qualify_by timestamptz NOT NULL,
    qualified_at timestamptz,
    qualifying_conversion_id uuid,
    churned_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT referrals_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT referrals_program_version_id_fkey FOREIGN KEY (workspace_id, program_version_id) REFERENCES program_versions (workspace_id, id),
    CONSTRAINT referrals_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT referrals_referrer_id_fkey FOREIGN KEY (workspace_id, referrer_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT referrals_referee_id_fkey FOREIGN KEY (workspace_id, referee_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT referrals_code_id_fkey FOREIGN KEY (workspace_id, code_id) REFERENCES codes (workspace_id, id),
    CONSTRAINT referrals_signup_id_fkey FOREIGN KEY (workspace_id, signup_id) REFERENCES signups (workspace_id, id),
    CONSTRAINT referrals_decision_id_fkey FOREIGN KEY (workspace_id, decision_id) REFERENCES attribution_decisions (workspace_id, id),
    CONSTRAINT referrals_referrer_id_check CHECK (referrer_id <> referee_id),
    CONSTRAINT referrals_state_check CHECK (state IN ('attributed', 'qualified', 'under_review', 'expired', 'rejected', 'churned', 'superseded')),
    CONSTRAINT referrals_qualified_at_check CHECK ((qualified_at IS NULL) = (qualifying_conversion_id IS NULL))
);

COMMENT ON TABLE referrals IS 'One row is the relation referrer to referee in a program.';

COMMENT ON COLUMN referrals.attributed_at IS 'When the referee joined, as claimed by the fact: windows start here.';

CREATE UNIQUE INDEX referrals_referee_id_key ON referrals (workspace_id, program_id, referee_id) WHERE state NOT IN ('expired', 'rejected', 'superseded');

CREATE INDEX referrals_referee_id_idx ON referrals (workspace_id, referee_id, program_id);

CREATE INDEX referrals_referrer_id_idx ON referrals (workspace_id, referrer_id, id);

CREATE INDEX referrals_program_id_idx ON referrals (workspace_id, program_id, id);

CREATE INDEX referrals_qualify_by_idx ON referrals (workspace_id, qualify_by) WHERE state = 'attributed';

GRANT SELECT, INSERT ON signups TO grapevine_app;

GRANT SELECT, INSERT ON attribution_decisions TO grapevine_app;

GRANT SELECT, INSERT ON referrals TO grapevine_app;

GRANT UPDATE (state, reason, qualified_at, qualifying_conversion_id, churned_at, version) ON referrals TO grapevine_app;
