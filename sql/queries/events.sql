-- name: CreateEvents :exec
INSERT INTO events (workspace_id, id, type, subject_type, subject_id, data, note, note_salt, note_digest, created_at)
SELECT
    @workspace_id::uuid, t.id, t.type, t.subject_type, t.subject_id, t.data::jsonb, nullif(t.note, ''), t.note_salt, t.note_digest,
    @created_at::timestamptz
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@types::text[]) AS type,
        unnest(@subject_types::text[]) AS subject_type,
        unnest(@subject_ids::uuid[]) AS subject_id,
        unnest(@data::text[]) AS data,
        unnest(@notes::text[]) AS note,
        unnest(@note_salts::bytea[]) AS note_salt,
        unnest(@note_digests::bytea[]) AS note_digest
) AS t;

-- name: CreateEventBatch :exec
INSERT INTO event_batches (workspace_id, id, event_ids) VALUES (@workspace_id, @id, @event_ids);

-- name: GetEvent :one
SELECT sqlc.embed(events), event_seals.seq
FROM events
LEFT JOIN event_seals ON event_seals.workspace_id = events.workspace_id AND event_seals.event_id = events.id
WHERE events.workspace_id = @workspace_id AND events.id = @id;

-- name: ListEvents :many
SELECT sqlc.embed(events), event_seals.seq
FROM events
LEFT JOIN event_seals ON event_seals.workspace_id = events.workspace_id AND event_seals.event_id = events.id
WHERE events.workspace_id = @workspace_id
    AND (sqlc.narg('type')::text IS NULL OR events.type = sqlc.narg('type'))
    AND (sqlc.narg('subject_id')::uuid IS NULL OR events.subject_id = sqlc.narg('subject_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR events.id < sqlc.narg('before'))
ORDER BY events.id DESC
LIMIT @page_limit;
