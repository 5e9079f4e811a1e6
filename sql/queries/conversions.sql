-- name: CreateConversion :exec
INSERT INTO conversions (
    workspace_id, id, program_id, referee_id, referral_id, source, external_id, type, amount, currency, reversed_amount, base_currency,
    base_amount, base_reversed_amount, exchange_rate_id, exchange_rate, exchange_rate_source, exchange_rate_at, state, reason, fingerprint, metadata, upline,
    version, occurred_at, received_at
) VALUES (
    @workspace_id, @id, @program_id, @referee_id, @referral_id, @source, @external_id, @type, @amount, @currency, @reversed_amount,
    @base_currency, @base_amount, @base_reversed_amount, @exchange_rate_id, @exchange_rate, @exchange_rate_source, @exchange_rate_at, @state, @reason,
    @fingerprint, @metadata, @upline, 1, @occurred_at, @received_at
);

-- name: GetConversion :one
SELECT * FROM conversions WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetConversionByReference :one
-- By the caller's reference, or by what an erasure made of it.
SELECT * FROM conversions
WHERE workspace_id = @workspace_id AND source = @source AND external_id IN (@external_id, @erased_id) AND type = @type;

-- name: GetConversionWithReferee :one
SELECT sqlc.embed(conversions), participants.external_id AS referee_external_id
FROM conversions
JOIN participants ON participants.workspace_id = conversions.workspace_id AND participants.id = conversions.referee_id
WHERE conversions.workspace_id = @workspace_id AND participants.workspace_id = @workspace_id AND conversions.id = @id;

-- name: ListConversions :many
SELECT sqlc.embed(conversions), participants.external_id AS referee_external_id
FROM conversions
JOIN participants ON participants.workspace_id = conversions.workspace_id AND participants.id = conversions.referee_id
WHERE conversions.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND (sqlc.narg('program_id')::uuid IS NULL OR conversions.program_id = sqlc.narg('program_id'))
    AND (sqlc.narg('referee_id')::uuid IS NULL OR conversions.referee_id = sqlc.narg('referee_id'))
    AND (sqlc.narg('referral_id')::uuid IS NULL OR conversions.referral_id = sqlc.narg('referral_id'))
    AND (sqlc.narg('state')::text IS NULL OR conversions.state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR conversions.id < sqlc.narg('before'))
ORDER BY conversions.id DESC
LIMIT @page_limit;

-- name: ListConversionsByReference :many
-- The conversions of several references; the three lists are read side by side.
SELECT conversions.* FROM conversions
JOIN (
    SELECT unnest(@sources::text[]) AS source, unnest(@external_ids::text[]) AS external_id, unnest(@types::text[]) AS type
) AS named ON named.source = conversions.source AND named.external_id = conversions.external_id AND named.type = conversions.type
WHERE conversions.workspace_id = @workspace_id;

-- name: ListReversalsByReference :many
-- Every reversal of the conversions of several references.
SELECT reversals.* FROM reversals
JOIN (
    SELECT DISTINCT unnest(@sources::text[]) AS source, unnest(@external_ids::text[]) AS external_id, unnest(@types::text[]) AS type
) AS named
    ON named.source = reversals.source
    AND named.external_id = reversals.conversion_external_id
    AND named.type = reversals.conversion_type
WHERE reversals.workspace_id = @workspace_id
ORDER BY reversals.id;

-- name: ListRefereeConversionsForUpdate :many
-- Every conversion of a referee in a program.
SELECT * FROM conversions
WHERE conversions.workspace_id = @workspace_id
    AND conversions.program_id = @program_id
    AND conversions.referee_id = (
        SELECT participants.id FROM participants
        WHERE participants.workspace_id = @workspace_id AND participants.external_id = @referee_external_id
    )
ORDER BY conversions.id
FOR UPDATE;

-- name: MoveConversion :exec
UPDATE conversions
SET
    referral_id = @referral_id,
    reversed_amount = @reversed_amount,
    base_reversed_amount = @base_reversed_amount,
    state = @to_state,
    reason = @reason,
    upline = @upline,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND state = @from_state AND version = @version;

-- name: PriceConversion :exec
-- Once: the rate that was known first stays.
UPDATE conversions
SET
    base_amount = @base_amount,
    base_reversed_amount = @base_reversed_amount,
    exchange_rate_id = @exchange_rate_id,
    exchange_rate = @exchange_rate,
    exchange_rate_source = @exchange_rate_source,
    exchange_rate_at = @exchange_rate_at,
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND base_amount IS NULL AND version = @version;

-- name: RefuseRate :exec
UPDATE conversions SET refused_rate_id = @refused_rate_id, version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND base_amount IS NULL AND version = @version;

-- name: GetConversionToPrice :one
-- The next conversion after another that waits for a rate which is known, newer than one that makes it too large. Not locked: its referee
-- is locked first, as always, and then the row is looked at again.
SELECT conversions.id, conversions.program_id, participants.external_id AS referee_external_id
FROM conversions
JOIN participants ON participants.workspace_id = conversions.workspace_id AND participants.id = conversions.referee_id
WHERE conversions.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND conversions.base_amount IS NULL
    AND conversions.id > @after
    AND EXISTS (
        SELECT 1 FROM exchange_rates
        WHERE exchange_rates.workspace_id = @workspace_id
            AND exchange_rates.from_currency = conversions.currency
            AND exchange_rates.to_currency = conversions.base_currency
            AND exchange_rates.effective_at <= conversions.occurred_at
            AND (
                conversions.refused_rate_id IS NULL
                OR (exchange_rates.effective_at, exchange_rates.id) > (
                    SELECT refused.effective_at, refused.id FROM exchange_rates AS refused
                    WHERE refused.workspace_id = @workspace_id AND refused.id = conversions.refused_rate_id
                )
            )
    )
ORDER BY conversions.id
LIMIT 1;

-- name: CreateReversal :exec
INSERT INTO reversals (
    workspace_id, id, source, external_id, conversion_external_id, conversion_type, kind, amount, currency,
    restores_reversal_id, note, fingerprint, occurred_at, received_at
) VALUES (
    @workspace_id, @id, @source, @external_id, @conversion_external_id, @conversion_type, @kind, @amount, @currency,
    @restores_reversal_id, @note, @fingerprint, @occurred_at, @received_at
);

-- name: GetReversal :one
SELECT * FROM reversals WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetReversalByReference :one
SELECT * FROM reversals
WHERE workspace_id = @workspace_id AND source = @source AND external_id IN (@external_id, @erased_id);

-- name: GetDisputeWon :one
SELECT * FROM reversals WHERE workspace_id = @workspace_id AND restores_reversal_id = @restores_reversal_id::uuid;

-- name: ListReversalsOfConversion :many
SELECT * FROM reversals
WHERE workspace_id = @workspace_id
    AND source = @source
    AND conversion_external_id = @conversion_external_id
    AND conversion_type = @conversion_type
ORDER BY id;

-- name: ListRefereeReversals :many
-- Every reversal of every conversion of a referee in a program.
SELECT reversals.*
FROM reversals
JOIN conversions
    ON conversions.workspace_id = reversals.workspace_id
    AND conversions.source = reversals.source
    AND conversions.external_id = reversals.conversion_external_id
    AND conversions.type = reversals.conversion_type
JOIN participants ON participants.workspace_id = conversions.workspace_id AND participants.id = conversions.referee_id
WHERE reversals.workspace_id = @workspace_id
    AND conversions.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND participants.external_id = @referee_external_id
    AND conversions.program_id = @program_id
ORDER BY reversals.id;

-- name: ListReversals :many
-- A dispute won is part of the chargeback that it undoes, and not listed beside it.
SELECT * FROM reversals
WHERE reversals.workspace_id = @workspace_id
    AND reversals.kind <> 'dispute_won'
    AND (
        sqlc.narg('conversion_id')::uuid IS NULL
        OR EXISTS (
            SELECT 1 FROM conversions
            WHERE conversions.workspace_id = @workspace_id
                AND conversions.id = sqlc.narg('conversion_id')
                AND conversions.source = reversals.source
                AND conversions.external_id = reversals.conversion_external_id
                AND conversions.type = reversals.conversion_type
        )
    )
    AND (sqlc.narg('before')::uuid IS NULL OR reversals.id < sqlc.narg('before'))
ORDER BY reversals.id DESC
LIMIT @page_limit;

-- name: CreateChurn :exec
INSERT INTO churns (workspace_id, id, program_id, referee_id, kind, source, external_id, fingerprint, occurred_at, received_at)
VALUES (@workspace_id, @id, @program_id, @referee_id, @kind, @source, @external_id, @fingerprint, @occurred_at, @received_at);

-- name: GetChurnByReference :one
SELECT * FROM churns
WHERE workspace_id = @workspace_id AND source = @source AND external_id = @external_id AND kind = @kind;

-- name: ListRefereeChurns :many
SELECT * FROM churns
WHERE churns.workspace_id = @workspace_id
    AND churns.program_id = @program_id
    AND churns.referee_id = (
        SELECT participants.id FROM participants
        WHERE participants.workspace_id = @workspace_id AND participants.external_id = @referee_external_id
    )
ORDER BY churns.id;
