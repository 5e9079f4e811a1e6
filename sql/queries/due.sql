-- name: ListDueWork :many
-- What waits in a workspace to be acted upon: for each task the oldest piece, and since when it is due. Most goes by the workspace's
-- clock; what is written down for later without a date, and keys, by the wall's: ids of UUID v7 tell when they were made. Plain reads
-- that lock nothing, each the first entry of an index.
SELECT due.task, due.by_clock, due.since FROM (
    (
        SELECT 'resettle'::text AS task, true AS by_clock, resettlements.due_at AS since
        FROM resettlements
        WHERE resettlements.workspace_id = @workspace_id AND resettlements.due_at <= @now
        ORDER BY resettlements.due_at
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'mature', true, greatest(rewards.available_at, rewards.created_at)
        FROM rewards
        WHERE rewards.workspace_id = @workspace_id AND rewards.state = 'pending' AND rewards.available_at <= @now
        ORDER BY rewards.available_at
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'expire_rewards', true, greatest(rewards.expires_at, rewards.created_at)
        FROM rewards
        WHERE rewards.workspace_id = @workspace_id AND rewards.state = 'available' AND rewards.expires_at <= @now
        ORDER BY rewards.expires_at
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'expire', true, greatest(referrals.qualify_by, referrals.created_at)
        FROM referrals
        WHERE referrals.workspace_id = @workspace_id AND referrals.state = 'attributed' AND referrals.qualify_by <= @now
        ORDER BY referrals.qualify_by
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'price', true, greatest(conversions.received_at, exchange_rates.created_at)
        FROM conversions
        JOIN exchange_rates
            ON exchange_rates.workspace_id = conversions.workspace_id
            AND exchange_rates.from_currency = conversions.currency
            AND exchange_rates.to_currency = conversions.base_currency
            AND exchange_rates.effective_at <= conversions.occurred_at
        WHERE conversions.workspace_id = @workspace_id
            AND exchange_rates.workspace_id = @workspace_id
            AND conversions.base_amount IS NULL
            AND (
                conversions.refused_rate_id IS NULL
                OR (exchange_rates.effective_at, exchange_rates.id) > (
                    SELECT refused.effective_at, refused.id FROM exchange_rates AS refused
                    WHERE refused.workspace_id = @workspace_id AND refused.id = conversions.refused_rate_id
                )
            )
        ORDER BY conversions.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'close_periods', true, tier_periods.close_at
        FROM tier_periods
        WHERE tier_periods.workspace_id = @workspace_id AND tier_periods.closed_at IS NULL AND tier_periods.close_at <= @now
        ORDER BY tier_periods.close_at
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'payouts', true, payouts.due_at
        FROM payouts
        WHERE payouts.workspace_id = @workspace_id AND payouts.due_at <= @now
        ORDER BY payouts.due_at
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'payouts', true, payout_runs.created_at
        FROM payout_runs
        WHERE payout_runs.workspace_id = @workspace_id AND payout_runs.state = 'preparing'
        ORDER BY payout_runs.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'erase', true, erasure_requests.created_at
        FROM erasure_requests
        WHERE erasure_requests.workspace_id = @workspace_id AND erasure_requests.state = 'running'
        ORDER BY erasure_requests.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT
            'seal', false,
            to_timestamp(('x' || translate(left(event_batches.id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)
        FROM event_batches
        WHERE event_batches.workspace_id = @workspace_id
        ORDER BY event_batches.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT
            'fold_clicks', false,
            to_timestamp(('x' || translate(left(click_batches.id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)
        FROM click_batches
        WHERE click_batches.workspace_id = @workspace_id
        ORDER BY click_batches.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'forget_keys', false, idempotency_keys.created_at
        FROM idempotency_keys
        WHERE idempotency_keys.workspace_id = @workspace_id AND idempotency_keys.created_at < @forget_before
        ORDER BY idempotency_keys.created_at
        LIMIT 1
    )
) AS due;
