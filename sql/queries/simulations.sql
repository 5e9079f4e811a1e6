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

-- name: ListProgramDecisions :many
-- What the decision of a person has left of rewards, for good, and everything of participants who are banned.
SELECT
    rewards.cause_id, rewards.rule_key, rewards.participant_id, rewards.level,
    sum(rewards.granted - rewards.reversed)::bigint AS amount
FROM rewards
JOIN participants ON participants.workspace_id = rewards.workspace_id AND participants.id = rewards.participant_id
WHERE rewards.workspace_id = @workspace_id
    AND participants.workspace_id = @workspace_id
    AND rewards.program_id = @program_id
    AND rewards.cause_kind <> 'manual'
    AND (
        participants.state = 'banned'
        OR rewards.state IN ('cancelled', 'redeemed')
        AND rewards.reason IN ('REVERSED_MANUAL', 'REFERRER_INELIGIBLE', 'ERASED')
        AND rewards.note IS NOT NULL
    )
GROUP BY rewards.cause_id, rewards.rule_key, rewards.participant_id, rewards.level;

-- name: ListIneligibleParticipants :many
SELECT id, state FROM participants
WHERE workspace_id = @workspace_id AND state <> 'active'
ORDER BY id;
