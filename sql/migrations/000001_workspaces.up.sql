CREATE TABLE workspaces (
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    mode text NOT NULL,
    slug text NOT NULL,
    link_host text,
    paired_workspace_id uuid NOT NULL,
    hash_key bytea NOT NULL,
    clock_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT workspaces_pkey PRIMARY KEY (workspace_id),
    CONSTRAINT workspaces_mode_check CHECK (mode IN ('live', 'test', 'operator')),
    CONSTRAINT workspaces_clock_at_check CHECK (clock_at IS NULL OR mode = 'test'),
    CONSTRAINT workspaces_hash_key_check CHECK (octet_length(hash_key) = 32)
);

COMMENT ON TABLE workspaces IS 'One row is an owner of data, live or test, made as a pair: the operator row holds the idempotency keys of workspace administration.';

COMMENT ON COLUMN workspaces.hash_key IS 'Keys every hash of an address, agent, visitor or e-mail of this workspace, so that no two workspaces can be linked.';

COMMENT ON COLUMN workspaces.clock_at IS 'The frozen clock of a test workspace, NULL is the wall clock.';

INSERT INTO workspaces (workspace_id, name, mode, slug, paired_workspace_id, hash_key, created_at)
VALUES (
    '00000000-0000-7000-8000-000000000000',
    'operator',
    'operator',
    'operator',
    '00000000-0000-7000-8000-000000000000',
    decode('0000000000000000000000000000000000000000000000000000000000000000', 'hex'),
    '2026-01-01T00:00:00Z'
);

CREATE TABLE api_keys (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    prefix text NOT NULL,
    last_four text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT api_keys_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT api_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT api_keys_kind_check CHECK (kind IN ('secret', 'publishable')),
    CONSTRAINT api_keys_secret_hash_check CHECK (octet_length(secret_hash) = 32)
);

COMMENT ON TABLE api_keys IS 'One row is a credential of a workspace, whose secret is stored as a SHA-256 only.';

CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL,
    key text NOT NULL,
    operation text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    replayed_count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (workspace_id, key),
    CONSTRAINT idempotency_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT idempotency_keys_replayed_count_check CHECK (replayed_count >= 0)
);

COMMENT ON TABLE idempotency_keys IS 'One row is an Idempotency-Key that was used, with the answer it got: both are written in the transaction of the work.';

CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (workspace_id, created_at);

GRANT SELECT, INSERT ON workspaces TO grapevine_app;

GRANT UPDATE (clock_at) ON workspaces TO grapevine_app;

GRANT SELECT, INSERT ON api_keys TO grapevine_app;

GRANT UPDATE (revoked_at) ON api_keys TO grapevine_app;

GRANT SELECT, INSERT, DELETE ON idempotency_keys TO grapevine_app;

GRANT UPDATE (status, headers, body, replayed_count) ON idempotency_keys TO grapevine_app;
