-- name: CountProgramDays :exec
INSERT INTO program_days (
    workspace_id, program_id, day, shard, signups, referrals, qualified, conversions, revenue, reversed_revenue,
    rewards_granted, rewards_reversed
)
SELECT
    @workspace_id::uuid, @program_id::uuid, t.day, @shard::smallint, t.signups, t.referrals, t.qualified, t.conversions,
    t.revenue, t.reversed_revenue, t.rewards_granted, t.rewards_reversed
FROM (
    SELECT
        unnest(@days::date[]) AS day,
        unnest(@signups::bigint[]) AS signups,
        unnest(@referrals::bigint[]) AS referrals,
        unnest(@qualified::bigint[]) AS qualified,
        unnest(@conversions::bigint[]) AS conversions,
        unnest(@revenue::bigint[]) AS revenue,
        unnest(@reversed_revenue::bigint[]) AS reversed_revenue,
        unnest(@rewards_granted::bigint[]) AS rewards_granted,
        unnest(@rewards_reversed::bigint[]) AS rewards_reversed
) AS t
ON CONFLICT (workspace_id, program_id, day, shard) DO UPDATE
SET
    signups = program_days.signups + EXCLUDED.signups,
    referrals = program_days.referrals + EXCLUDED.referrals,
    qualified = program_days.qualified + EXCLUDED.qualified,
    conversions = program_days.conversions + EXCLUDED.conversions,
    revenue = program_days.revenue + EXCLUDED.revenue,
    reversed_revenue = program_days.reversed_revenue + EXCLUDED.reversed_revenue,
    rewards_granted = program_days.rewards_granted + EXCLUDED.rewards_granted,
    rewards_reversed = program_days.rewards_reversed + EXCLUDED.rewards_reversed;

-- name: CountReferrerDays :exec
INSERT INTO referrer_days (
    workspace_id, participant_id, program_id, day, shard, signups, referrals, qualified, conversions, revenue,
    reversed_revenue, rewards_granted, rewards_reversed
)
SELECT
    @workspace_id::uuid, t.participant_id, @program_id::uuid, t.day, @shard::smallint, t.signups, t.referrals, t.qualified,
    t.conversions, t.revenue, t.reversed_revenue, t.rewards_granted, t.rewards_reversed
FROM (
    SELECT
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@days::date[]) AS day,
        unnest(@signups::bigint[]) AS signups,
        unnest(@referrals::bigint[]) AS referrals,
        unnest(@qualified::bigint[]) AS qualified,
        unnest(@conversions::bigint[]) AS conversions,
        unnest(@revenue::bigint[]) AS revenue,
        unnest(@reversed_revenue::bigint[]) AS reversed_revenue,
        unnest(@rewards_granted::bigint[]) AS rewards_granted,
        unnest(@rewards_reversed::bigint[]) AS rewards_reversed
) AS t
ON CONFLICT (workspace_id, participant_id, program_id, day, shard) DO UPDATE
SET
    signups = referrer_days.signups + EXCLUDED.signups,
    referrals = referrer_days.referrals + EXCLUDED.referrals,
    qualified = referrer_days.qualified + EXCLUDED.qualified,
    conversions = referrer_days.conversions + EXCLUDED.conversions,
    revenue = referrer_days.revenue + EXCLUDED.revenue,
    reversed_revenue = referrer_days.reversed_revenue + EXCLUDED.reversed_revenue,
    rewards_granted = referrer_days.rewards_granted + EXCLUDED.rewards_granted,
    rewards_reversed = referrer_days.rewards_reversed + EXCLUDED.rewards_reversed;
