-- name: CreateReward :exec
INSERT INTO rewards (
    workspace_id, id, program_id, program_version_id, referral_id, conversion_id, participant_id, cause_kind, cause_id,
    rule_key, beneficiary, level, tier, amount_type, amount_value, kind, currency, granted, reversed, capped, limits, state, reason,
    note, available_at, expires_at, version, created_at
) VALUES (
    @workspace_id, @id, @program_id, @program_version_id, @referral_id, @conversion_id, @participant_id, @cause_kind, @cause_id,
    @rule_key, @beneficiary, @level, @tier, @amount_type, @amount_value, @kind, @currency, @granted, @reversed, @capped, @limits, @state,
    @reason, @note, @available_at, @expires_at, 1, @created_at
);

-- name: GetReward :one
SELECT * FROM rewards WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetRewardForUpdate :one
SELECT * FROM rewards WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: GetManualReward :one
SELECT * FROM rewards WHERE workspace_id = @workspace_id AND cause_id = @cause_id AND cause_kind = 'manual';

-- name: ListRefereeRewardsForUpdate :many
-- Every reward that the referrals of a referee in a program ever caused.
SELECT rewards.*
FROM rewards
JOIN referrals ON referrals.workspace_id = rewards.workspace_id AND referrals.id = rewards.referral_id
JOIN participants ON participants.workspace_id = referrals.workspace_id AND participants.id = referrals.referee_id
WHERE rewards.workspace_id = @workspace_id
    AND referrals.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND referrals.program_id = @program_id
    AND participants.external_id = @referee_external_id
ORDER BY rewards.id
FOR UPDATE OF rewards;

-- name: ListUnpaidManualRewardsForUpdate :many
-- What a participant was given by hand and has not been paid.
SELECT * FROM rewards
WHERE workspace_id = @workspace_id
    AND participant_id = @participant_id
    AND referral_id IS NULL
    AND state IN ('pending', 'held', 'available')
ORDER BY id
FOR UPDATE;

-- name: ListRewardsToMature :many
SELECT * FROM rewards
WHERE workspace_id = @workspace_id AND state = 'pending' AND available_at <= @now
ORDER BY available_at
LIMIT @page_limit
FOR UPDATE SKIP LOCKED;

-- name: ListRewards :many
SELECT * FROM rewards
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('program_id')::uuid IS NULL OR program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('referral_id')::uuid IS NULL OR referral_id = sqlc.narg('referral_id'))
    AND (sqlc.narg('conversion_id')::uuid IS NULL OR conversion_id = sqlc.narg('conversion_id'))
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: MoveReward :exec
UPDATE rewards
SET
    state = @to_state, reversed = @reversed, redeemed = @redeemed, capped = @capped, tier = @tier, amount_type = @amount_type,
    amount_value = @amount_value, reason = @reason, note = @note, available_at = @available_at, expires_at = @expires_at,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;

-- name: GrantReward :exec
-- Gives a reward that waited for a rate its amount, once.
UPDATE rewards
SET
    state = @to_state, granted = @granted, reversed = @reversed, capped = @capped, limits = @limits, tier = @tier,
    amount_type = @amount_type, amount_value = @amount_value, reason = @reason, note = @note, version = version + 1
WHERE workspace_id = @workspace_id
    AND id = @id
    AND state IN ('pending_fx', 'cancelled')
    AND granted = 0
    AND amount_type IS NULL
    AND version = @version;
