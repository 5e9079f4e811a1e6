DROP INDEX rewards_participant_id_currency_idx;

ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_recipe_check;

ALTER TABLE ledger_transfers ADD CONSTRAINT ledger_transfers_recipe_check CHECK (
    recipe IN ('accrue', 'mature', 'hold', 'reserve', 'release', 'pay', 'cancel', 'clawback', 'expire', 'redeem')
);

ALTER TABLE participants DROP COLUMN tax_data_recorded_at;

DROP TABLE payout_skips;

DROP TABLE payout_items;

DROP TABLE payouts;

DROP TABLE payout_runs;

DROP TABLE payout_policies;
