-- name: CreateClick :execrows
INSERT INTO clicks (
    workspace_id, id, batch_id, program_id, code_id, referrer_id, classification, source, consent, visitor, visitor_key,
    address_hash, utm, referrer_host, day, occurred_at, received_at
) VALUES (
    @workspace_id, @id, @batch_id, @program_id, @code_id, @referrer_id, @classification, @source, @consent, @visitor,
    @visitor_key, @address_hash, @utm, @referrer_host, @day, @occurred_at, @received_at
)
ON CONFLICT (workspace_id, id) DO NOTHING;

-- name: CreateClickBatch :exec
INSERT INTO click_batches (workspace_id, id, first_click_id, last_click_id)
VALUES (@workspace_id, @id, @first_click_id, @last_click_id);

-- name: GetClick :one
SELECT * FROM clicks WHERE workspace_id = @workspace_id AND id = @id;

-- name: ListClicks :many
SELECT * FROM clicks
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('code_id')::uuid IS NULL OR code_id = sqlc.narg('code_id'))
    AND (sqlc.narg('program_id')::uuid IS NULL OR program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListTouches :many
-- The clicks that a signup names, and the newest and the oldest ones of its visitor since a moment (as an id): with hundreds of
-- clicks, those in between decide nothing.
SELECT named.id, named.code_id, named.classification, named.consent, named.occurred_at
FROM clicks AS named
WHERE named.workspace_id = @workspace_id AND named.id = ANY(@click_ids::uuid[])
UNION
(
    SELECT newest.id, newest.code_id, newest.classification, newest.consent, newest.occurred_at
    FROM clicks AS newest
    WHERE newest.workspace_id = @workspace_id AND newest.visitor_key = @visitor_key::bytea AND newest.id >= @since::uuid
    ORDER BY newest.id DESC
    LIMIT 100
)
UNION
(
    SELECT oldest.id, oldest.code_id, oldest.classification, oldest.consent, oldest.occurred_at
    FROM clicks AS oldest
    WHERE oldest.workspace_id = @workspace_id AND oldest.visitor_key = @visitor_key::bytea AND oldest.id >= @since::uuid
    ORDER BY oldest.id
    LIMIT 100
)
ORDER BY 1;
