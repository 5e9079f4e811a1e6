CREATE TABLE events (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    subject_type text NOT NULL,
    subject_id uuid NOT NULL,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT events_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id)
);

COMMENT ON TABLE events IS 'One row is a transition of anything, written in its transaction: the log is append-only.';

CREATE INDEX events_subject_id_idx ON events (workspace_id, subject_id, id);

GRANT SELECT, INSERT ON events TO grapevine_app;
