DROP TABLE credit_redemption_voids;

DROP TABLE credit_redemption_items;

DROP TABLE credit_redemptions;

DROP INDEX rewards_kind_idx;

DROP INDEX rewards_expires_at_idx;

REVOKE UPDATE (available_at) ON rewards FROM grapevine_app;

ALTER TABLE rewards DROP COLUMN expires_at;

ALTER TABLE rewards DROP COLUMN redeemed;
