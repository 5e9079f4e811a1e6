-- The counters of every program and day equal its facts.
-- Clicks that are not folded yet are in no counter.
WITH facts AS (
    SELECT f.workspace_id, f.program_id, f.day, counter.name, sum(counter.value) AS value
    FROM (
        SELECT
            c.workspace_id, c.program_id, c.day,
            count(*) AS clicks,
            count(*) FILTER (WHERE c.classification = 'human') AS human_clicks,
            count(DISTINCT c.visitor) FILTER (WHERE c.classification = 'human') AS unique_visitors,
            0 AS signups, 0 AS referrals, 0 AS qualified, 0 AS conversions, 0 AS revenue, 0 AS reversed_revenue, 0 AS rewards_granted,
            0 AS rewards_reversed
        FROM clicks AS c
        WHERE NOT EXISTS (SELECT FROM click_batches AS b WHERE b.workspace_id = c.workspace_id AND b.id = c.batch_id)
        GROUP BY c.workspace_id, c.program_id, c.day
        UNION ALL
        SELECT s.workspace_id, s.program_id, (s.occurred_at AT TIME ZONE p.time_zone)::date, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0
        FROM signups AS s
        JOIN programs AS p ON p.workspace_id = s.workspace_id AND p.id = s.program_id
        UNION ALL
        SELECT r.workspace_id, r.program_id, (r.attributed_at AT TIME ZONE p.time_zone)::date, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
        FROM referrals AS r
        JOIN programs AS p ON p.workspace_id = r.workspace_id AND p.id = r.program_id
        WHERE r.state <> 'superseded'
        UNION ALL
        SELECT r.workspace_id, r.program_id, (r.qualified_at AT TIME ZONE p.time_zone)::date, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0
        FROM referrals AS r
        JOIN programs AS p ON p.workspace_id = r.workspace_id AND p.id = r.program_id
        WHERE r.state IN ('qualified', 'churned') AND r.qualified_at IS NOT NULL
        UNION ALL
        SELECT c.workspace_id, c.program_id, (c.occurred_at AT TIME ZONE p.time_zone)::date, 0, 0, 0, 0, 0, 0, 1, coalesce(c.base_amount, 0), c.base_reversed_amount, 0, 0
        FROM conversions AS c
        JOIN programs AS p ON p.workspace_id = c.workspace_id AND p.id = c.program_id
        WHERE c.referral_id IS NOT NULL AND c.state NOT IN ('disqualified', 'unmatched')
        UNION ALL
        SELECT
            w.workspace_id, w.program_id, (coalesce(c.occurred_at, r.attributed_at, w.created_at) AT TIME ZONE p.time_zone)::date,
            0, 0, 0, 0, 0, 0, 0, 0, 0, w.granted, w.reversed
        FROM rewards AS w
        JOIN programs AS p ON p.workspace_id = w.workspace_id AND p.id = w.program_id AND p.currency = w.currency
        LEFT JOIN conversions AS c ON c.workspace_id = w.workspace_id AND c.id = w.cause_id
        LEFT JOIN referrals AS r ON r.workspace_id = w.workspace_id AND r.id = w.referral_id
    ) AS f
    CROSS JOIN LATERAL (
        VALUES
            ('clicks', f.clicks), ('human_clicks', f.human_clicks), ('unique_visitors', f.unique_visitors), ('signups', f.signups),
            ('referrals', f.referrals), ('qualified', f.qualified), ('conversions', f.conversions), ('revenue', f.revenue),
            ('reversed_revenue', f.reversed_revenue), ('rewards_granted', f.rewards_granted), ('rewards_reversed', f.rewards_reversed)
    ) AS counter (name, value)
    GROUP BY f.workspace_id, f.program_id, f.day, counter.name
),
stored AS (
    SELECT s.workspace_id, s.program_id, s.day, counter.name, sum(counter.value) AS value
    FROM program_days AS s
    CROSS JOIN LATERAL (
        VALUES
            ('clicks', s.clicks), ('human_clicks', s.human_clicks), ('unique_visitors', s.unique_visitors), ('signups', s.signups),
            ('referrals', s.referrals), ('qualified', s.qualified), ('conversions', s.conversions), ('revenue', s.revenue),
            ('reversed_revenue', s.reversed_revenue), ('rewards_granted', s.rewards_granted), ('rewards_reversed', s.rewards_reversed)
    ) AS counter (name, value)
    GROUP BY s.workspace_id, s.program_id, s.day, counter.name
)
SELECT format(
    'workspace %s: program %s counts %s %s on %s, its facts make %s',
    workspace_id, program_id, coalesce(s.value, 0), name, day, coalesce(f.value, 0)
)
FROM stored AS s
FULL JOIN facts AS f USING (workspace_id, program_id, day, name)
WHERE coalesce(s.value, 0) <> coalesce(f.value, 0)
    AND NOT (
        -- The clicks of months that were dropped are still counted.
        name IN ('clicks', 'human_clicks', 'unique_visitors') AND s.value > coalesce(f.value, 0)
        AND EXISTS (
            SELECT FROM workspaces AS w
            CROSS JOIN (
                SELECT min(to_date(right(relname, 6), 'YYYYMM')) AS day FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                WHERE inhparent = 'clicks'::regclass AND relname ~ '^clicks_[0-9]{6}$'
            ) AS kept
            WHERE w.workspace_id = s.workspace_id AND w.created_at < kept.day AND (s.day < kept.day + 31 OR w.clock_at IS NOT NULL)
        )
    )
ORDER BY 1
