CREATE TABLE clicks (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    batch_id uuid NOT NULL,
    program_id uuid NOT NULL,
    code_id uuid NOT NULL,
    referrer_id uuid NOT NULL,
    classification text NOT NULL,
    source text NOT NULL,
    consent text NOT NULL,
    visitor bytea NOT NULL,
    visitor_key bytea,
    address_hash bytea,
    utm jsonb,
    referrer_host text,
    day date NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT clicks_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT clicks_classification_check CHECK (classification IN ('human', 'bot', 'prefetch', 'repeat')),
    CONSTRAINT clicks_source_check CHECK (source IN ('redirect', 'api', 'batch')),
    CONSTRAINT clicks_consent_check CHECK (consent IN ('granted', 'denied', 'unknown'))
) PARTITION BY RANGE (id);

COMMENT ON TABLE clicks IS 'One row is a visit through a code: ids are UUID v7, so a range of ids is a range of time. No foreign keys: the table can be distributed online.';

COMMENT ON COLUMN clicks.visitor IS 'Keyed hash that counts a visitor: of the caller''s visitor_id, else of address and agent with the day''s salt.';

COMMENT ON COLUMN clicks.visitor_key IS 'Keyed hash of the caller''s visitor_id, by which a signup finds its clicks, NULL when none was given.';

CREATE TABLE clicks_default PARTITION OF clicks DEFAULT;

CREATE INDEX clicks_visitor_key_idx ON clicks (workspace_id, visitor_key, id) WHERE visitor_key IS NOT NULL;

CREATE TABLE click_batches (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    first_click_id uuid NOT NULL,
    last_click_id uuid NOT NULL,
    CONSTRAINT click_batches_pkey PRIMARY KEY (workspace_id, id)
);

COMMENT ON TABLE click_batches IS 'One row is a committed batch of clicks that the statistics do not hold yet: folding it deletes it.';

GRANT SELECT, INSERT ON clicks TO grapevine_app;

GRANT SELECT, INSERT, DELETE ON click_batches TO grapevine_app;
