DROP TABLE tier_periods;

DROP TABLE referrer_months;

DROP TABLE reward_limits;

ALTER TABLE conversions DROP COLUMN upline;

ALTER TABLE rewards DROP CONSTRAINT rewards_amount_value_check;

ALTER TABLE rewards DROP CONSTRAINT rewards_beneficiary_check;

ALTER TABLE rewards ADD CONSTRAINT rewards_beneficiary_check CHECK (beneficiary IN ('referrer', 'referee', 'participant'));

ALTER TABLE rewards DROP CONSTRAINT rewards_cause_kind_check;

ALTER TABLE rewards ADD CONSTRAINT rewards_cause_kind_check CHECK (cause_kind IN ('conversion', 'referral', 'manual'));

ALTER TABLE rewards DROP COLUMN limits;

ALTER TABLE rewards DROP COLUMN amount_value;

ALTER TABLE rewards DROP COLUMN amount_type;

ALTER TABLE rewards DROP COLUMN tier;

REVOKE UPDATE (capped) ON rewards FROM grapevine_app;
