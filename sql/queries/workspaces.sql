-- name: CreateWorkspace :exec
INSERT INTO workspaces (workspace_id, name, mode, slug, link_host, paired_workspace_id, hash_key, created_at)
VALUES (@workspace_id, @name, @mode, @slug, @link_host, @paired_workspace_id, @hash_key, @created_at);

-- name: GetWorkspace :one
SELECT * FROM workspaces WHERE workspace_id = @workspace_id;

-- name: GetWorkspaceForUpdate :one
-- Everything that is stored in a workspace, the claim of an idempotency key first, holds its row against a change of key: a stronger
-- lock would wait for all of it, and two of them for each other.
SELECT * FROM workspaces WHERE workspace_id = @workspace_id FOR NO KEY UPDATE;

-- name: ListAllWorkspaces :many
-- The small table behind redirects and background work; read whole and cached.
SELECT * FROM workspaces WHERE mode <> 'operator' ORDER BY workspace_id;

-- name: SetClock :exec
UPDATE workspaces SET clock_at = @clock_at
WHERE workspace_id = @workspace_id AND mode = 'test' AND (clock_at IS NULL OR clock_at <= @clock_at);
