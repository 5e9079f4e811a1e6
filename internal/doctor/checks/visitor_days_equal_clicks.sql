-- The stored visitors of every program, day and referrer are those of the folded human clicks.
WITH seen AS (
    SELECT DISTINCT c.workspace_id, c.program_id, c.day, c.referrer_id, c.visitor
    FROM clicks AS c
    WHERE c.classification = 'human'
        AND NOT EXISTS (SELECT FROM click_batches AS b WHERE b.workspace_id = c.workspace_id AND b.id = c.batch_id)
)
SELECT format(
    'workspace %s: of referrer %s in program %s on %s, %s visitors are stored who did not click and %s are missing who did',
    workspace_id, referrer_id, program_id, day, count(*) FILTER (WHERE s.visitor IS NULL), count(*) FILTER (WHERE v.visitor IS NULL)
)
FROM (SELECT v.*, v.visitor AS who FROM visitor_days AS v) AS v
FULL JOIN (SELECT s.*, s.visitor AS who FROM seen AS s) AS s USING (workspace_id, program_id, day, referrer_id, who)
WHERE v.visitor IS NULL
    OR s.visitor IS NULL AND NOT EXISTS (
        -- The clicks of months that were dropped are still counted.
        SELECT FROM workspaces AS w
        CROSS JOIN (
            SELECT min(to_date(right(relname, 6), 'YYYYMM')) AS day FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'clicks'::regclass AND relname ~ '^clicks_[0-9]{6}$'
        ) AS kept
        WHERE w.workspace_id = v.workspace_id AND w.created_at < kept.day AND (v.day < kept.day + 31 OR w.clock_at IS NOT NULL)
    )
GROUP BY workspace_id, program_id, day, referrer_id
ORDER BY 1
