-- What a simulation reads: the whole history of a program, with nothing locked.

-- name: ListProgramReferrals :many
SELECT * FROM referrals
WHERE workspace_id = @workspace_id AND program_id = @program_id
ORDER BY id
LIMIT @row_limit;

-- name: ListProgramConversions :many
SELECT * FROM conversions
WHERE workspace_id = @workspace_id AND program_id = @program_id AND referral_id IS NOT NULL
ORDER BY id
LIMIT @row_limit;

-- name: ListProgramReversals :many
SELECT reversals.* FROM reversals
JOIN conversions
    ON conversions.workspace_id = reversals.workspace_id
    AND conversions.source = reversals.source
    AND conversions.external_id = reversals.conversion_external_id
    AND conversions.type = reversals.conversion_type
WHERE reversals.workspace_id = @workspace_id AND conversions.workspace_id = @workspace_id AND conversions.program_id = @program_id
ORDER BY reversals.id
LIMIT @row_limit;

-- name: ListProgramChurns :many
SELECT * FROM churns
WHERE workspace_id = @workspace_id AND program_id = @program_id
ORDER BY id
LIMIT @row_limit;

-- name: ListProgramHoldings :many
-- What the rules of a program have granted to everybody and not taken back.
SELECT participant_id, kind, sum(granted - reversed)::bigint AS amount
FROM rewards
WHERE workspace_id = @workspace_id AND program_id = @program_id AND cause_kind <> 'manual'
GROUP BY participant_id, kind
ORDER BY participant_id, kind;

-- name: ListIneligibleParticipants :many
SELECT id FROM participants
WHERE workspace_id = @workspace_id AND state <> 'active'
ORDER BY id;
