-- What every referrer has reached in a month equals its facts.
WITH facts AS (
    SELECT f.workspace_id, f.program_id, f.participant_id, f.month, counter.name, sum(counter.value) AS value
    FROM (
        SELECT
            r.workspace_id, r.program_id, r.referrer_id AS participant_id,
            date_trunc('month', r.qualified_at AT TIME ZONE p.time_zone)::date AS month, 1 AS qualified, 0 AS conversions, 0 AS revenue
        FROM referrals AS r
        JOIN programs AS p ON p.workspace_id = r.workspace_id AND p.id = r.program_id
        WHERE r.state = 'qualified'
        UNION ALL
        SELECT
            r.workspace_id, r.program_id, r.referrer_id, date_trunc('month', c.occurred_at AT TIME ZONE p.time_zone)::date, 0, 1,
            c.base_amount - c.base_reversed_amount
        FROM conversions AS c
        JOIN referrals AS r ON r.workspace_id = c.workspace_id AND r.id = c.referral_id
        JOIN programs AS p ON p.workspace_id = c.workspace_id AND p.id = c.program_id
        WHERE c.base_amount IS NOT NULL AND c.state IN ('counted', 'partially_reversed') AND r.state NOT IN ('rejected', 'superseded')
    ) AS f
    CROSS JOIN LATERAL (
        VALUES ('qualified', f.qualified), ('conversions', f.conversions), ('revenue', f.revenue)
    ) AS counter (name, value)
    GROUP BY f.workspace_id, f.program_id, f.participant_id, f.month, counter.name
),
stored AS (
    SELECT s.workspace_id, s.program_id, s.participant_id, s.month, counter.name, counter.value
    FROM referrer_months AS s
    CROSS JOIN LATERAL (
        VALUES ('qualified', s.qualified), ('conversions', s.conversions), ('revenue', s.revenue)
    ) AS counter (name, value)
)
SELECT format(
    'workspace %s: participant %s in program %s has %s %s in the month from %s, the facts make %s',
    workspace_id, participant_id, program_id, coalesce(s.value, 0), name, month, coalesce(f.value, 0)
)
FROM stored AS s
FULL JOIN facts AS f USING (workspace_id, program_id, participant_id, month, name)
WHERE coalesce(s.value, 0) <> coalesce(f.value, 0)
ORDER BY 1
