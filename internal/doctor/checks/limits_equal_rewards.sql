-- Every cap and budget holds what is left of the rewards that name it.
WITH facts AS (
    SELECT
        w.workspace_id, w.program_id,
        CASE WHEN named.limit_text LIKE 'budget:%' THEN '00000000-0000-0000-0000-000000000000'::uuid ELSE w.participant_id END AS participant_id,
        named.limit_text,
        sum(w.granted - w.reversed) AS used
    FROM rewards AS w
    CROSS JOIN LATERAL unnest(w.limits) AS named (limit_text)
    GROUP BY 1, 2, 3, 4
),
stored AS (
    SELECT l.workspace_id, l.program_id, l.participant_id, l.name || '/' || to_char(l.period, 'YYYY-MM-DD') AS limit_text, l.used
    FROM reward_limits AS l
)
SELECT format(
    'workspace %s: limit %s of program %s and participant %s holds %s, its rewards make %s',
    workspace_id, limit_text, program_id, participant_id, coalesce(s.used, 0), coalesce(f.used, 0)
)
FROM stored AS s
FULL JOIN facts AS f USING (workspace_id, program_id, participant_id, limit_text)
WHERE coalesce(s.used, 0) <> coalesce(f.used, 0)
ORDER BY 1
