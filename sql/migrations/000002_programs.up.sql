CREATE TABLE programs (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    landing_url text NOT NULL,
    allowed_hosts text[] NOT NULL,
    honor_pending_seconds bigint NOT NULL,
    time_zone text NOT NULL,
    current_version_id uuid,
    timeline jsonb NOT NULL,
    ended_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT programs_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT programs_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT programs_state_check CHECK (state IN ('draft', 'active', 'paused', 'ended', 'archived')),
    CONSTRAINT programs_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT programs_honor_pending_seconds_check CHECK (honor_pending_seconds >= 0),
    CONSTRAINT programs_ended_at_check CHECK ((ended_at IS NOT NULL) = (state IN ('ended', 'archived')))
);

COMMENT ON TABLE programs IS 'One row is an offer with a life: its rules are in program_versions.';

COMMENT ON COLUMN programs.timeline IS 'Every state the program has been in, oldest first: [{"at", "state"}]. Facts are judged by the state at their own time.';

CREATE TABLE program_versions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    number integer NOT NULL,
    rules jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    CONSTRAINT program_versions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT program_versions_program_id_number_key UNIQUE (workspace_id, program_id, number),
    CONSTRAINT program_versions_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT program_versions_number_check CHECK (number > 0)
);

COMMENT ON TABLE program_versions IS 'One row is a published set of rules: it never changes, and a referral stays pinned to the one it was attributed under.';

ALTER TABLE programs ADD CONSTRAINT programs_current_version_id_fkey FOREIGN KEY (workspace_id, current_version_id) REFERENCES program_versions (workspace_id, id);

ALTER TABLE programs ADD CONSTRAINT programs_current_version_id_check CHECK (current_version_id IS NOT NULL OR state = 'draft');

GRANT SELECT, INSERT ON programs TO grapevine_app;

GRANT UPDATE (name, state, landing_url, allowed_hosts, honor_pending_seconds, current_version_id, timeline, ended_at, version) ON programs TO grapevine_app;

GRANT SELECT, INSERT ON program_versions TO grapevine_app;
