-- name: CreateReferral :exec
INSERT INTO referrals (
    workspace_id, id, program_id, program_version_id, referrer_id, referee_id, code_id, signup_id, decision_id, state, reason,
    attributed_at, holds_from, qualify_by, version, created_at
) VALUES (
    @workspace_id, @id, @program_id, @program_version_id, @referrer_id, @referee_id, @code_id, @signup_id, @decision_id,
    @state, @reason, @attributed_at, @holds_from, @qualify_by, 1, @created_at
);

-- name: GetReferral :one
SELECT * FROM referrals WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListRefereeReferralsForUpdate :many
-- Every referral that a referee ever had in a program, oldest first.
SELECT * FROM referrals
WHERE referrals.workspace_id = @workspace_id
    AND referrals.program_id = @program_id
    AND referrals.referee_id = (
        SELECT participants.id FROM participants
        WHERE participants.workspace_id = @workspace_id AND participants.external_id = @referee_external_id
    )
ORDER BY referrals.id
FOR UPDATE;

-- name: GetReach :one
-- Whether somebody is a live referrer in a program: only then can a new referrer above close a cycle. And whether somebody ever was:
-- only then can a change above touch a sale.
SELECT
    EXISTS (
        SELECT 1 FROM referrals
        WHERE referrals.workspace_id = @workspace_id
            AND referrals.program_id = @program_id
            AND referrals.referrer_id = @participant_id
            AND referrals.state NOT IN ('expired', 'rejected', 'superseded')
    )::boolean AS refers,
    EXISTS (
        SELECT 1 FROM referrals
        WHERE referrals.workspace_id = @workspace_id
            AND referrals.program_id = @program_id
            AND referrals.referrer_id = @participant_id
    )::boolean AS referred;

-- name: GetReferrerOf :one
-- One step up the tree.
SELECT referrer_id FROM referrals
WHERE workspace_id = @workspace_id
    AND program_id = @program_id
    AND referee_id = @referee_id
    AND state NOT IN ('expired', 'rejected', 'superseded');

-- name: ListReferrals :many
SELECT * FROM referrals
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('program_id')::uuid IS NULL OR program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('referrer_id')::uuid IS NULL OR referrer_id = sqlc.narg('referrer_id'))
    AND (sqlc.narg('referee_id')::uuid IS NULL OR referee_id = sqlc.narg('referee_id'))
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListUnpaidHistories :many
-- The referees, by program, in whose history a participant has an open referral or rewards that are not paid. The order is
-- that in which referees are locked. Each part is found by an index of its own, however little is known of the tables.
SELECT
    unpaid.referee_id,
    unpaid.program_id,
    (
        SELECT participants.external_id FROM participants
        WHERE participants.workspace_id = @workspace_id AND participants.id = unpaid.referee_id
    )::text AS referee_external_id
FROM (
    SELECT referrals.referee_id, referrals.program_id FROM referrals
    WHERE referrals.workspace_id = @workspace_id
        AND referrals.referrer_id = @participant_id
        AND referrals.state IN ('attributed', 'qualified', 'under_review', 'churned')
    UNION
    SELECT referrals.referee_id, referrals.program_id
    FROM rewards
    JOIN referrals ON referrals.workspace_id = rewards.workspace_id AND referrals.id = rewards.referral_id
    WHERE rewards.workspace_id = @workspace_id
        AND rewards.participant_id = @participant_id
        AND rewards.state IN ('pending', 'held', 'available')
) AS unpaid
ORDER BY unpaid.referee_id, unpaid.program_id;

-- name: GetReferralToExpire :one
-- The next one after another. Not locked: its referee is locked first, as always, and then the row is looked at again.
SELECT id, qualify_by FROM referrals
WHERE workspace_id = @workspace_id
    AND state = 'attributed'
    AND qualify_by <= @now
    AND (qualify_by, id) > (@after_qualify_by::timestamptz, @after_id::uuid)
ORDER BY qualify_by, id
LIMIT 1;

-- name: MoveReferral :exec
UPDATE referrals
SET
    state = @to_state,
    reason = @reason,
    qualified_at = @qualified_at,
    qualifying_conversion_id = @qualifying_conversion_id,
    churned_at = @churned_at,
    ended_at = @ended_at,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;
