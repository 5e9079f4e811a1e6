-- Every referral comes from a decision that attributed it, and every such decision made its referral.
SELECT format('workspace %s: referral %s and its decision %s disagree', r.workspace_id, r.id, r.decision_id)
FROM referrals AS r
JOIN attribution_decisions AS d ON d.workspace_id = r.workspace_id AND d.id = r.decision_id
WHERE (d.attributed, d.referral_id, d.referrer_id, d.referee_id, d.program_id, d.program_version_id, d.code_id)
    IS DISTINCT FROM (true, r.id, r.referrer_id, r.referee_id, r.program_id, r.program_version_id, r.code_id)
UNION ALL
SELECT format('workspace %s: decision %s attributed referral %s, which does not exist', d.workspace_id, d.id, d.referral_id)
FROM attribution_decisions AS d
WHERE d.attributed
    AND NOT EXISTS (SELECT FROM referrals AS r WHERE r.workspace_id = d.workspace_id AND r.id = d.referral_id AND r.decision_id = d.id)
ORDER BY 1
