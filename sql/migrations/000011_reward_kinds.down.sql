ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_from_kind_fkey;

ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_to_kind_fkey;

ALTER TABLE ledger_transfers DROP COLUMN reward_kind;

DELETE FROM ledger_accounts;

ALTER TABLE ledger_accounts DROP CONSTRAINT ledger_accounts_pkey;

ALTER TABLE ledger_accounts DROP COLUMN reward_kind;

ALTER TABLE ledger_accounts ADD CONSTRAINT ledger_accounts_pkey PRIMARY KEY (workspace_id, participant_id, currency, kind);

INSERT INTO ledger_accounts (workspace_id, participant_id, currency, kind, balance)
SELECT m.workspace_id, m.participant_id, m.currency, m.kind, sum(m.amount)
FROM (
    SELECT workspace_id, participant_id, currency, to_kind AS kind, amount FROM ledger_transfers
    UNION ALL
    SELECT workspace_id, participant_id, currency, from_kind, -amount FROM ledger_transfers
) AS m
GROUP BY m.workspace_id, m.participant_id, m.currency, m.kind;

ALTER TABLE ledger_transfers ADD CONSTRAINT ledger_transfers_from_kind_fkey FOREIGN KEY (workspace_id, participant_id, currency, from_kind) REFERENCES ledger_accounts (workspace_id, participant_id, currency, kind);

ALTER TABLE ledger_transfers ADD CONSTRAINT ledger_transfers_to_kind_fkey FOREIGN KEY (workspace_id, participant_id, currency, to_kind) REFERENCES ledger_accounts (workspace_id, participant_id, currency, kind);

COMMENT ON TABLE ledger_accounts IS 'One row is the balance of one kind of account of one participant in one currency: there is no account that all participants share, so none is hot.';

COMMENT ON TABLE ledger_transfers IS 'One row moves one positive amount from one account to another of the same participant and currency, so it balances by construction.';

ALTER TABLE rewards DROP CONSTRAINT rewards_kind_currency_check;

ALTER TABLE rewards DROP CONSTRAINT rewards_kind_check;

ALTER TABLE rewards ADD CONSTRAINT rewards_kind_check CHECK (kind IN ('money', 'credit'));
