-- Statistics are exact at every read: counters and the clicks that no counter holds yet are read by one statement, on one snapshot.
-- OFFSET 0 keeps the planner from joining the whole table of clicks: it reads the range of each marker. Markers come and go by the
-- thousand; beginning at the first that is there spares a walk over the remains of all before it.

-- name: ListProgramDays :many
-- The days of a program from one date to another, both included, on which anything happened.
WITH unfolded AS (
    SELECT click.day, click.classification, click.visitor
    FROM click_batches AS marker
    CROSS JOIN LATERAL (
        SELECT clicks.day, clicks.classification, clicks.visitor
        FROM clicks
        WHERE clicks.workspace_id = @workspace_id
            AND clicks.id >= marker.first_click_id
            AND clicks.id <= marker.last_click_id
            AND clicks.batch_id = marker.id
            AND clicks.program_id = @program_id
            AND clicks.day BETWEEN @from_day AND @to_day
        OFFSET 0
    ) AS click
    WHERE marker.workspace_id = @workspace_id
        AND marker.id >= (
            SELECT first.id FROM click_batches AS first WHERE first.workspace_id = @workspace_id ORDER BY first.id LIMIT 1
        )
),
cells AS (
    SELECT
        stored.day, stored.clicks, stored.human_clicks, stored.unique_visitors, stored.signups, stored.referrals, stored.qualified,
        stored.conversions, stored.revenue, stored.reversed_revenue, stored.rewards_granted, stored.rewards_reversed
    FROM program_days AS stored
    WHERE stored.workspace_id = @workspace_id
        AND stored.program_id = @program_id
        AND stored.day BETWEEN @from_day AND @to_day
    UNION ALL
    SELECT
        fresh.day,
        count(*),
        count(*) FILTER (WHERE fresh.classification = 'human'),
        count(DISTINCT fresh.visitor) FILTER (
            WHERE fresh.classification = 'human'
                AND NOT EXISTS (
                    SELECT FROM visitor_days AS known
                    WHERE known.workspace_id = @workspace_id
                        AND known.program_id = @program_id
                        AND known.day = fresh.day
                        AND known.visitor = fresh.visitor
                )
        ),
        0, 0, 0, 0, 0, 0, 0, 0
    FROM unfolded AS fresh
    GROUP BY fresh.day
)
SELECT
    cells.day,
    sum(cells.clicks)::bigint AS clicks,
    sum(cells.human_clicks)::bigint AS human_clicks,
    sum(cells.unique_visitors)::bigint AS unique_visitors,
    sum(cells.signups)::bigint AS signups,
    sum(cells.referrals)::bigint AS referrals,
    sum(cells.qualified)::bigint AS qualified,
    sum(cells.conversions)::bigint AS conversions,
    sum(cells.revenue)::bigint AS revenue,
    sum(cells.reversed_revenue)::bigint AS reversed_revenue,
    sum(cells.rewards_granted)::bigint AS rewards_granted,
    sum(cells.rewards_reversed)::bigint AS rewards_reversed
FROM cells
GROUP BY cells.day
ORDER BY cells.day;

-- name: ListReferrerDays :many
-- The same for what one referrer brought to the program.
WITH unfolded AS (
    SELECT click.day, click.classification, click.visitor
    FROM click_batches AS marker
    CROSS JOIN LATERAL (
        SELECT clicks.day, clicks.classification, clicks.visitor
        FROM clicks
        WHERE clicks.workspace_id = @workspace_id
            AND clicks.id >= marker.first_click_id
            AND clicks.id <= marker.last_click_id
            AND clicks.batch_id = marker.id
            AND clicks.program_id = @program_id
            AND clicks.referrer_id = @participant_id
            AND clicks.day BETWEEN @from_day AND @to_day
        OFFSET 0
    ) AS click
    WHERE marker.workspace_id = @workspace_id
        AND marker.id >= (
            SELECT first.id FROM click_batches AS first WHERE first.workspace_id = @workspace_id ORDER BY first.id LIMIT 1
        )
),
cells AS (
    SELECT
        stored.day, stored.clicks, stored.human_clicks, stored.unique_visitors, stored.signups, stored.referrals, stored.qualified,
        stored.conversions, stored.revenue, stored.reversed_revenue, stored.rewards_granted, stored.rewards_reversed
    FROM referrer_days AS stored
    WHERE stored.workspace_id = @workspace_id
        AND stored.participant_id = @participant_id
        AND stored.program_id = @program_id
        AND stored.day BETWEEN @from_day AND @to_day
    UNION ALL
    SELECT
        fresh.day,
        count(*),
        count(*) FILTER (WHERE fresh.classification = 'human'),
        count(DISTINCT fresh.visitor) FILTER (
            WHERE fresh.classification = 'human'
                AND NOT EXISTS (
                    SELECT FROM visitor_days AS known
                    WHERE known.workspace_id = @workspace_id
                        AND known.program_id = @program_id
                        AND known.day = fresh.day
                        AND known.visitor = fresh.visitor
                        AND known.referrer_id = @participant_id
                )
        ),
        0, 0, 0, 0, 0, 0, 0, 0
    FROM unfolded AS fresh
    GROUP BY fresh.day
)
SELECT
    cells.day,
    sum(cells.clicks)::bigint AS clicks,
    sum(cells.human_clicks)::bigint AS human_clicks,
    sum(cells.unique_visitors)::bigint AS unique_visitors,
    sum(cells.signups)::bigint AS signups,
    sum(cells.referrals)::bigint AS referrals,
    sum(cells.qualified)::bigint AS qualified,
    sum(cells.conversions)::bigint AS conversions,
    sum(cells.revenue)::bigint AS revenue,
    sum(cells.reversed_revenue)::bigint AS reversed_revenue,
    sum(cells.rewards_granted)::bigint AS rewards_granted,
    sum(cells.rewards_reversed)::bigint AS rewards_reversed
FROM cells
GROUP BY cells.day
ORDER BY cells.day;

-- name: CountProgramVisitors :one
-- Visitors of a program over a range of days, each counted once, whatever the days and referrers.
SELECT count(DISTINCT seen.visitor)::bigint AS visitors
FROM (
    SELECT stored.visitor
    FROM visitor_days AS stored
    WHERE stored.workspace_id = @workspace_id
        AND stored.program_id = @program_id
        AND stored.day BETWEEN @from_day AND @to_day
    UNION ALL
    SELECT click.visitor
    FROM click_batches AS marker
    CROSS JOIN LATERAL (
        SELECT clicks.visitor
        FROM clicks
        WHERE clicks.workspace_id = @workspace_id
            AND clicks.id >= marker.first_click_id
            AND clicks.id <= marker.last_click_id
            AND clicks.batch_id = marker.id
            AND clicks.classification = 'human'
            AND clicks.program_id = @program_id
            AND clicks.day BETWEEN @from_day AND @to_day
        OFFSET 0
    ) AS click
    WHERE marker.workspace_id = @workspace_id
        AND marker.id >= (
            SELECT first.id FROM click_batches AS first WHERE first.workspace_id = @workspace_id ORDER BY first.id LIMIT 1
        )
) AS seen;

-- name: CountReferrerVisitors :one
-- The same for one referrer.
SELECT count(DISTINCT seen.visitor)::bigint AS visitors
FROM (
    SELECT stored.visitor
    FROM visitor_days AS stored
    WHERE stored.workspace_id = @workspace_id
        AND stored.program_id = @program_id
        AND stored.day BETWEEN @from_day AND @to_day
        AND stored.referrer_id = @participant_id
    UNION ALL
    SELECT click.visitor
    FROM click_batches AS marker
    CROSS JOIN LATERAL (
        SELECT clicks.visitor
        FROM clicks
        WHERE clicks.workspace_id = @workspace_id
            AND clicks.id >= marker.first_click_id
            AND clicks.id <= marker.last_click_id
            AND clicks.batch_id = marker.id
            AND clicks.classification = 'human'
            AND clicks.program_id = @program_id
            AND clicks.referrer_id = @participant_id
            AND clicks.day BETWEEN @from_day AND @to_day
        OFFSET 0
    ) AS click
    WHERE marker.workspace_id = @workspace_id
        AND marker.id >= (
            SELECT first.id FROM click_batches AS first WHERE first.workspace_id = @workspace_id ORDER BY first.id LIMIT 1
        )
) AS seen;
