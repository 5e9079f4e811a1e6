CREATE TABLE resettlements (
    workspace_id uuid NOT NULL,
    program_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    after_id uuid NOT NULL,
    CONSTRAINT resettlements_pkey PRIMARY KEY (workspace_id, program_id, participant_id, due_at),
    CONSTRAINT resettlements_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT resettlements_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id)
);

COMMENT ON TABLE resettlements IS 'One row asks for the conversions below a participant to be settled again, because the tree above it changed for a time that had passed.';

COMMENT ON COLUMN resettlements.since IS 'What occurred before this is done, or is not touched by the change. Of this moment itself, up to after_id.';

CREATE INDEX resettlements_due_at_idx ON resettlements (workspace_id, due_at);

CREATE INDEX conversions_program_id_idx ON conversions (workspace_id, program_id, occurred_at, id) WHERE upline IS NOT NULL;

GRANT SELECT, INSERT, DELETE ON resettlements TO grapevine_app;

GRANT UPDATE (since, after_id) ON resettlements TO grapevine_app;
