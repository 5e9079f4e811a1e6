ALTER TABLE rewards ADD COLUMN tier integer NOT NULL DEFAULT 0;

ALTER TABLE rewards ADD COLUMN amount_type text;

ALTER TABLE rewards ADD COLUMN amount_value bigint;

ALTER TABLE rewards ADD COLUMN limits text[] NOT NULL DEFAULT '{}';

ALTER TABLE rewards DROP CONSTRAINT rewards_cause_kind_check;

ALTER TABLE rewards ADD CONSTRAINT rewards_cause_kind_check CHECK (cause_kind IN ('conversion', 'referral', 'milestone', 'rerating', 'manual'));

ALTER TABLE rewards DROP CONSTRAINT rewards_beneficiary_check;

ALTER TABLE rewards ADD CONSTRAINT rewards_beneficiary_check CHECK (beneficiary IN ('referrer', 'referee', 'upline', 'participant'));

ALTER TABLE rewards ADD CONSTRAINT rewards_amount_value_check CHECK ((amount_type IS NULL) = (amount_value IS NULL));

COMMENT ON COLUMN rewards.amount_value IS 'What the reward was rated by, with amount_type: it stays the rate of every reversal.';

COMMENT ON COLUMN rewards.limits IS 'The rows of reward_limits that hold what is left of the reward, as name/period.';

GRANT UPDATE (tier, amount_type, amount_value, capped) ON rewards TO grapevine_app;

ALTER TABLE conversions ADD COLUMN upline jsonb;

COMMENT ON COLUMN conversions.upline IS 'The ancestors of the referrer when the conversion occurred, nearest first: [{"participant_id", "eligible", "group"}].';

GRANT UPDATE (upline) ON conversions TO grapevine_app;

CREATE TABLE reward_limits (
    workspace_id uuid NOT NULL,
    program_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    name text NOT NULL,
    period date NOT NULL,
    used bigint NOT NULL,
    ceiling bigint NOT NULL,
    CONSTRAINT reward_limits_pkey PRIMARY KEY (workspace_id, program_id, participant_id, name, period),
    CONSTRAINT reward_limits_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT reward_limits_used_check CHECK (used BETWEEN 0 AND ceiling)
);

COMMENT ON TABLE reward_limits IS 'One row counts what is granted under a cap or a budget in a period, net of what was taken back, or is only locked by those who decide by what a referrer has reached.';

COMMENT ON COLUMN reward_limits.participant_id IS 'The beneficiary, or the zero id for the budget of the program.';

GRANT SELECT, INSERT ON reward_limits TO grapevine_app;

GRANT UPDATE (used, ceiling) ON reward_limits TO grapevine_app;

CREATE TABLE referrer_months (
    workspace_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    program_id uuid NOT NULL,
    month date NOT NULL,
    qualified bigint NOT NULL,
    conversions bigint NOT NULL,
    revenue bigint NOT NULL,
    CONSTRAINT referrer_months_pkey PRIMARY KEY (workspace_id, participant_id, program_id, month),
    CONSTRAINT referrer_months_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT referrer_months_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id)
);

COMMENT ON TABLE referrer_months IS 'One row is what a referrer has reached in a program in a month of its time zone: tiers and milestones sum these rows.';

INSERT INTO referrer_months (workspace_id, participant_id, program_id, month, qualified, conversions, revenue)
SELECT reached.workspace_id, reached.referrer_id, reached.program_id, reached.month, sum(reached.qualified), sum(reached.conversions), sum(reached.revenue)
FROM (
    SELECT
        r.workspace_id, r.referrer_id, r.program_id,
        date_trunc('month', r.qualified_at AT TIME ZONE p.time_zone)::date AS month,
        1 AS qualified, 0 AS conversions, 0 AS revenue
    FROM referrals AS r
    JOIN programs AS p ON p.workspace_id = r.workspace_id AND p.id = r.program_id
    WHERE r.state = 'qualified'
    UNION ALL
    SELECT
        r.workspace_id, r.referrer_id, r.program_id, date_trunc('month', c.occurred_at AT TIME ZONE p.time_zone)::date, 0, 1,
        c.amount - c.reversed_amount
    FROM conversions AS c
    JOIN referrals AS r ON r.workspace_id = c.workspace_id AND r.id = c.referral_id
    JOIN programs AS p ON p.workspace_id = c.workspace_id AND p.id = c.program_id
    WHERE c.state IN ('counted', 'partially_reversed') AND r.state NOT IN ('rejected', 'superseded')
) AS reached
GROUP BY 1, 2, 3, 4;

GRANT SELECT, INSERT ON referrer_months TO grapevine_app;

GRANT UPDATE (qualified, conversions, revenue) ON referrer_months TO grapevine_app;

CREATE TABLE tier_periods (
    workspace_id uuid NOT NULL,
    program_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    rule_key text NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    close_at timestamptz NOT NULL,
    closed_at timestamptz,
    version bigint NOT NULL,
    CONSTRAINT tier_periods_pkey PRIMARY KEY (workspace_id, program_id, participant_id, rule_key, starts_on),
    CONSTRAINT tier_periods_program_id_fkey FOREIGN KEY (workspace_id, program_id) REFERENCES programs (workspace_id, id),
    CONSTRAINT tier_periods_participant_id_fkey FOREIGN KEY (workspace_id, participant_id) REFERENCES participants (workspace_id, id),
    CONSTRAINT tier_periods_ends_on_check CHECK (ends_on > starts_on)
);

COMMENT ON TABLE tier_periods IS 'One row is a period after which the rewards of one rule and beneficiary are rated again: due at close_at, and again when what was reached in it changes.';

CREATE INDEX tier_periods_close_at_idx ON tier_periods (workspace_id, close_at) WHERE closed_at IS NULL;

GRANT SELECT, INSERT ON tier_periods TO grapevine_app;

GRANT UPDATE (closed_at, version) ON tier_periods TO grapevine_app;
