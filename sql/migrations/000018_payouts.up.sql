CREATE TABLE payout_policies (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    currency text NOT NULL,
    minimum_amount bigint NOT NULL,
    approval text NOT NULL,
    approval_amount bigint,
    provider text NOT NULL,
    webhook_url text,
    webhook_secret bytea,
    tax_threshold bigint,
    four_eyes boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT payout_policies_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT payout_policies_currency_key UNIQUE (workspace_id, currency),
    CONSTRAINT payout_policies_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT payout_policies_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT payout_policies_minimum_amount_check CHECK (minimum_amount >= 0),
    CONSTRAINT payout_policies_approval_check CHECK (approval IN ('automatic', 'manual', 'over_amount')),
    CONSTRAINT payout_policies_approval_amount_check CHECK ((approval = 'over_amount') = (approval_amount IS NOT NULL)),
    CONSTRAINT payout_policies_provider_check CHECK (provider IN ('manual', 'webhook')),
    CONSTRAINT payout_policies_webhook_url_check CHECK (provider <> 'webhook' OR (webhook_url IS NOT NULL AND webhook_secret IS NOT NULL)),
    CONSTRAINT payout_policies_webhook_secret_check CHECK (octet_length(webhook_secret) = 32),
    CONSTRAINT payout_policies_tax_threshold_check CHECK (tax_threshold >= 0)
);

COMMENT ON TABLE payout_policies IS 'One row is how the workspace pays in one currency.';

CREATE TABLE payout_runs (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    policy_id uuid NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    note text,
    created_by uuid NOT NULL,
    after_participant_id uuid NOT NULL,
    skipped bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT payout_runs_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT payout_runs_policy_id_fkey FOREIGN KEY (workspace_id, policy_id) REFERENCES payout_policies (workspace_id, id),
    CONSTRAINT payout_runs_created_by_fkey FOREIGN KEY (workspace_id, created_by) REFERENCES api_keys (workspace_id, id),
    CONSTRAINT payout_runs_state_check CHECK (state IN ('preparing', 'ready'))
);

COMMENT ON TABLE payout_runs IS 'One row is a batch of payouts in one currency.';

COMMENT ON COLUMN payout_runs.after_participant_id IS 'How far a run that is being prepared has come: participants are taken in the order of their ids.';

CREATE INDEX payout_runs_id_idx ON payout_runs (workspace_id, id) WHERE state = 'preparing';

CREATE TABLE payouts (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    run_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    offset_amount bigint NOT NULL,
    state text NOT NULL,
    live boolean NOT NULL,
    provider text NOT NULL,
    attempt bigint NOT NULL,
    provider_key text,
    provider_reference text,
    note text,
    due_at timestamptz,
    tries integer NOT NULL,
    paid_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT payouts_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT payouts_id_live_key UNIQUE (workspace_id, id, live),
    CONSTRAINT payouts_run_id_participant_id_key UNIQUE (workspace_id, run_id, participant_id),
    CONSTRAINT payouts_provider_key_key UNIQUE (workspace_id, provider_key),
    CONSTRAINT payouts_run_id_fkey FOREIGN KEY (workspace_id, run_id) REFERENCES payout_runs (workspace_id, id),
    CONSTRAINT payouts_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT payouts_amount_check CHECK (amount > 0),
    CONSTRAINT payouts_state_check CHECK (state IN ('draft', 'approved', 'submitted', 'paid', 'failed', 'returned', 'cancelled')),
    CONSTRAINT payouts_live_check CHECK (live = (state <> 'cancelled')),
    CONSTRAINT payouts_state_paid_at_check CHECK (state <> 'paid' OR paid_at IS NOT NULL),
    CONSTRAINT payouts_state_provider_key_check CHECK (state NOT IN ('submitted', 'paid', 'failed', 'returned') OR provider_key IS NOT NULL),
    CONSTRAINT payouts_provider_check CHECK (provider IN ('manual', 'webhook')),
    CONSTRAINT payouts_attempt_check CHECK (attempt > 0)
);

COMMENT ON TABLE payouts IS 'One row is the payment of one participant in a run.';

COMMENT ON COLUMN payouts.due_at IS 'When background work does something about it next: submits it, or sends it to the provider. Null when nothing is due.';

COMMENT ON COLUMN payouts.offset_amount IS 'What of the rewards went against a debt, below zero when what was set off earlier was given back.';

CREATE INDEX payouts_run_id_idx ON payouts (workspace_id, run_id, id);

CREATE INDEX payouts_participant_id_currency_idx ON payouts (workspace_id, participant_id, currency, id);

CREATE INDEX payouts_due_at_idx ON payouts (workspace_id, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE payout_items (
    workspace_id uuid NOT NULL,
    payout_id uuid NOT NULL,
    reward_id uuid NOT NULL,
    amount bigint NOT NULL,
    offset_amount bigint NOT NULL,
    live boolean NOT NULL,
    CONSTRAINT payout_items_pkey PRIMARY KEY (workspace_id, payout_id, reward_id),
    CONSTRAINT payout_items_payout_id_live_fkey FOREIGN KEY (workspace_id, payout_id, live) REFERENCES payouts (workspace_id, id, live),
    CONSTRAINT payout_items_reward_id_fkey FOREIGN KEY (workspace_id, reward_id) REFERENCES rewards (workspace_id, id),
    CONSTRAINT payout_items_amount_check CHECK (amount >= 0)
);

COMMENT ON TABLE payout_items IS 'One row is what a payout pays for one reward. It is live as long as its payout is not cancelled, which the foreign key holds.';

CREATE UNIQUE INDEX payout_items_reward_id_key ON payout_items (workspace_id, reward_id) WHERE live;

CREATE TABLE payout_skips (
    workspace_id uuid NOT NULL,
    run_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    reason text NOT NULL,
    balance bigint NOT NULL,
    CONSTRAINT payout_skips_pkey PRIMARY KEY (workspace_id, run_id, participant_id),
    CONSTRAINT payout_skips_run_id_fkey FOREIGN KEY (workspace_id, run_id) REFERENCES payout_runs (workspace_id, id),
    CONSTRAINT payout_skips_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT payout_skips_reason_check CHECK (
        reason IN ('below_minimum', 'carry_forward', 'participant_suspended', 'participant_banned', 'tax_data_missing')
    )
);

COMMENT ON TABLE payout_skips IS 'One row is a participant that a run passed by, and what is carried forward.';

ALTER TABLE participants ADD COLUMN tax_data_recorded_at timestamptz;

ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_recipe_check;

ALTER TABLE ledger_transfers ADD CONSTRAINT ledger_transfers_recipe_check CHECK (
    recipe IN ('accrue', 'mature', 'hold', 'reserve', 'release', 'pay', 'return', 'cancel', 'clawback', 'expire', 'redeem')
);

CREATE INDEX rewards_participant_id_currency_idx ON rewards (workspace_id, participant_id, currency, id) WHERE state = 'available' AND kind = 'money';

GRANT SELECT, INSERT ON payout_policies TO grapevine_app;

GRANT UPDATE (minimum_amount, approval, approval_amount, provider, webhook_url, webhook_secret, tax_threshold, four_eyes, version) ON payout_policies TO grapevine_app;

GRANT SELECT, INSERT ON payout_runs TO grapevine_app;

GRANT UPDATE (state, after_participant_id, skipped) ON payout_runs TO grapevine_app;

GRANT SELECT, INSERT ON payouts TO grapevine_app;

GRANT UPDATE (state, live, attempt, provider_key, provider_reference, note, due_at, tries, paid_at, version) ON payouts TO grapevine_app;

GRANT SELECT, INSERT ON payout_items TO grapevine_app;

GRANT UPDATE (live) ON payout_items TO grapevine_app;

GRANT SELECT, INSERT ON payout_skips TO grapevine_app;

GRANT UPDATE (tax_data_recorded_at) ON participants TO grapevine_app;
