-- name: CreateProgram :exec
INSERT INTO programs (
    workspace_id, id, name, currency, state, landing_url, allowed_hosts, honor_pending_seconds, time_zone, timeline,
    version, created_at
) VALUES (
    @workspace_id, @id, @name, @currency, @state, @landing_url, @allowed_hosts, @honor_pending_seconds, @time_zone,
    @timeline, 1, @created_at
);

-- name: GetProgram :one
SELECT * FROM programs WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetProgramForUpdate :one
SELECT * FROM programs WHERE workspace_id = @workspace_id AND id = @id FOR UPDATE;

-- name: GetProgramWithRules :one
-- A program and the rules of its current version; no row while nothing is published.
SELECT sqlc.embed(programs), sqlc.embed(program_versions)
FROM programs
JOIN program_versions
    ON program_versions.workspace_id = programs.workspace_id AND program_versions.id = programs.current_version_id
WHERE programs.workspace_id = @workspace_id AND programs.id = @id;

-- name: ListPrograms :many
SELECT * FROM programs
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: UpdateProgram :exec
UPDATE programs
SET
    name = @name,
    landing_url = @landing_url,
    allowed_hosts = @allowed_hosts,
    honor_pending_seconds = @honor_pending_seconds,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND version = @version;

-- name: MoveProgram :exec
UPDATE programs
SET state = @to_state, timeline = @timeline, ended_at = @ended_at, version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;

-- name: SetCurrentVersion :exec
UPDATE programs SET current_version_id = @current_version_id::uuid, version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND version = @version;

-- name: CreateProgramVersion :exec
INSERT INTO program_versions (workspace_id, id, program_id, number, rules, published_at)
VALUES (@workspace_id, @id, @program_id, @number, @rules, @published_at);

-- name: GetProgramVersion :one
SELECT * FROM program_versions WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetLastVersionNumber :one
SELECT coalesce(max(number), 0)::integer FROM program_versions
WHERE workspace_id = @workspace_id AND program_id = @program_id;

-- name: ListProgramVersions :many
SELECT * FROM program_versions
WHERE workspace_id = @workspace_id
    AND program_id = @program_id
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListProgramVersionNumbers :many
SELECT id, number FROM program_versions WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ListVersionTimeline :many
-- Every version of a program, in the order in which they became current.
SELECT * FROM program_versions
WHERE workspace_id = @workspace_id AND program_id = @program_id
ORDER BY published_at, number;
