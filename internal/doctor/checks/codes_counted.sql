-- The counter of a participant's codes in a program is the number of its codes; a retired one is given back.
WITH made AS (
    SELECT c.workspace_id, c.program_id, c.participant_id, count(*) AS codes
    FROM codes AS c
    WHERE c.state <> 'retired'
    GROUP BY c.workspace_id, c.program_id, c.participant_id
)
SELECT format(
    'workspace %s: participant %s counts %s codes in program %s and has %s',
    workspace_id, participant_id, coalesce(p.codes, 0), program_id, coalesce(m.codes, 0)
)
FROM program_participants AS p
FULL JOIN made AS m USING (workspace_id, program_id, participant_id)
WHERE coalesce(p.codes, 0) <> coalesce(m.codes, 0)
ORDER BY 1
