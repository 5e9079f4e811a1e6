-- name: LockFactKey :exec
-- Locks a meeting point, making it where it is missing.
INSERT INTO fact_keys (workspace_id, key) VALUES (@workspace_id, @key)
ON CONFLICT (workspace_id, key) DO UPDATE SET key = EXCLUDED.key;

-- name: EnsureFactKey :exec
INSERT INTO fact_keys (workspace_id, key) VALUES (@workspace_id, @key)
ON CONFLICT (workspace_id, key) DO NOTHING;

-- name: ShareFactKey :one
-- Locks a meeting point together with others, against those who lock it alone.
SELECT key FROM fact_keys WHERE workspace_id = @workspace_id AND key = @key FOR SHARE;

-- name: CreateUnmatchedFact :exec
INSERT INTO unmatched_facts (workspace_id, id, kind, fact_id, program_id, referee_id, waits_for, state, reason, received_at)
VALUES (@workspace_id, @id, @kind, @fact_id, @program_id, @referee_id, @waits_for, 'waiting', @reason, @received_at);

-- name: SettleUnmatchedFacts :exec
-- Closes the facts that waited for one of the keys.
UPDATE unmatched_facts SET state = @state, reason = @reason, settled_at = @settled_at::timestamptz
WHERE workspace_id = @workspace_id AND fact_id = ANY(@fact_ids::uuid[]) AND state = 'waiting';

-- name: ListWaitingFacts :many
SELECT * FROM unmatched_facts
WHERE workspace_id = @workspace_id AND waits_for = ANY(@waits_for::text[]) AND state = 'waiting'
ORDER BY id
FOR UPDATE;

-- name: ListUnmatchedFacts :many
SELECT * FROM unmatched_facts
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;
