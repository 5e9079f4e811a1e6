-- name: LockLimits :many
-- Makes rows where they are missing and locks all of them, in the order given; a ceiling that was raised counts from then on.
INSERT INTO reward_limits (workspace_id, program_id, participant_id, name, period, used, ceiling)
SELECT @workspace_id::uuid, @program_id::uuid, t.participant_id, t.name, t.period, 0, t.ceiling
FROM (
    SELECT
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@names::text[]) AS name,
        unnest(@periods::date[]) AS period,
        unnest(@ceilings::bigint[]) AS ceiling
) AS t
ON CONFLICT (workspace_id, program_id, participant_id, name, period) DO UPDATE
SET ceiling = greatest(reward_limits.ceiling, EXCLUDED.ceiling)
RETURNING *;

-- name: UseLimits :exec
-- Adds what was granted less what was taken back; the check on the row refuses what is above its ceiling.
UPDATE reward_limits
SET used = reward_limits.used + t.amount
FROM (
    SELECT
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@names::text[]) AS name,
        unnest(@periods::date[]) AS period,
        unnest(@amounts::bigint[]) AS amount
) AS t
WHERE reward_limits.workspace_id = @workspace_id
    AND reward_limits.program_id = @program_id
    AND reward_limits.participant_id = t.participant_id
    AND reward_limits.name = t.name
    AND reward_limits.period = t.period;

-- name: CountReferrerMonths :exec
INSERT INTO referrer_months (workspace_id, participant_id, program_id, month, qualified, conversions, revenue)
SELECT @workspace_id::uuid, t.participant_id, @program_id::uuid, t.month, t.qualified, t.conversions, t.revenue
FROM (
    SELECT
        unnest(@participant_ids::uuid[]) AS participant_id,
        unnest(@months::date[]) AS month,
        unnest(@qualified::bigint[]) AS qualified,
        unnest(@conversions::bigint[]) AS conversions,
        unnest(@revenue::bigint[]) AS revenue
) AS t
ON CONFLICT (workspace_id, participant_id, program_id, month) DO UPDATE
SET
    qualified = referrer_months.qualified + EXCLUDED.qualified,
    conversions = referrer_months.conversions + EXCLUDED.conversions,
    revenue = referrer_months.revenue + EXCLUDED.revenue;

-- name: ListReferrerMonths :many
SELECT * FROM referrer_months
WHERE workspace_id = @workspace_id AND program_id = @program_id AND participant_id = any(@participant_ids::uuid[])
ORDER BY participant_id, month;

-- name: ListMilestoneRewardsForUpdate :many
SELECT * FROM rewards
WHERE workspace_id = @workspace_id AND cause_kind = 'milestone' AND cause_id = any(@cause_ids::uuid[])
ORDER BY id
FOR UPDATE;
