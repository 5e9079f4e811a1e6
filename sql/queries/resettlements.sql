-- name: CreateResettlements :exec
INSERT INTO resettlements (workspace_id, program_id, participant_id, due_at, since, after_id)
SELECT
    @workspace_id::uuid, @program_id::uuid, @participant_id::uuid, t.due_at, @since::timestamptz,
    '00000000-0000-0000-0000-000000000000'::uuid
FROM (SELECT unnest(@due_ats::timestamptz[]) AS due_at) AS t
ON CONFLICT (workspace_id, program_id, participant_id, due_at) DO UPDATE
SET since = LEAST(resettlements.since, EXCLUDED.since), after_id = EXCLUDED.after_id;

-- name: GetResettlementForUpdate :one
-- The next one that is due and that nobody else works on.
SELECT * FROM resettlements
WHERE workspace_id = @workspace_id AND due_at <= @now
ORDER BY due_at, program_id, participant_id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: HasResettlements :one
SELECT EXISTS (SELECT 1 FROM resettlements WHERE workspace_id = @workspace_id AND program_id = @program_id)::boolean;

-- name: ListSalesAfter :many
-- The next conversions of a program with levels, and whether a participant is above each, as far as was known when it was settled.
SELECT
    conversions.id,
    conversions.occurred_at,
    participants.external_id AS referee_external_id,
    (conversions.upline @> @member::jsonb OR referrals.referrer_id = @participant_id)::boolean AS below
FROM conversions
JOIN referrals ON referrals.workspace_id = conversions.workspace_id AND referrals.id = conversions.referral_id
JOIN participants ON participants.workspace_id = conversions.workspace_id AND participants.id = conversions.referee_id
WHERE conversions.workspace_id = @workspace_id
    AND conversions.program_id = @program_id
    AND conversions.upline IS NOT NULL
    AND (conversions.occurred_at, conversions.id) > (@since::timestamptz, @after_id::uuid)
ORDER BY conversions.occurred_at, conversions.id
LIMIT @page_limit;

-- name: MoveResettlement :exec
UPDATE resettlements
SET since = @since, after_id = @after_id
WHERE workspace_id = @workspace_id AND program_id = @program_id AND participant_id = @participant_id AND due_at = @due_at;

-- name: DeleteResettlement :exec
DELETE FROM resettlements
WHERE workspace_id = @workspace_id AND program_id = @program_id AND participant_id = @participant_id AND due_at = @due_at;
