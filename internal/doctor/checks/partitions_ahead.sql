-- Clicks have a partition for this month and the next.
SELECT format('there is no partition of clicks for %s', to_char(month, 'YYYY-MM'))
FROM unnest(ARRAY[date_trunc('month', now() AT TIME ZONE 'UTC'), date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month']) AS month
WHERE to_regclass('clicks_' || to_char(month, 'YYYYMM')) IS NULL
ORDER BY 1
