-- name: GetPayoutPolicy :one
SELECT * FROM payout_policies WHERE workspace_id = @workspace_id AND currency = @currency;

-- name: GetPayoutPolicyForUpdate :one
-- Runs of a currency wait for each other here, so that no two of them come to the same rewards.
SELECT * FROM payout_policies WHERE workspace_id = @workspace_id AND currency = @currency FOR UPDATE;

-- name: ListPayoutPolicies :many
SELECT * FROM payout_policies
WHERE workspace_id = @workspace_id AND (sqlc.narg('after')::text IS NULL OR currency > sqlc.narg('after'))
ORDER BY currency
LIMIT @page_limit;

-- name: CreatePayoutPolicy :exec
INSERT INTO payout_policies (
    workspace_id, id, currency, minimum_amount, approval, approval_amount, provider, webhook_url, webhook_secret, tax_threshold,
    four_eyes, version, created_at
) VALUES (
    @workspace_id, @id, @currency, @minimum_amount, @approval, @approval_amount, @provider, @webhook_url, @webhook_secret, @tax_threshold,
    @four_eyes, 1, @created_at
);

-- name: UpdatePayoutPolicy :exec
UPDATE payout_policies
SET
    minimum_amount = @minimum_amount,
    approval = @approval,
    approval_amount = @approval_amount,
    provider = @provider,
    webhook_url = @webhook_url,
    webhook_secret = @webhook_secret,
    tax_threshold = @tax_threshold,
    four_eyes = @four_eyes,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND version = @version;

-- name: CreatePayoutRun :exec
INSERT INTO payout_runs (
    workspace_id, id, policy_id, currency, state, note, created_by, after_participant_id, skipped, created_at
) VALUES (
    @workspace_id, @id, @policy_id, @currency, @state, @note, @created_by, @after_participant_id, @skipped, @created_at
);

-- name: GetPayoutRun :one
SELECT * FROM payout_runs WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetPayoutRunForUpdate :one
SELECT * FROM payout_runs WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: GetPreparingRunForUpdate :one
-- The next run that is not finished. One that another process works on is left to it.
SELECT * FROM payout_runs
WHERE workspace_id = @workspace_id AND state = 'preparing'
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: MovePayoutRun :exec
UPDATE payout_runs
SET state = @state, after_participant_id = @after_participant_id, skipped = skipped + @skipped
WHERE workspace_id = @workspace_id AND id = @id AND state = 'preparing';

-- name: ListPayoutRuns :many
SELECT * FROM payout_runs
WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListPayoutTotalsByRun :many
SELECT run_id, state, count(*)::bigint AS payouts, sum(amount)::bigint AS amount
FROM payouts
WHERE workspace_id = @workspace_id AND run_id = ANY(@run_ids::uuid[])
GROUP BY run_id, state
ORDER BY run_id, state;

-- name: ListPayableAccounts :many
-- Whose available money a run looks at, in the order of participants: everybody whose balance is not zero.
SELECT a.participant_id, a.balance, p.state, p.tax_data_recorded_at
FROM ledger_accounts AS a
JOIN participants AS p ON p.workspace_id = a.workspace_id AND p.id = a.participant_id
WHERE a.workspace_id = @workspace_id
    AND p.workspace_id = @workspace_id
    AND a.currency = @currency
    AND a.reward_kind = 'money'
    AND a.kind = 'available'
    AND a.balance <> 0
    AND a.participant_id > @after
ORDER BY a.participant_id
LIMIT @page_limit;

-- name: LockPayees :exec
-- Payouts refer to their participants, whom whoever gives them a reward locks before their accounts: so does a run.
SELECT id FROM participants
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[])
ORDER BY id
FOR KEY SHARE;

-- name: ListBalancesForUpdate :many
-- The available money of participants, locked in the order in which balances are written.
SELECT participant_id, balance
FROM ledger_accounts
WHERE workspace_id = @workspace_id
    AND participant_id = ANY(@participant_ids::uuid[])
    AND currency = @currency
    AND reward_kind = 'money'
    AND kind = 'available'
ORDER BY participant_id
FOR UPDATE;

-- name: ListPayableRewards :many
SELECT id, participant_id, rule_key, granted, reversed, reason
FROM rewards
WHERE workspace_id = @workspace_id
    AND participant_id = ANY(@participant_ids::uuid[])
    AND currency = @currency
    AND kind = 'money'
    AND state = 'available'
    AND granted > reversed
ORDER BY id;

-- name: ListPayableRewardsForUpdate :many
-- Locked in the order of every other write of rewards: by id.
SELECT id, participant_id, rule_key, granted, reversed, reason
FROM rewards
WHERE workspace_id = @workspace_id
    AND participant_id = ANY(@participant_ids::uuid[])
    AND currency = @currency
    AND kind = 'money'
    AND state = 'available'
    AND granted > reversed
ORDER BY id
FOR UPDATE;

-- name: CountPayableRewards :one
SELECT count(*)::bigint
FROM rewards
WHERE workspace_id = @workspace_id
    AND participant_id = ANY(@participant_ids::uuid[])
    AND currency = @currency
    AND kind = 'money'
    AND state = 'available'
    AND granted > reversed;

-- name: ListPaidInYear :many
-- What was paid to participants between two moments, and what is under way to them.
SELECT participant_id, sum(amount)::bigint AS amount
FROM payouts
WHERE workspace_id = @workspace_id
    AND participant_id = ANY(@participant_ids::uuid[])
    AND currency = @currency
    AND state <> 'cancelled'
    AND (state <> 'paid' OR (paid_at >= @from_time::timestamptz AND paid_at < @to_time::timestamptz))
GROUP BY participant_id;

-- name: ListPayoutTotals :many
SELECT currency, sum(amount)::bigint AS paid, count(*)::bigint AS payouts
FROM payouts
WHERE workspace_id = @workspace_id
    AND participant_id = @participant_id
    AND state = 'paid'
    AND paid_at >= @from_time::timestamptz
    AND paid_at < @to_time::timestamptz
GROUP BY currency
ORDER BY currency;

-- name: ReserveRewards :execrows
UPDATE rewards SET state = 'reserved', version = version + 1
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]) AND state = 'available';

-- name: CreatePayouts :exec
INSERT INTO payouts (
    workspace_id, id, run_id, participant_id, currency, amount, offset_amount, state, live, provider, attempt, due_at, tries, version,
    created_at
)
SELECT
    @workspace_id::uuid, t.id, @run_id::uuid, t.participant_id, @currency::text, t.amount, t.offset_amount, t.state, true,
    @provider::text, 1, CASE WHEN t.state = 'approved' AND @automatic::boolean THEN @created_at::timestamptz END, 0, 1,
    @created_at::timestamptz
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@amounts::bigint[]) AS amount,
        unnest(@offset_amounts::bigint[]) AS offset_amount,
        unnest(@states::text[]) AS state
) AS t;

-- name: CreatePayoutItems :exec
INSERT INTO payout_items (workspace_id, payout_id, reward_id, amount, offset_amount, live)
SELECT @workspace_id::uuid, t.payout_id, t.reward_id, t.amount, t.offset_amount, true
FROM (
    SELECT
        unnest(@payout_ids::uuid[]) AS payout_id,
        unnest(@reward_ids::uuid[]) AS reward_id,
        unnest(@amounts::bigint[]) AS amount,
        unnest(@offset_amounts::bigint[]) AS offset_amount
) AS t;

-- name: CreatePayoutSkips :exec
INSERT INTO payout_skips (workspace_id, run_id, participant_id, reason, balance)
SELECT @workspace_id::uuid, @run_id::uuid, t.participant_id, t.reason, t.balance
FROM (
    SELECT
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@reasons::text[]) AS reason,
        unnest(@balances::bigint[]) AS balance
) AS t;

-- name: ListPayoutSkips :many
SELECT * FROM payout_skips
WHERE workspace_id = @workspace_id
    AND run_id = @run_id
    AND (sqlc.narg('after')::uuid IS NULL OR participant_id > sqlc.narg('after'))
ORDER BY participant_id
LIMIT @page_limit;

-- name: GetPayout :one
SELECT * FROM payouts WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetPayoutForUpdate :one
SELECT * FROM payouts WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: GetDuePayoutForUpdate :one
-- The next payout that waits for background work. One that another process works on is left to it.
SELECT * FROM payouts
WHERE workspace_id = @workspace_id AND due_at <= @now::timestamptz
ORDER BY due_at, id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: ListPayouts :many
SELECT * FROM payouts
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('run_id')::uuid IS NULL OR run_id = sqlc.narg('run_id'))
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListPayoutsForExport :many
SELECT sqlc.embed(payouts), participants.external_id
FROM payouts
JOIN participants ON participants.workspace_id = payouts.workspace_id AND participants.id = payouts.participant_id
WHERE payouts.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND payouts.run_id = @run_id
    AND payouts.state <> 'cancelled'
    AND payouts.id > @after
ORDER BY payouts.id
LIMIT @page_limit;

-- name: ListPayoutItems :many
SELECT * FROM payout_items
WHERE workspace_id = @workspace_id
    AND payout_id = @payout_id
    AND (sqlc.narg('after')::uuid IS NULL OR reward_id > sqlc.narg('after'))
ORDER BY reward_id
LIMIT @page_limit;

-- name: ListPayoutRewardsForUpdate :many
-- The rewards of a payout with what it pays for each.
SELECT sqlc.embed(rewards), payout_items.amount
FROM payout_items
JOIN rewards ON rewards.workspace_id = payout_items.workspace_id AND rewards.id = payout_items.reward_id
WHERE payout_items.workspace_id = @workspace_id AND rewards.workspace_id = @workspace_id AND payout_items.payout_id = @payout_id
ORDER BY rewards.id
FOR UPDATE OF rewards;

-- name: ApprovePayouts :many
-- Approves the drafts of a run. Those of the provider that needs no person are due at once.
UPDATE payouts
SET state = 'approved', due_at = CASE WHEN provider = @automatic THEN @now::timestamptz END, version = version + 1
WHERE workspace_id = @workspace_id AND run_id = @run_id AND state = 'draft'
RETURNING *;

-- name: MovePayout :exec
UPDATE payouts
SET
    state = @to_state,
    attempt = @attempt,
    provider_key = @provider_key,
    provider_reference = @provider_reference,
    note = @note,
    due_at = @due_at,
    tries = @tries,
    paid_at = @paid_at,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;

-- name: NotePayoutTry :exec
-- Counts tries to reach the provider; nothing that a caller sees changes.
UPDATE payouts SET tries = @tries, due_at = @due_at
WHERE workspace_id = @workspace_id AND id = @id AND state = 'submitted' AND version = @version;

-- name: CancelPayout :exec
-- The payout and its items leave the live ones in one statement, because the foreign key between them looks at its end.
WITH released AS (
    UPDATE payout_items SET live = false
    WHERE payout_items.workspace_id = @workspace_id AND payout_items.payout_id = @id
)
UPDATE payouts
SET state = 'cancelled', live = false, note = @note, due_at = NULL, version = version + 1
WHERE payouts.workspace_id = @workspace_id AND payouts.id = @id AND payouts.state = @from_state AND payouts.version = @version;
