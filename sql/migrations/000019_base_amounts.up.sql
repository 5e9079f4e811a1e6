ALTER TABLE conversions ADD COLUMN base_currency text;

ALTER TABLE conversions ADD COLUMN base_amount bigint;

ALTER TABLE conversions ADD COLUMN base_reversed_amount bigint NOT NULL DEFAULT 0;

ALTER TABLE conversions ADD COLUMN exchange_rate_id uuid;

ALTER TABLE conversions ADD COLUMN exchange_rate text;

ALTER TABLE conversions ADD COLUMN exchange_rate_source text;

ALTER TABLE conversions ADD COLUMN exchange_rate_at timestamptz;

UPDATE conversions SET base_currency = currency, base_amount = amount, base_reversed_amount = reversed_amount;

ALTER TABLE conversions ALTER COLUMN base_currency SET NOT NULL;

ALTER TABLE conversions ADD CONSTRAINT conversions_base_currency_check CHECK (base_currency ~ '^[A-Z]{3}$');

ALTER TABLE conversions ADD CONSTRAINT conversions_base_amount_check CHECK (
    CASE WHEN base_currency = currency
        THEN base_amount IS NOT NULL AND base_amount = amount AND num_nonnulls(exchange_rate_id, exchange_rate, exchange_rate_source, exchange_rate_at) = 0
        ELSE num_nonnulls(base_amount, exchange_rate_id, exchange_rate, exchange_rate_source, exchange_rate_at) IN (0, 5)
    END
);

ALTER TABLE conversions ADD CONSTRAINT conversions_base_reversed_amount_check CHECK (base_reversed_amount BETWEEN 0 AND coalesce(base_amount, 0));

ALTER TABLE conversions ADD CONSTRAINT conversions_exchange_rate_id_fkey FOREIGN KEY (workspace_id, exchange_rate_id) REFERENCES exchange_rates (workspace_id, id);

COMMENT ON COLUMN conversions.base_amount IS 'The amount in the program''s currency, by the rate that was known first and stays: NULL while there is none.';

COMMENT ON COLUMN conversions.base_reversed_amount IS 'What is gone of base_amount: what is left of amount, converted by the same rate, is the rest.';

COMMENT ON COLUMN conversions.exchange_rate IS 'The rate, its source and the moment from which it holds, as they stand in exchange_rates.';

CREATE INDEX conversions_id_idx ON conversions (workspace_id, id) WHERE base_amount IS NULL;

GRANT UPDATE (base_amount, base_reversed_amount, exchange_rate_id, exchange_rate, exchange_rate_source, exchange_rate_at) ON conversions TO grapevine_app;

ALTER TABLE rewards ADD CONSTRAINT rewards_granted_check CHECK (state <> 'pending_fx' OR granted = 0);

GRANT UPDATE (granted, limits) ON rewards TO grapevine_app;
