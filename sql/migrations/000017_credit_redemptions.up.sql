ALTER TABLE rewards ADD COLUMN redeemed bigint NOT NULL DEFAULT 0;

ALTER TABLE rewards ADD COLUMN expires_at timestamptz;

ALTER TABLE rewards ADD CONSTRAINT rewards_redeemed_check CHECK (redeemed BETWEEN 0 AND granted);

ALTER TABLE rewards ADD CONSTRAINT rewards_kind_redeemed_check CHECK (kind <> 'money' OR (redeemed = 0 AND expires_at IS NULL));

COMMENT ON COLUMN rewards.redeemed IS 'What was redeemed and not voided. Reversed and redeemed may be more than granted together: what was redeemed and then reversed is owed back.';

CREATE INDEX rewards_expires_at_idx ON rewards (workspace_id, expires_at) WHERE state = 'available' AND expires_at IS NOT NULL;

CREATE INDEX rewards_kind_idx ON rewards (workspace_id, participant_id, kind, currency, id) WHERE state = 'available';

GRANT UPDATE (redeemed, available_at, expires_at) ON rewards TO grapevine_app;

CREATE TABLE credit_redemptions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    participant_id uuid NOT NULL,
    reward_kind text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    external_id text NOT NULL,
    note text,
    created_at timestamptz NOT NULL,
    CONSTRAINT credit_redemptions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT credit_redemptions_external_id_key UNIQUE (workspace_id, external_id),
    CONSTRAINT credit_redemptions_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT credit_redemptions_reward_kind_check CHECK (reward_kind IN ('credit', 'points', 'coupon', 'custom')),
    CONSTRAINT credit_redemptions_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT credit_redemptions_amount_check CHECK (amount > 0)
);

COMMENT ON TABLE credit_redemptions IS 'One row is an amount that a participant spent of its credit, points or the like, in a named use in the integrator''s system.';

CREATE INDEX credit_redemptions_participant_id_idx ON credit_redemptions (workspace_id, participant_id, id);

CREATE TABLE credit_redemption_items (
    workspace_id uuid NOT NULL,
    redemption_id uuid NOT NULL,
    reward_id uuid NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT credit_redemption_items_pkey PRIMARY KEY (workspace_id, redemption_id, reward_id),
    CONSTRAINT credit_redemption_items_redemption_id_fkey FOREIGN KEY (workspace_id, redemption_id) REFERENCES credit_redemptions (workspace_id, id),
    CONSTRAINT credit_redemption_items_reward_id_fkey FOREIGN KEY (workspace_id, reward_id) REFERENCES rewards (workspace_id, id),
    CONSTRAINT credit_redemption_items_amount_check CHECK (amount > 0)
);

COMMENT ON TABLE credit_redemption_items IS 'One row is what a redemption took of one reward: the items of a redemption add up to its amount.';

CREATE INDEX credit_redemption_items_reward_id_idx ON credit_redemption_items (workspace_id, reward_id);

CREATE TABLE credit_redemption_voids (
    workspace_id uuid NOT NULL,
    redemption_id uuid NOT NULL,
    note text NOT NULL,
    lapsed bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT credit_redemption_voids_pkey PRIMARY KEY (workspace_id, redemption_id),
    CONSTRAINT credit_redemption_voids_redemption_id_fkey FOREIGN KEY (workspace_id, redemption_id) REFERENCES credit_redemptions (workspace_id, id),
    CONSTRAINT credit_redemption_voids_lapsed_check CHECK (lapsed >= 0)
);

COMMENT ON TABLE credit_redemption_voids IS 'One row says that a redemption was undone as a whole, and how much of what it gave back had expired meanwhile.';

GRANT SELECT, INSERT ON credit_redemptions TO grapevine_app;

GRANT SELECT, INSERT ON credit_redemption_items TO grapevine_app;

GRANT SELECT, INSERT ON credit_redemption_voids TO grapevine_app;
