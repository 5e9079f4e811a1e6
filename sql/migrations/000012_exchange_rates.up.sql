CREATE TABLE exchange_rates (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    from_currency text NOT NULL,
    to_currency text NOT NULL,
    rate text NOT NULL,
    source text NOT NULL,
    effective_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT exchange_rates_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT exchange_rates_effective_at_key UNIQUE (workspace_id, from_currency, to_currency, effective_at, source),
    CONSTRAINT exchange_rates_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (workspace_id),
    CONSTRAINT exchange_rates_from_currency_check CHECK (from_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT exchange_rates_to_currency_check CHECK (to_currency ~ '^[A-Z]{3}$' AND to_currency <> from_currency),
    CONSTRAINT exchange_rates_rate_check CHECK (rate ~ '^(0|[1-9][0-9]{0,11})(\.[0-9]{1,9})?$' AND rate ~ '[1-9]')
);

COMMENT ON TABLE exchange_rates IS 'One row says what a unit of one currency is worth in another from a moment on, by one source: rates are added and never changed.';

COMMENT ON COLUMN exchange_rates.rate IS 'The decimal number as it was given, which text keeps to the digit.';

CREATE INDEX exchange_rates_effective_at_idx ON exchange_rates (workspace_id, effective_at, id);

GRANT SELECT, INSERT ON exchange_rates TO grapevine_app;
