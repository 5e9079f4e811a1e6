-- name: CreateSignup :exec
INSERT INTO signups (workspace_id, id, program_id, referee_id, external_id, fingerprint, metadata, occurred_at, received_at)
VALUES (@workspace_id, @id, @program_id, @referee_id, @external_id, @fingerprint, @metadata, @occurred_at, @received_at);

-- name: GetSignup :one
SELECT * FROM signups WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetSignupByExternalID :one
SELECT * FROM signups
WHERE workspace_id = @workspace_id AND program_id = @program_id AND external_id = @external_id;

-- name: ListSignups :many
SELECT * FROM signups
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('program_id')::uuid IS NULL OR program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('referee_id')::uuid IS NULL OR referee_id = sqlc.narg('referee_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListFirstDecisions :many
-- The answers that signups got.
SELECT DISTINCT ON (signup_id) signup_id, id FROM attribution_decisions
WHERE workspace_id = @workspace_id AND signup_id = ANY(@signup_ids::uuid[])
ORDER BY signup_id, id;

-- name: CreateDecision :exec
INSERT INTO attribution_decisions (
    workspace_id, id, program_id, program_version_id, signup_id, referee_id, door, attributed, reason, referrer_id, code_id,
    referral_id, inputs, inputs_hash, answer, decided_at
) VALUES (
    @workspace_id, @id, @program_id, @program_version_id, @signup_id, @referee_id, @door, @attributed, @reason, @referrer_id,
    @code_id, @referral_id, @inputs, @inputs_hash, @answer, @decided_at
);

-- name: GetDecision :one
SELECT * FROM attribution_decisions WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetDecisionOfSignup :one
-- The first decision of a signup: the answer it got.
SELECT * FROM attribution_decisions
WHERE workspace_id = @workspace_id AND signup_id = @signup_id::uuid
ORDER BY id
LIMIT 1;

-- name: ListDecisions :many
SELECT * FROM attribution_decisions
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('program_id')::uuid IS NULL OR program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('referee_id')::uuid IS NULL OR referee_id = sqlc.narg('referee_id'))
    AND (sqlc.narg('signup_id')::uuid IS NULL OR signup_id = sqlc.narg('signup_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;
