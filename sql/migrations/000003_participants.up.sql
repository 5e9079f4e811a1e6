CREATE TABLE participants (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL,
    display_name text,
    email_hash bytea,
    customer_since timestamptz,
    state text NOT NULL,
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT participants_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT participants_external_id_key UNIQUE (workspace_id, external_id),
    CONSTRAINT participants_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT participants_state_check CHECK (state IN ('active', 'suspended', 'banned')),
    CONSTRAINT participants_email_hash_check CHECK (octet_length(email_hash) = 32)
);

COMMENT ON TABLE participants IS 'One row is a person of the integrator''s system: referrer and referee are roles of it.';

COMMENT ON COLUMN participants.email_hash IS 'Keyed hash of the folded e-mail address: the address itself is never stored.';

CREATE TABLE program_participants (
    workspace_id uuid NOT NULL,
    program_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    codes integer NOT NULL,
    codes_limit integer NOT NULL,
    CONSTRAINT program_participants_pkey PRIMARY KEY (workspace_id, program_id, participant_id),
    CONSTRAINT program_participants_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT program_participants_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT program_participants_codes_check CHECK (codes BETWEEN 0 AND codes_limit)
);

COMMENT ON TABLE program_participants IS 'One row counts what a participant holds in a program, so that limits are exact under concurrency.';

CREATE TABLE codes (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    value text NOT NULL,
    folded_value text NOT NULL,
    state text NOT NULL,
    disabled_reason text,
    max_uses bigint,
    uses bigint NOT NULL,
    starts_at timestamptz,
    expires_at timestamptz,
    timeline jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT codes_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT codes_folded_value_key UNIQUE (workspace_id, folded_value),
    CONSTRAINT codes_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT codes_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT codes_state_check CHECK (state IN ('active', 'disabled', 'retired')),
    CONSTRAINT codes_disabled_reason_check CHECK (disabled_reason IN ('rotation', 'fraud', 'other')),
    CONSTRAINT codes_state_disabled_reason_check CHECK (state <> 'disabled' OR disabled_reason IS NOT NULL),
    CONSTRAINT codes_uses_check CHECK (uses >= 0 AND (max_uses IS NULL OR uses <= max_uses))
);

COMMENT ON TABLE codes IS 'One row is what a referrer shares, unique by its folded value in the workspace.';

COMMENT ON COLUMN codes.timeline IS 'Every state the code has been in, oldest first: [{"at", "state", "reason"}]. Touches are judged by the state at their own time.';

CREATE INDEX codes_participant_id_idx ON codes (workspace_id, participant_id, id);

CREATE INDEX codes_program_id_idx ON codes (workspace_id, program_id, id);

GRANT SELECT, INSERT ON participants TO grapevine_app;

GRANT UPDATE (external_id, display_name, email_hash, customer_since, state, metadata, version) ON participants TO grapevine_app;

GRANT SELECT, INSERT ON program_participants TO grapevine_app;

GRANT UPDATE (codes, codes_limit) ON program_participants TO grapevine_app;

GRANT SELECT, INSERT ON codes TO grapevine_app;

GRANT UPDATE (state, disabled_reason, max_uses, uses, starts_at, expires_at, timeline, version) ON codes TO grapevine_app;
