CREATE TABLE rewards (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    program_version_id uuid NOT NULL,
    referral_id uuid,
    conversion_id uuid,
    participant_id uuid NOT NULL,
    cause_kind text NOT NULL,
    cause_id uuid NOT NULL,
    rule_key text NOT NULL,
    beneficiary text NOT NULL,
    level integer NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    granted bigint NOT NULL,
    reversed bigint NOT NULL,
    capped bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    note text,
    available_at timestamptz NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT rewards_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT rewards_cause_id_key UNIQUE (workspace_id, cause_id, rule_key, participant_id, level),
    CONSTRAINT rewards_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT rewards_program_version_id_fkey FOREIGN KEY (workspace_id, program_version_id) REFERENCES program_versions (workspace_id, id),
    CONSTRAINT rewards_referral_id_fkey FOREIGN KEY (workspace_id, referral_id) REFERENCES referrals (workspace_id, id),
    CONSTRAINT rewards_conversion_id_fkey FOREIGN KEY (workspace_id, conversion_id) REFERENCES conversions (workspace_id, id),
    CONSTRAINT rewards_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT rewards_cause_kind_check CHECK (cause_kind IN ('conversion', 'referral', 'manual')),
    CONSTRAINT rewards_beneficiary_check CHECK (beneficiary IN ('referrer', 'referee', 'participant')),
    CONSTRAINT rewards_level_check CHECK (level >= 0),
    CONSTRAINT rewards_kind_check CHECK (kind IN ('money', 'credit')),
    CONSTRAINT rewards_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT rewards_reversed_check CHECK (reversed BETWEEN 0 AND granted),
    CONSTRAINT rewards_capped_check CHECK (capped >= 0),
    CONSTRAINT rewards_state_check CHECK (state IN ('pending_fx', 'pending', 'available', 'held', 'reserved', 'paid', 'expired', 'redeemed', 'cancelled'))
);

COMMENT ON TABLE rewards IS 'One row is what is owed to one beneficiary for one cause: what is still owed is granted minus reversed.';

CREATE INDEX rewards_participant_id_idx ON rewards (workspace_id, participant_id, id);

CREATE INDEX rewards_referral_id_idx ON rewards (workspace_id, referral_id, id);

CREATE INDEX rewards_conversion_id_idx ON rewards (workspace_id, conversion_id, id);

CREATE INDEX rewards_available_at_idx ON rewards (workspace_id, available_at) WHERE state = 'pending';

CREATE TABLE ledger_accounts (
    workspace_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    currency text NOT NULL,
    kind text NOT NULL,
    balance bigint NOT NULL,
    CONSTRAINT ledger_accounts_pkey PRIMARY KEY (workspace_id, participant_id, currency, kind),
    CONSTRAINT ledger_accounts_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT ledger_accounts_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ledger_accounts_kind_check CHECK (kind IN ('expense', 'pending', 'available', 'reserved', 'cash', 'breakage', 'redeemed')),
    CONSTRAINT ledger_accounts_balance_check CHECK (
        CASE kind
            WHEN 'available' THEN TRUE
            WHEN 'expense' THEN balance <= 0
            ELSE balance >= 0
        END
    )
);

COMMENT ON TABLE ledger_accounts IS 'One row is the balance of one kind of account of one participant in one currency: there is no account that all participants share, so none is hot.';

CREATE TABLE ledger_transfers (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    participant_id uuid NOT NULL,
    currency text NOT NULL,
    from_kind text NOT NULL,
    to_kind text NOT NULL,
    amount bigint NOT NULL,
    recipe text NOT NULL,
    reason text NOT NULL,
    reward_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT ledger_transfers_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT ledger_transfers_from_kind_fkey FOREIGN KEY (workspace_id, participant_id, currency, from_kind) REFERENCES ledger_accounts (workspace_id, participant_id, currency, kind),
    CONSTRAINT ledger_transfers_to_kind_fkey FOREIGN KEY (workspace_id, participant_id, currency, to_kind) REFERENCES ledger_accounts (workspace_id, participant_id, currency, kind),
    CONSTRAINT ledger_transfers_reward_id_fkey FOREIGN KEY (workspace_id, reward_id) REFERENCES rewards (workspace_id, id),
    CONSTRAINT ledger_transfers_amount_check CHECK (amount > 0),
    CONSTRAINT ledger_transfers_from_kind_check CHECK (from_kind <> to_kind),
    CONSTRAINT ledger_transfers_recipe_check CHECK (recipe IN ('accrue', 'mature', 'hold', 'reserve', 'release', 'pay', 'cancel', 'clawback', 'expire', 'redeem'))
);

COMMENT ON TABLE ledger_transfers IS 'One row moves one positive amount from one account to another of the same participant and currency, so it balances by construction.';

CREATE INDEX ledger_transfers_participant_id_idx ON ledger_transfers (workspace_id, participant_id, id);

CREATE INDEX ledger_transfers_reward_id_idx ON ledger_transfers (workspace_id, reward_id, id);

GRANT SELECT, INSERT ON rewards TO grapevine_app;

GRANT UPDATE (reversed, state, reason, note, version) ON rewards TO grapevine_app;

GRANT SELECT, INSERT ON ledger_accounts TO grapevine_app;

GRANT UPDATE (balance) ON ledger_accounts TO grapevine_app;

GRANT SELECT, INSERT ON ledger_transfers TO grapevine_app;
