CREATE TABLE conversions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    referee_id uuid NOT NULL,
    referral_id uuid,
    source text NOT NULL,
    external_id text NOT NULL,
    type text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    reversed_amount bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    fingerprint bytea NOT NULL,
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT conversions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT conversions_external_id_key UNIQUE (workspace_id, source, external_id, type),
    CONSTRAINT conversions_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT conversions_referee_id_fkey FOREIGN KEY (workspace_id, referee_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT conversions_referral_id_fkey FOREIGN KEY (workspace_id, referral_id) REFERENCES referrals (workspace_id, id),
    CONSTRAINT conversions_state_check CHECK (state IN ('unmatched', 'counted', 'disqualified', 'partially_reversed', 'reversed')),
    CONSTRAINT conversions_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT conversions_amount_check CHECK (amount >= 0),
    CONSTRAINT conversions_reversed_amount_check CHECK (reversed_amount BETWEEN 0 AND amount)
);

COMMENT ON TABLE conversions IS 'One row is a counted action of a referee: only state, match and reversed_amount may change.';

CREATE INDEX conversions_referral_id_idx ON conversions (workspace_id, referral_id, id);

CREATE INDEX conversions_referee_id_idx ON conversions (workspace_id, referee_id, id);

ALTER TABLE referrals ADD CONSTRAINT referrals_qualifying_conversion_id_fkey FOREIGN KEY (workspace_id, qualifying_conversion_id) REFERENCES conversions (workspace_id, id);

CREATE TABLE reversals (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    source text NOT NULL,
    external_id text NOT NULL,
    conversion_external_id text NOT NULL,
    conversion_type text NOT NULL,
    kind text NOT NULL,
    amount bigint,
    currency text,
    restores_reversal_id uuid,
    note text,
    fingerprint bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT reversals_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT reversals_external_id_key UNIQUE (workspace_id, source, external_id),
    CONSTRAINT reversals_restores_reversal_id_key UNIQUE (workspace_id, restores_reversal_id),
    CONSTRAINT reversals_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT reversals_restores_reversal_id_fkey FOREIGN KEY (workspace_id, restores_reversal_id) REFERENCES reversals (workspace_id, id),
    CONSTRAINT reversals_kind_check CHECK (kind IN ('refund', 'chargeback', 'fraud', 'manual', 'dispute_won')),
    CONSTRAINT reversals_restores_reversal_id_check CHECK ((kind = 'dispute_won') = (restores_reversal_id IS NOT NULL)),
    CONSTRAINT reversals_amount_check CHECK (amount > 0)
);

COMMENT ON TABLE reversals IS 'One row is an undo of a conversion, or a dispute won that undoes a chargeback: it may arrive before its conversion.';

COMMENT ON COLUMN reversals.amount IS 'What the caller takes back, in minor units, NULL takes back all that is left.';

CREATE INDEX reversals_conversion_external_id_idx ON reversals (workspace_id, source, conversion_external_id, conversion_type);

CREATE TABLE churns (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    referee_id uuid NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    external_id text NOT NULL,
    fingerprint bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT churns_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT churns_external_id_key UNIQUE (workspace_id, source, external_id, kind),
    CONSTRAINT churns_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT churns_referee_id_fkey FOREIGN KEY (workspace_id, referee_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT churns_kind_check CHECK (kind IN ('churn', 'reactivation'))
);

COMMENT ON TABLE churns IS 'One row says that a referee left the product, or came back.';

CREATE INDEX churns_referee_id_idx ON churns (workspace_id, referee_id, program_id);

CREATE TABLE unmatched_facts (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    fact_id uuid NOT NULL,
    program_id uuid,
    referee_id uuid,
    waits_for text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    received_at timestamptz NOT NULL,
    settled_at timestamptz,
    CONSTRAINT unmatched_facts_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT unmatched_facts_fact_id_key UNIQUE (workspace_id, fact_id, waits_for),
    CONSTRAINT unmatched_facts_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT unmatched_facts_kind_check CHECK (kind IN ('conversion', 'reversal', 'churn', 'reactivation', 'signup')),
    CONSTRAINT unmatched_facts_state_check CHECK (state IN ('waiting', 'settled', 'refused')),
    CONSTRAINT unmatched_facts_settled_at_check CHECK ((settled_at IS NULL) = (state = 'waiting'))
);

COMMENT ON TABLE unmatched_facts IS 'One row is a fact that arrived before the one it belongs to, and what became of it.';

COMMENT ON COLUMN unmatched_facts.waits_for IS 'Key of the partner: referral:<program>:<referee>, conversion:<source>:<external id>:<type> or click:<id>.';

CREATE INDEX unmatched_facts_waits_for_idx ON unmatched_facts (workspace_id, waits_for) WHERE state = 'waiting';

CREATE TABLE fact_keys (
    workspace_id uuid NOT NULL,
    key text NOT NULL,
    CONSTRAINT fact_keys_pkey PRIMARY KEY (workspace_id, key),
    CONSTRAINT fact_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id)
);

COMMENT ON TABLE fact_keys IS 'One row is a name under which two facts meet that may arrive in any order: each locks it before it looks for the other, so that neither misses the other.';

GRANT SELECT, INSERT ON fact_keys TO grapevine_app;

GRANT UPDATE (key) ON fact_keys TO grapevine_app;

GRANT SELECT, INSERT ON conversions TO grapevine_app;

GRANT UPDATE (referral_id, reversed_amount, state, reason, version) ON conversions TO grapevine_app;

GRANT SELECT, INSERT ON reversals TO grapevine_app;

GRANT SELECT, INSERT ON churns TO grapevine_app;

GRANT SELECT, INSERT ON unmatched_facts TO grapevine_app;

GRANT UPDATE (state, reason, settled_at) ON unmatched_facts TO grapevine_app;
