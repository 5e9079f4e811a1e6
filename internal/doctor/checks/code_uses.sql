-- The uses of a limited code are the referrals that it made.
SELECT format('workspace %s: code %s counts %s uses and made %s referrals', c.workspace_id, c.id, c.uses, count(r.id))
FROM codes AS c
LEFT JOIN referrals AS r ON r.workspace_id = c.workspace_id AND r.code_id = c.id
WHERE c.max_uses IS NOT NULL
GROUP BY c.workspace_id, c.id, c.uses
HAVING c.uses <> count(r.id)
ORDER BY 1
