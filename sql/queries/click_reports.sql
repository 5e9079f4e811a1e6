-- name: ListClickTargets :many
-- What clicks need of the codes that they name, of their programs and owners.
SELECT
    codes.id AS code_id,
    codes.folded_value,
    codes.participant_id AS referrer_id,
    programs.id AS program_id,
    programs.landing_url,
    programs.allowed_hosts,
    programs.time_zone
FROM codes
JOIN programs ON programs.workspace_id = codes.workspace_id AND programs.id = codes.program_id
WHERE codes.workspace_id = @workspace_id AND codes.folded_value = ANY(@folded_values::text[]);

-- name: ListClicksByID :many
SELECT * FROM clicks WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ListVisits :many
-- The human clicks of visitors between two moments, of which another one shortly after is a repeat; newest first.
SELECT visitor, code_id, occurred_at
FROM clicks
WHERE workspace_id = @workspace_id
    AND visitor_key = ANY(@visitor_keys::bytea[])
    AND id >= @since_id
    AND occurred_at BETWEEN @since AND @until
    AND classification IN ('human', 'repeat')
ORDER BY id DESC
LIMIT 10000;

-- name: SettleClaim :exec
-- Closes what a signup waited for, or only some of it when keys are named.
UPDATE unmatched_facts SET state = 'settled', reason = @reason, settled_at = @settled_at::timestamptz
WHERE workspace_id = @workspace_id
    AND fact_id = @fact_id
    AND state = 'waiting'
    AND (sqlc.narg('waits_for')::text[] IS NULL OR waits_for = ANY(sqlc.narg('waits_for')::text[]));
