-- A referee has at most one live referral in a program, and nobody refers themselves.
SELECT format('workspace %s: referee %s has %s live referrals in program %s', r.workspace_id, r.referee_id, count(*), r.program_id)
FROM referrals AS r
WHERE r.state NOT IN ('expired', 'rejected', 'superseded')
GROUP BY r.workspace_id, r.program_id, r.referee_id
HAVING count(*) > 1
UNION ALL
SELECT format('workspace %s: referral %s has participant %s on both sides', r.workspace_id, r.id, r.referee_id)
FROM referrals AS r
WHERE r.referrer_id = r.referee_id
ORDER BY 1
