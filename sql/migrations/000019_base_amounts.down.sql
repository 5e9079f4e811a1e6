REVOKE UPDATE (granted, limits) ON rewards FROM grapevine_app;

ALTER TABLE rewards DROP CONSTRAINT rewards_granted_check;

ALTER TABLE conversions DROP COLUMN exchange_rate_at;

ALTER TABLE conversions DROP COLUMN exchange_rate_source;

ALTER TABLE conversions DROP COLUMN exchange_rate;

ALTER TABLE conversions DROP COLUMN exchange_rate_id;

ALTER TABLE conversions DROP COLUMN base_reversed_amount;

ALTER TABLE conversions DROP COLUMN base_amount;

ALTER TABLE conversions DROP COLUMN base_currency;
