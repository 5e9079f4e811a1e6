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
WHERE v.visitor IS NULL OR s.visitor IS NULL
GROUP BY workspace_id, program_id, day, referrer_id
ORDER BY 1
