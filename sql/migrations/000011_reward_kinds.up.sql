ALTER TABLE rewards DROP CONSTRAINT rewards_kind_check;

ALTER TABLE rewards ADD CONSTRAINT rewards_kind_check CHECK (kind IN ('money', 'credit', 'points', 'coupon', 'custom'));

ALTER TABLE rewards ADD CONSTRAINT rewards_kind_currency_check CHECK (kind IN ('money', 'credit') OR currency = 'XXX');

ALTER TABLE ledger_transfers ADD COLUMN reward_kind text;

UPDATE ledger_transfers AS t SET reward_kind = r.kind FROM rewards AS r WHERE r.workspace_id = t.workspace_id AND r.id = t.reward_id;

ALTER TABLE ledger_transfers ALTER COLUMN reward_kind SET NOT NULL;

ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_from_kind_fkey;

ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_to_kind_fkey;

DELETE FROM ledger_accounts;

ALTER TABLE ledger_accounts ADD COLUMN reward_kind text NOT NULL;

ALTER TABLE ledger_accounts DROP CONSTRAINT ledger_accounts_pkey;

ALTER TABLE ledger_accounts ADD CONSTRAINT ledger_accounts_pkey PRIMARY KEY (workspace_id, participant_id, currency, reward_kind, kind);

ALTER TABLE ledger_accounts ADD CONSTRAINT ledger_accounts_reward_kind_check CHECK (reward_kind IN ('money', 'credit', 'points', 'coupon', 'custom'));

INSERT INTO ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind, balance)
SELECT m.workspace_id, m.participant_id, m.currency, m.reward_kind, m.kind, sum(m.amount)
FROM (
    SELECT workspace_id, participant_id, currency, reward_kind, to_kind AS kind, amount FROM ledger_transfers
    UNION ALL
    SELECT workspace_id, participant_id, currency, reward_kind, from_kind, -amount FROM ledger_transfers
) AS m
GROUP BY m.workspace_id, m.participant_id, m.currency, m.reward_kind, m.kind;

ALTER TABLE ledger_transfers ADD CONSTRAINT ledger_transfers_from_kind_fkey FOREIGN KEY (workspace_id, participant_id, currency, reward_kind, from_kind) REFERENCES ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind);

ALTER TABLE ledger_transfers ADD CONSTRAINT ledger_transfers_to_kind_fkey FOREIGN KEY (workspace_id, participant_id, currency, reward_kind, to_kind) REFERENCES ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind);

COMMENT ON TABLE ledger_accounts IS 'One row is the balance of one kind of account of one participant in one currency and kind of reward, so that money and credit never mix: there is no account that all participants share, so none is hot.';

COMMENT ON TABLE ledger_transfers IS 'One row moves one positive amount from one account to another of the same participant, currency and kind of reward, so it balances by construction.';
