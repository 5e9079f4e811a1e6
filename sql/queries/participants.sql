-- name: EnsureParticipant :exec
-- Makes the participant that a fact names, or adds what the fact newly tells of it. Naming the key column in SET makes the
-- lock that is taken on an existing row a FOR UPDATE, also when nothing is new and no row is written.
INSERT INTO participants (
    workspace_id, id, external_id, display_name, email_hash, customer_since, state, metadata, version, created_at
) VALUES (
    @workspace_id, @id, @external_id, sqlc.narg('display_name'), sqlc.narg('email_hash'), sqlc.narg('customer_since'), 'active',
    '{}', 1, @created_at
)
ON CONFLICT (workspace_id, external_id) DO UPDATE
SET
    external_id = EXCLUDED.external_id,
    display_name = coalesce(EXCLUDED.display_name, participants.display_name),
    email_hash = coalesce(EXCLUDED.email_hash, participants.email_hash),
    customer_since = coalesce(participants.customer_since, EXCLUDED.customer_since),
    version = participants.version + 1
WHERE
    (EXCLUDED.display_name IS NOT NULL AND EXCLUDED.display_name IS DISTINCT FROM participants.display_name)
    OR (EXCLUDED.email_hash IS NOT NULL AND EXCLUDED.email_hash IS DISTINCT FROM participants.email_hash)
    OR (EXCLUDED.customer_since IS NOT NULL AND participants.customer_since IS NULL);

-- name: CreateParticipant :execrows
INSERT INTO participants (
    workspace_id, id, external_id, display_name, email_hash, customer_since, group_name, group_timeline, tax_data_recorded_at, state,
    metadata, version, created_at
) VALUES (
    @workspace_id, @id, @external_id, @display_name, @email_hash, @customer_since, @group_name, @group_timeline, @tax_data_recorded_at,
    'active', @metadata, 1,
    @created_at
)
ON CONFLICT (workspace_id, external_id) DO NOTHING;

-- name: GetParticipant :one
SELECT * FROM participants WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetParticipantByExternalID :one
SELECT * FROM participants WHERE workspace_id = @workspace_id AND external_id = @external_id;

-- name: GetParticipantForUpdate :one
SELECT * FROM participants WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: GetParticipantByExternalIDForUpdate :one
SELECT * FROM participants WHERE workspace_id = @workspace_id AND external_id = @external_id FOR UPDATE;

-- name: GetParticipantForKeyShare :one
SELECT * FROM participants WHERE workspace_id = @workspace_id AND id = @id FOR KEY SHARE;

-- name: GetParticipantByExternalIDForKeyShare :one
SELECT * FROM participants WHERE workspace_id = @workspace_id AND external_id = @external_id FOR KEY SHARE;

-- name: ListParticipants :many
SELECT * FROM participants
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('external_id')::text IS NULL OR external_id = sqlc.narg('external_id'))
    AND (sqlc.narg('group_name')::text IS NULL OR group_name = sqlc.narg('group_name'))
    AND (NOT @ungrouped::boolean OR group_name IS NULL)
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListGroupTimelines :many
SELECT id, group_timeline FROM participants WHERE workspace_id = @workspace_id AND id = ANY(@participant_ids::uuid[]);

-- name: ListAllGroupTimelines :many
SELECT id, group_timeline FROM participants WHERE workspace_id = @workspace_id AND group_timeline <> '[]';

-- name: UpdateParticipant :exec
UPDATE participants
SET
    display_name = @display_name,
    email_hash = @email_hash,
    customer_since = @customer_since,
    tax_data_recorded_at = @tax_data_recorded_at,
    metadata = @metadata,
    group_name = @group_name,
    group_timeline = @group_timeline,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND version = @version;

-- name: MoveParticipant :exec
UPDATE participants SET state = @to_state, version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;
