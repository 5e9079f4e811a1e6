-- name: CreateExchangeRate :exec
INSERT INTO exchange_rates (workspace_id, id, from_currency, to_currency, rate, source, effective_at, created_at)
VALUES (@workspace_id, @id, @from_currency, @to_currency, @rate, @source, @effective_at, @created_at);

-- name: GetExchangeRateByReference :one
SELECT * FROM exchange_rates
WHERE workspace_id = @workspace_id
    AND from_currency = @from_currency
    AND to_currency = @to_currency
    AND effective_at = @effective_at
    AND source = @source;

-- name: GetExchangeRateAt :one
-- The newest rate of a pair that holds at a moment; of those from one moment, the one recorded last.
SELECT * FROM exchange_rates
WHERE workspace_id = @workspace_id AND from_currency = @from_currency AND to_currency = @to_currency AND effective_at <= @at
ORDER BY effective_at DESC, id DESC
LIMIT 1;

-- name: ListExchangeRates :many
SELECT * FROM exchange_rates
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('from_currency')::text IS NULL OR from_currency = sqlc.narg('from_currency'))
    AND (sqlc.narg('to_currency')::text IS NULL OR to_currency = sqlc.narg('to_currency'))
    AND (
        sqlc.narg('before_id')::uuid IS NULL
        OR (effective_at, id) < (sqlc.narg('before_effective_at')::timestamptz, sqlc.narg('before_id')::uuid)
    )
ORDER BY effective_at DESC, id DESC
LIMIT @page_limit;
