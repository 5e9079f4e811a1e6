-- The database keeps what it has acknowledged.
SELECT format('%s is off', s.name)
FROM pg_settings AS s
WHERE s.name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND s.setting = 'off'
ORDER BY 1
