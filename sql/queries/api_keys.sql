-- name: CreateAPIKey :exec
INSERT INTO api_keys (workspace_id, id, name, kind, prefix, last_four, secret_hash, scopes, expires_at, created_at)
VALUES (@workspace_id, @id, @name, @kind, @prefix, @last_four, @secret_hash, @scopes, @expires_at, @created_at);

-- name: GetAPIKey :one
SELECT * FROM api_keys WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetAPIKeyWithWorkspace :one
-- What authentication needs, in one look-up.
SELECT sqlc.embed(api_keys), sqlc.embed(workspaces)
FROM api_keys
JOIN workspaces ON workspaces.workspace_id = api_keys.workspace_id
WHERE api_keys.workspace_id = @workspace_id AND api_keys.id = @id;

-- name: ListAPIKeys :many
SELECT * FROM api_keys
WHERE workspace_id = @workspace_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: RevokeAPIKey :one
UPDATE api_keys SET revoked_at = coalesce(revoked_at, @revoked_at::timestamptz)
WHERE workspace_id = @workspace_id AND id = @id
RETURNING *;
