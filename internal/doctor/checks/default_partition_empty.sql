-- No click is in the partition for times that have none.
-- The size is asked first, because it costs nothing.
SELECT format('workspace %s has %s clicks in the default partition', c.workspace_id, count(*))
FROM clicks AS c
WHERE pg_relation_size('clicks_default') > 0 AND c.tableoid = 'clicks_default'::regclass
GROUP BY c.workspace_id
ORDER BY 1
