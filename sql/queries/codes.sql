-- name: CountCode :one
-- Takes one code from the participant's limit in the program; no row when the limit is reached.
INSERT INTO program_participants (workspace_id, program_id, participant_id, codes, codes_limit)
VALUES (@workspace_id, @program_id, @participant_id, 1, @codes_limit)
ON CONFLICT (workspace_id, program_id, participant_id) DO UPDATE
SET codes = program_participants.codes + 1, codes_limit = EXCLUDED.codes_limit
WHERE program_participants.codes < EXCLUDED.codes_limit
RETURNING codes;

-- name: CreateCode :one
-- No row when the folded value is taken in the workspace.
INSERT INTO codes (
    workspace_id, id, program_id, participant_id, value, folded_value, state, max_uses, uses, starts_at, expires_at, timeline,
    version, created_at
) VALUES (
    @workspace_id, @id, @program_id, @participant_id, @value, @folded_value, 'active', @max_uses, 0, @starts_at, @expires_at,
    @timeline, 1, @created_at
)
ON CONFLICT (workspace_id, folded_value) DO NOTHING
RETURNING *;

-- name: GetCode :one
SELECT * FROM codes WHERE workspace_id = @workspace_id AND id = @id;

-- name: ReleaseCode :exec
-- Gives a code back to the participant's limit: one that was retired, or not made after all.
UPDATE program_participants SET codes = codes - 1
WHERE workspace_id = @workspace_id AND program_id = @program_id AND participant_id = @participant_id;

-- name: GetCodeForUpdate :one
SELECT * FROM codes WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: GetCodeByValue :one
SELECT * FROM codes WHERE workspace_id = @workspace_id AND folded_value = @folded_value;

-- name: GetCodeInProgram :one
-- A typed code with what decides whether a signup could use it, in one statement for hit and miss.
SELECT sqlc.embed(codes), sqlc.embed(participants), sqlc.embed(programs)
FROM codes
JOIN participants ON participants.workspace_id = codes.workspace_id AND participants.id = codes.participant_id
JOIN programs ON programs.workspace_id = codes.workspace_id AND programs.id = codes.program_id
WHERE codes.workspace_id = @workspace_id AND codes.folded_value = @folded_value;

-- name: ListCodes :many
SELECT * FROM codes
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('program_id')::uuid IS NULL OR program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListCodesByParticipantForUpdate :many
SELECT * FROM codes WHERE workspace_id = @workspace_id AND participant_id = @participant_id ORDER BY id FOR UPDATE;

-- name: UpdateCode :exec
UPDATE codes
SET max_uses = @max_uses, uses = @uses, starts_at = @starts_at, expires_at = @expires_at, version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND version = @version;

-- name: MoveCode :exec
UPDATE codes
SET state = @to_state, disabled_reason = @disabled_reason, timeline = @timeline, version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;

-- name: CountUses :one
-- The uses of a code that did not count them, for when it begins to.
SELECT count(*)::bigint FROM referrals WHERE workspace_id = @workspace_id AND code_id = @code_id::uuid;

-- name: UseCode :exec
-- Counts a use of a limited code; no row when none is left.
UPDATE codes SET uses = uses + 1 WHERE workspace_id = @workspace_id AND id = @id AND uses < max_uses;

-- name: ListTouchedCodes :many
-- The codes of a typed value and of clicks. Their owners are locked against a change of key, as the protocol against cycles asks,
-- and the codes against becoming limited while a use is not counted.
SELECT sqlc.embed(codes), sqlc.embed(participants)
FROM codes
JOIN participants ON participants.workspace_id = codes.workspace_id AND participants.id = codes.participant_id
WHERE codes.workspace_id = @workspace_id
    AND codes.id IN (
        SELECT typed.id FROM codes AS typed WHERE typed.workspace_id = @workspace_id AND typed.folded_value = @folded_value::text
        UNION
        SELECT named.code_id FROM clicks AS named WHERE named.workspace_id = @workspace_id AND named.id = ANY(@click_ids::uuid[])
        UNION
        SELECT seen.code_id FROM clicks AS seen
        WHERE seen.workspace_id = @workspace_id AND seen.visitor_key = @visitor_key::bytea AND seen.id >= @since::uuid
    )
ORDER BY participants.id, codes.id
FOR KEY SHARE OF participants, codes;

-- name: GetTypedCode :many
-- ListTouchedCodes for a signup without clicks.
SELECT sqlc.embed(codes), sqlc.embed(participants)
FROM codes
JOIN participants ON participants.workspace_id = codes.workspace_id AND participants.id = codes.participant_id
WHERE codes.workspace_id = @workspace_id AND codes.folded_value = @folded_value
FOR KEY SHARE OF participants, codes;
