-- name: CreditAccounts :exec
-- Adds to accounts, making them where they are missing. Only for amounts that an empty account may take: the check on the
-- balance judges the proposed row before the conflict is found.
INSERT INTO ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind, balance)
SELECT @workspace_id::uuid, t.participant_id, t.currency, t.reward_kind, t.kind, t.amount
FROM (
    SELECT
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@currencies::text[]) AS currency,
        unnest(@reward_kinds::text[]) AS reward_kind,
        unnest(@kinds::text[]) AS kind,
        unnest(@amounts::bigint[]) AS amount
) AS t
ON CONFLICT (workspace_id, participant_id, currency, reward_kind, kind) DO UPDATE
SET balance = ledger_accounts.balance + EXCLUDED.balance;

-- name: DebitAccount :exec
UPDATE ledger_accounts SET balance = balance + @amount
WHERE workspace_id = @workspace_id AND participant_id = @participant_id AND currency = @currency AND reward_kind = @reward_kind
    AND kind = @kind;

-- name: CreateTransfers :exec
INSERT INTO ledger_transfers (
    workspace_id, id, participant_id, currency, reward_kind, from_kind, to_kind, amount, recipe, reason, reward_id, created_at
)
SELECT
    @workspace_id::uuid, t.id, t.participant_id, t.currency, t.reward_kind, t.from_kind, t.to_kind, t.amount, t.recipe, t.reason,
    t.reward_id, @created_at::timestamptz
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@currencies::text[]) AS currency,
        unnest(@reward_kinds::text[]) AS reward_kind,
        unnest(@from_kinds::text[]) AS from_kind,
        unnest(@to_kinds::text[]) AS to_kind,
        unnest(@amounts::bigint[]) AS amount,
        unnest(@recipes::text[]) AS recipe,
        unnest(@reasons::text[]) AS reason,
        unnest(@reward_ids::uuid[]) AS reward_id
) AS t;

-- name: ListAccounts :many
SELECT * FROM ledger_accounts
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('currency')::text IS NULL OR currency = sqlc.narg('currency'))
    AND (sqlc.narg('reward_kind')::text IS NULL OR reward_kind = sqlc.narg('reward_kind'))
    AND (sqlc.narg('kind')::text IS NULL OR kind = sqlc.narg('kind'))
    AND (
        sqlc.narg('after_participant_id')::uuid IS NULL
        OR (participant_id, currency, reward_kind, kind)
        > (
            sqlc.narg('after_participant_id')::uuid, sqlc.narg('after_currency')::text, sqlc.narg('after_reward_kind')::text,
            sqlc.narg('after_kind')::text
        )
    )
ORDER BY participant_id, currency, reward_kind, kind
LIMIT @page_limit;

-- name: ListTransfers :many
-- Newest first; before is without the transfer that it names, from_id with it.
SELECT * FROM ledger_transfers
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('reward_id')::uuid IS NULL OR reward_id = sqlc.narg('reward_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
    AND (sqlc.narg('from_id')::uuid IS NULL OR id <= sqlc.narg('from_id'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListBalances :many
SELECT * FROM ledger_accounts
WHERE workspace_id = @workspace_id AND participant_id = @participant_id
ORDER BY currency, reward_kind, kind;

-- name: GetTrialBalance :many
SELECT currency, reward_kind, kind, sum(balance)::bigint AS balance
FROM ledger_accounts
WHERE workspace_id = @workspace_id
GROUP BY currency, reward_kind, kind
ORDER BY currency, reward_kind, kind;

-- name: GetLiability :many
-- What is owed, by the accounts that hold it. A participant who owes is no deduction from what is owed to the others.
SELECT
    currency,
    reward_kind,
    coalesce(sum(balance) FILTER (WHERE kind = 'pending'), 0)::bigint AS pending,
    coalesce(sum(balance) FILTER (WHERE kind = 'available' AND balance > 0), 0)::bigint AS available,
    coalesce(sum(balance) FILTER (WHERE kind = 'available' AND balance < 0), 0)::bigint AS carried_forward,
    coalesce(sum(balance) FILTER (WHERE kind = 'reserved'), 0)::bigint AS reserved
FROM ledger_accounts
WHERE workspace_id = @workspace_id
GROUP BY currency, reward_kind
ORDER BY currency, reward_kind;
