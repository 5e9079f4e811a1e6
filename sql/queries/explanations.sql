-- name: ListReferralStory :many
-- The log of a referral and of what hangs on it: its conversions and their reversals, its rewards, and the departures of its
-- referee since it began. Newest first.
SELECT * FROM events
WHERE events.workspace_id = @workspace_id
    AND events.subject_id IN (
        SELECT referrals.id FROM referrals
        WHERE referrals.workspace_id = @workspace_id AND referrals.id = @referral_id
        UNION
        SELECT conversions.id FROM conversions
        WHERE conversions.workspace_id = @workspace_id AND conversions.referral_id = @referral_id
        UNION
        SELECT reversals.id
        FROM conversions
        JOIN reversals
            ON reversals.workspace_id = conversions.workspace_id
            AND reversals.source = conversions.source
            AND reversals.conversion_external_id = conversions.external_id
            AND reversals.conversion_type = conversions.type
        WHERE conversions.workspace_id = @workspace_id AND conversions.referral_id = @referral_id
        UNION
        SELECT rewards.id FROM rewards
        WHERE rewards.workspace_id = @workspace_id AND rewards.referral_id = @referral_id
        UNION
        SELECT churns.id
        FROM referrals
        JOIN churns
            ON churns.workspace_id = referrals.workspace_id
            AND churns.referee_id = referrals.referee_id
            AND churns.program_id = referrals.program_id
            AND churns.occurred_at >= referrals.attributed_at
        WHERE referrals.workspace_id = @workspace_id AND referrals.id = @referral_id
    )
ORDER BY events.id DESC
LIMIT @page_limit;

-- name: ListRewardStory :many
-- The log of a reward and of what it rests on: its referral, its conversion and the reversals of that. Newest first.
SELECT * FROM events
WHERE events.workspace_id = @workspace_id
    AND events.subject_id IN (
        SELECT rewards.id FROM rewards
        WHERE rewards.workspace_id = @workspace_id AND rewards.id = @reward_id
        UNION
        SELECT rewards.referral_id FROM rewards
        WHERE rewards.workspace_id = @workspace_id AND rewards.id = @reward_id
        UNION
        SELECT rewards.conversion_id FROM rewards
        WHERE rewards.workspace_id = @workspace_id AND rewards.id = @reward_id
        UNION
        SELECT reversals.id
        FROM rewards
        JOIN conversions ON conversions.workspace_id = rewards.workspace_id AND conversions.id = rewards.conversion_id
        JOIN reversals
            ON reversals.workspace_id = conversions.workspace_id
            AND reversals.source = conversions.source
            AND reversals.conversion_external_id = conversions.external_id
            AND reversals.conversion_type = conversions.type
        WHERE rewards.workspace_id = @workspace_id AND rewards.id = @reward_id
    )
ORDER BY events.id DESC
LIMIT @page_limit;

-- name: ListConversionsByID :many
SELECT * FROM conversions WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ListReversalsByID :many
SELECT * FROM reversals WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ListChurnsByID :many
SELECT * FROM churns WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ListRewardsByID :many
SELECT * FROM rewards WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]);

-- name: ListDecisionsByID :many
SELECT * FROM attribution_decisions WHERE workspace_id = @workspace_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: ListReferralsOfCode :many
-- What a code attributed, newest first; by its owner, whose index is at hand.
SELECT * FROM referrals
WHERE workspace_id = @workspace_id AND referrer_id = @referrer_id AND code_id = @code_id::uuid
ORDER BY id DESC
LIMIT @page_limit;

-- name: ListRefusalsNaming :many
-- Refused decisions of the last thousand of a workspace whose inputs name a code. Inputs are text, so no index finds more, and the
-- limit is what bounds the reading.
SELECT latest.id
FROM (
    SELECT
        decisions.id,
        decisions.program_id,
        decisions.attributed,
        decisions.inputs
    FROM attribution_decisions AS decisions
    WHERE decisions.workspace_id = @workspace_id
    ORDER BY decisions.id DESC
    LIMIT 1000
) AS latest
WHERE program_id = @program_id::uuid AND NOT attributed AND inputs LIKE @pattern::text
ORDER BY id DESC
LIMIT @page_limit;

-- name: SumReferrerRewards :many
-- What referrals have brought their referrers.
SELECT referral_id, sum(granted)::bigint AS granted, sum(reversed)::bigint AS reversed
FROM rewards
WHERE workspace_id = @workspace_id AND referral_id = ANY(@referral_ids::uuid[]) AND beneficiary = 'referrer'
GROUP BY referral_id;
