-- name: OpenTierPeriod :exec
INSERT INTO tier_periods (workspace_id, program_id, participant_id, rule_key, starts_on, ends_on, close_at, version)
VALUES (@workspace_id, @program_id, @participant_id, @rule_key, @starts_on, @ends_on, @close_at, 1)
ON CONFLICT (workspace_id, program_id, participant_id, rule_key, starts_on) DO UPDATE
SET closed_at = NULL, version = tier_periods.version + 1;

-- name: ReopenTierPeriods :exec
-- What was reached in these periods has changed.
UPDATE tier_periods
SET closed_at = NULL, version = version + 1
WHERE workspace_id = @workspace_id
    AND program_id = @program_id
    AND participant_id = any(@participant_ids::uuid[])
    AND starts_on <= @last_month::date
    AND ends_on > @first_month::date;

-- name: GetTierPeriodToClose :one
SELECT * FROM tier_periods
WHERE workspace_id = @workspace_id
    AND closed_at IS NULL
    AND close_at <= @now
    AND (close_at, participant_id, program_id, rule_key, starts_on)
    > (@after_close_at::timestamptz, @after_participant_id::uuid, @after_program_id::uuid, @after_rule_key::text, @after_starts_on::date)
ORDER BY close_at, participant_id, program_id, rule_key, starts_on
LIMIT 1;

-- name: CloseTierPeriod :execrows
UPDATE tier_periods
SET closed_at = @closed_at, version = version + 1
WHERE workspace_id = @workspace_id
    AND program_id = @program_id
    AND participant_id = @participant_id
    AND rule_key = @rule_key
    AND starts_on = @starts_on
    AND version = @version;

-- name: ListReferralsToRate :many
-- The referrals whose conversions of a period earned a participant something by a rule.
SELECT DISTINCT rewards.referral_id::uuid AS referral_id
FROM rewards
JOIN conversions ON conversions.workspace_id = rewards.workspace_id AND conversions.id = rewards.conversion_id
WHERE rewards.workspace_id = @workspace_id
    AND conversions.workspace_id = @workspace_id
    AND rewards.participant_id = @participant_id
    AND rewards.program_id = @program_id
    AND rewards.rule_key = @rule_key
    AND rewards.referral_id IS NOT NULL
    AND rewards.referral_id > @after
    AND conversions.occurred_at >= @starts_at
    AND conversions.occurred_at < @ends_at
ORDER BY 1
LIMIT @page_limit;
