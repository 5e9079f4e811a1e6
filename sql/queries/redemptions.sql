-- name: ListRedeemableRewardsForUpdate :many
-- What is available to a participant of one kind, as many as one redemption takes of: what is spent first. That is mostly the order of ids,
-- in which every other statement locks rewards.
SELECT rewards.*
FROM rewards
JOIN participants ON participants.workspace_id = rewards.workspace_id AND participants.id = rewards.participant_id
WHERE rewards.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND participants.external_id = @participant_external_id
    AND rewards.kind = @kind
    AND rewards.currency = @currency
    AND rewards.state = 'available'
ORDER BY rewards.expires_at, rewards.created_at, rewards.id
LIMIT @most
FOR UPDATE OF rewards;

-- name: GetAvailableForUpdate :one
-- The balance of what is available, which is less than its rewards when another reward is owed back.
SELECT ledger_accounts.balance
FROM ledger_accounts
JOIN participants ON participants.workspace_id = ledger_accounts.workspace_id AND participants.id = ledger_accounts.participant_id
WHERE ledger_accounts.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND participants.external_id = @participant_external_id
    AND ledger_accounts.currency = @currency
    AND ledger_accounts.reward_kind = @kind
    AND ledger_accounts.kind = 'available'
FOR UPDATE OF ledger_accounts;

-- name: CreateRedemption :exec
INSERT INTO credit_redemptions (workspace_id, id, participant_id, reward_kind, currency, amount, external_id, note, created_at)
VALUES (@workspace_id, @id, @participant_id, @reward_kind, @currency, @amount, @external_id, @note, @created_at);

-- name: CreateRedemptionItems :exec
INSERT INTO credit_redemption_items (workspace_id, redemption_id, reward_id, amount)
SELECT @workspace_id::uuid, @redemption_id::uuid, t.reward_id, t.amount
FROM (SELECT unnest(@reward_ids::uuid[]) AS reward_id, unnest(@amounts::bigint[]) AS amount) AS t;

-- name: CreateRedemptionVoid :exec
INSERT INTO credit_redemption_voids (workspace_id, redemption_id, note, lapsed, created_at)
VALUES (@workspace_id, @redemption_id, @note, @lapsed, @created_at);

-- name: GetRedemption :one
SELECT * FROM credit_redemptions WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetRedemptionByExternalID :one
SELECT * FROM credit_redemptions WHERE workspace_id = @workspace_id AND external_id = @external_id;

-- name: ListRedemptions :many
SELECT * FROM credit_redemptions
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListRedemptionItems :many
SELECT * FROM credit_redemption_items
WHERE workspace_id = @workspace_id AND redemption_id = ANY (@redemption_ids::uuid[])
ORDER BY redemption_id, reward_id;

-- name: ListRedemptionVoids :many
SELECT * FROM credit_redemption_voids
WHERE workspace_id = @workspace_id AND redemption_id = ANY (@redemption_ids::uuid[])
ORDER BY redemption_id;

-- name: ListRedeemedRewardsForUpdate :many
-- The rewards that a redemption took from.
SELECT rewards.*
FROM rewards
JOIN credit_redemption_items AS items ON items.workspace_id = rewards.workspace_id AND items.reward_id = rewards.id
WHERE rewards.workspace_id = @workspace_id AND items.workspace_id = @workspace_id AND items.redemption_id = @redemption_id
ORDER BY rewards.id
FOR UPDATE OF rewards;

-- name: ListRewardsToExpire :many
SELECT * FROM rewards
WHERE workspace_id = @workspace_id AND state = 'available' AND expires_at <= @now
ORDER BY expires_at
LIMIT @page_limit
FOR UPDATE SKIP LOCKED;
