-- name: CreateEvents :exec
INSERT INTO events (workspace_id, id, type, subject_type, subject_id, data, created_at)
SELECT @workspace_id::uuid, t.id, t.type, t.subject_type, t.subject_id, t.data::jsonb, @created_at::timestamptz
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@types::text[]) AS type,
        unnest(@subject_types::text[]) AS subject_type,
        unnest(@subject_ids::uuid[]) AS subject_id,
        unnest(@data::text[]) AS data
) AS t;

-- name: GetEvent :one
SELECT * FROM events WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListEvents :many
SELECT * FROM events
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('type')::text IS NULL OR type = sqlc.narg('type'))
    AND (sqlc.narg('subject_id')::uuid IS NULL OR subject_id = sqlc.narg('subject_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;
