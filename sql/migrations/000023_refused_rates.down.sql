ALTER TABLE conversions DROP COLUMN refused_rate_id;
