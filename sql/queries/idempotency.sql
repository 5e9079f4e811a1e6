-- name: ClaimIdempotencyKey :one
-- Inserts the key, or waits for its holder and bumps it: a replay commits a write first, so that it never acknowledges what
-- only one machine has. claimed says that this transaction inserted the row.
INSERT INTO idempotency_keys (workspace_id, key, operation, fingerprint, created_at)
VALUES (@workspace_id, @key, @operation, @fingerprint, @created_at)
ON CONFLICT (workspace_id, key) DO UPDATE SET replayed_count = idempotency_keys.replayed_count + 1
RETURNING (replayed_count = 0)::boolean AS claimed, operation, fingerprint, status, headers, body;

-- name: SaveIdempotentResponse :exec
UPDATE idempotency_keys SET status = @status::integer, headers = @headers::jsonb, body = @body::bytea
WHERE workspace_id = @workspace_id AND key = @key;

-- name: DeleteOldIdempotencyKeys :execrows
-- A bounded number, so that a backlog is worked off in steps. Keys that are just being replayed are left for the next time.
DELETE FROM idempotency_keys
WHERE idempotency_keys.workspace_id = @workspace_id
    AND idempotency_keys.key IN (
        SELECT old.key FROM idempotency_keys AS old
        WHERE old.workspace_id = @workspace_id AND old.created_at < @before
        ORDER BY old.created_at
        LIMIT @row_limit
        FOR UPDATE SKIP LOCKED
    );
