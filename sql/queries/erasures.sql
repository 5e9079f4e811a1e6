-- Erasing takes a person out of every table and leaves ids and books. Facts are insert-only but for the columns that are named here.

-- name: CreateErasureRequest :exec
INSERT INTO erasure_requests (workspace_id, id, participant_id, reference_hash, disposition, block_reuse, state, created_at)
VALUES (@workspace_id, @id, @participant_id, @reference_hash, @disposition, @block_reuse, 'running', @created_at);

-- name: GetErasureRequest :one
SELECT * FROM erasure_requests WHERE workspace_id = @workspace_id AND id = @id;

-- name: GetErasureRequestByReference :one
SELECT * FROM erasure_requests WHERE workspace_id = @workspace_id AND reference_hash = @reference_hash::bytea;

-- name: ListErasureRequests :many
SELECT * FROM erasure_requests
WHERE workspace_id = @workspace_id
    AND (sqlc.narg('participant_id')::uuid IS NULL OR participant_id = sqlc.narg('participant_id'))
    AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before'))
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListRunningErasures :many
SELECT * FROM erasure_requests WHERE workspace_id = @workspace_id AND state = 'running' ORDER BY id LIMIT 10;

-- name: CompleteErasureRequest :execrows
UPDATE erasure_requests SET state = 'completed', completed_at = @completed_at::timestamptz
WHERE workspace_id = @workspace_id AND id = @id AND state = 'running';

-- name: CreateErasureTombstones :exec
INSERT INTO erasure_tombstones (workspace_id, hash, erasure_request_id)
SELECT @workspace_id::uuid, t.hash, @erasure_request_id::uuid
FROM (SELECT unnest(@hashes::bytea[]) AS hash) AS t
ON CONFLICT (workspace_id, hash) DO NOTHING;

-- name: GetReferee :one
-- A participant, and whether it is an erased person who must not be referred again, by any of the hashes.
SELECT
    sqlc.embed(participants),
    EXISTS (
        SELECT 1 FROM erasure_tombstones
        WHERE erasure_tombstones.workspace_id = @workspace_id AND erasure_tombstones.hash = ANY(@hashes::bytea[])
    )::boolean AS erased
FROM participants
WHERE participants.workspace_id = @workspace_id AND participants.external_id = @external_id;

-- name: ListPositiveBalances :many
-- What a participant is owed and was not paid yet.
SELECT kind, currency FROM ledger_accounts
WHERE workspace_id = @workspace_id
    AND participant_id = @participant_id
    AND kind IN ('pending', 'available', 'reserved')
    AND balance > 0;

-- name: ListTracesOf :many
-- The ids of everything that tells of a participant, its own first.
SELECT participants.id FROM participants WHERE participants.workspace_id = @workspace_id AND participants.id = @participant_id
UNION
SELECT codes.id FROM codes WHERE codes.workspace_id = @workspace_id AND codes.participant_id = @participant_id
UNION
SELECT signups.id FROM signups WHERE signups.workspace_id = @workspace_id AND signups.referee_id = @participant_id
UNION
SELECT decisions.id FROM attribution_decisions AS decisions
WHERE decisions.workspace_id = @workspace_id AND decisions.referee_id = @participant_id
UNION
SELECT referrals.id FROM referrals WHERE referrals.workspace_id = @workspace_id AND referrals.referee_id = @participant_id
UNION
SELECT brought.id FROM referrals AS brought WHERE brought.workspace_id = @workspace_id AND brought.referrer_id = @participant_id
UNION
SELECT bringing.decision_id FROM referrals AS bringing
WHERE bringing.workspace_id = @workspace_id AND bringing.referrer_id = @participant_id
UNION
SELECT conversions.id FROM conversions WHERE conversions.workspace_id = @workspace_id AND conversions.referee_id = @participant_id
UNION
SELECT redemptions.id FROM credit_redemptions AS redemptions
WHERE redemptions.workspace_id = @workspace_id AND redemptions.participant_id = @participant_id
UNION
SELECT payouts.id FROM payouts WHERE payouts.workspace_id = @workspace_id AND payouts.participant_id = @participant_id
UNION
SELECT churns.id FROM churns WHERE churns.workspace_id = @workspace_id AND churns.referee_id = @participant_id
UNION
SELECT rewards.id FROM rewards WHERE rewards.workspace_id = @workspace_id AND rewards.participant_id = @participant_id
UNION
SELECT caused.id
FROM rewards AS caused
JOIN referrals AS causing ON causing.workspace_id = caused.workspace_id AND causing.id = caused.referral_id
WHERE caused.workspace_id = @workspace_id AND causing.workspace_id = @workspace_id AND causing.referee_id = @participant_id
UNION
SELECT reversals.id
FROM conversions AS undone
JOIN reversals
    ON reversals.workspace_id = undone.workspace_id
    AND reversals.source = undone.source
    AND reversals.conversion_external_id = undone.external_id
    AND reversals.conversion_type = undone.type
WHERE undone.workspace_id = @workspace_id AND reversals.workspace_id = @workspace_id AND undone.referee_id = @participant_id;

-- name: EraseParticipant :exec
UPDATE participants
SET
    external_id = @external_id,
    display_name = NULL,
    email_hash = NULL,
    customer_since = NULL,
    metadata = '{}',
    state = 'erased',
    version = version + 1
WHERE workspace_id = @workspace_id AND id = @id AND version = @version;

-- name: EraseCode :exec
UPDATE codes SET value = @value, folded_value = @folded_value WHERE workspace_id = @workspace_id AND id = @id;

-- name: HasCode :one
SELECT EXISTS (SELECT 1 FROM codes WHERE codes.workspace_id = @workspace_id AND codes.folded_value = @folded_value)::boolean;

-- name: EraseSignups :exec
UPDATE signups SET external_id = 'erased:' || id, fingerprint = '\x', metadata = '{}'
WHERE workspace_id = @workspace_id AND referee_id = @participant_id;

-- name: ListConversionsOfReferee :many
SELECT * FROM conversions WHERE workspace_id = @workspace_id AND referee_id = @participant_id ORDER BY id FOR UPDATE;

-- name: EraseConversions :exec
UPDATE conversions SET external_id = erased.external_id, fingerprint = '\x', metadata = '{}'
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@external_ids::text[]) AS external_id) AS erased
WHERE conversions.workspace_id = @workspace_id AND conversions.id = erased.id;

-- name: EraseReversals :exec
UPDATE reversals
SET external_id = erased.external_id, conversion_external_id = erased.conversion_external_id, fingerprint = '\x', note = NULL
FROM (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@external_ids::text[]) AS external_id,
        unnest(@conversion_external_ids::text[]) AS conversion_external_id
) AS erased
WHERE reversals.workspace_id = @workspace_id AND reversals.id = erased.id;

-- name: EraseChurns :exec
UPDATE churns SET external_id = 'erased:' || id, fingerprint = '\x'
WHERE workspace_id = @workspace_id AND referee_id = @participant_id;

-- name: EraseUnmatchedFacts :exec
-- What still waits for the person will never be matched; what waits for an exchange rate goes on waiting.
UPDATE unmatched_facts
SET
    waits_for = 'erased:' || id,
    state = CASE WHEN state = 'waiting' THEN 'refused' ELSE state END,
    reason = CASE WHEN state = 'waiting' THEN 'ERASED' ELSE reason END,
    settled_at = coalesce(settled_at, @settled_at::timestamptz)
WHERE workspace_id = @workspace_id
    AND (referee_id = @participant_id OR fact_id = ANY(@fact_ids::uuid[]))
    AND waits_for NOT LIKE 'rate:%';

-- name: EraseEventNotes :exec
UPDATE events SET note = NULL, note_salt = NULL
WHERE workspace_id = @workspace_id AND subject_id = ANY(@subject_ids::uuid[]) AND note IS NOT NULL;

-- name: EraseRedemptions :exec
UPDATE credit_redemptions SET external_id = 'erased:' || id, note = NULL
WHERE workspace_id = @workspace_id AND participant_id = @participant_id;

-- name: EraseRedemptionVoids :exec
UPDATE credit_redemption_voids SET note = 'erased'
WHERE credit_redemption_voids.workspace_id = @workspace_id
    AND credit_redemption_voids.redemption_id IN (
        SELECT credit_redemptions.id FROM credit_redemptions
        WHERE credit_redemptions.workspace_id = @workspace_id AND credit_redemptions.participant_id = @participant_id
    );

-- name: ErasePayoutNotes :exec
UPDATE payouts SET note = NULL
WHERE workspace_id = @workspace_id AND participant_id = @participant_id AND note IS NOT NULL;

-- name: EraseRewardNotes :exec
-- Not to NULL: a reward that was cancelled with a note is cancelled for good.
UPDATE rewards SET note = 'erased'
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]) AND note IS NOT NULL;

-- name: ListDecisionInputs :many
SELECT inputs FROM attribution_decisions WHERE workspace_id = @workspace_id AND referee_id = @participant_id;

-- name: ListClicksOfPerson :many
-- The clicks of some ids, and those of the same visitors.
SELECT clicks.id, clicks.visitor, clicks.day FROM clicks
WHERE clicks.workspace_id = @workspace_id AND clicks.id = ANY(@ids::uuid[])
UNION
SELECT same.id, same.visitor, same.day FROM clicks AS same
WHERE same.workspace_id = @workspace_id
    AND same.visitor_key IN (
        SELECT named.visitor_key FROM clicks AS named WHERE named.workspace_id = @workspace_id AND named.id = ANY(@ids::uuid[])
    );

-- name: ListClicksBeside :many
-- The clicks of some ids, and later ones of the same visitors.
SELECT beside.id FROM clicks AS beside
WHERE beside.workspace_id = @workspace_id
    AND beside.id >= @since::uuid
    AND beside.visitor IN (
        SELECT named.visitor FROM clicks AS named WHERE named.workspace_id = @workspace_id AND named.id = ANY(@ids::uuid[])
    );

-- name: EraseClicks :exec
UPDATE clicks SET visitor_key = NULL, address_hash = NULL, utm = NULL, referrer_host = NULL
WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: RenameVisitor :exec
-- Gives a visitor another name wherever it stands between two ids, so that visitors are counted as before.
UPDATE clicks SET visitor = @to_visitor
WHERE workspace_id = @workspace_id AND visitor = @from_visitor AND id >= @first_id AND id <= @last_id;

-- name: RenameVisitorOfDays :exec
UPDATE visitor_days SET visitor = @to_visitor
WHERE workspace_id = @workspace_id AND visitor = @from_visitor AND day >= @first_day AND day <= @last_day;

-- name: ListStoredAnswers :many
-- The answers that are kept for repeated requests, by key.
SELECT key, body FROM idempotency_keys
WHERE workspace_id = @workspace_id AND key > @after AND body IS NOT NULL AND operation <> 'createErasureRequest'
ORDER BY key
LIMIT @page_limit;

-- name: EraseStoredAnswers :exec
UPDATE idempotency_keys SET status = @status, headers = @headers, body = @body
WHERE workspace_id = @workspace_id AND key = ANY(@keys::text[]);
