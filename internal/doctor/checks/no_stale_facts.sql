-- No fact waits for a partner that has arrived.
SELECT format('workspace %s: conversion %s is unmatched, and referral %s of its referee exists', c.workspace_id, c.id, r.id)
FROM conversions AS c
JOIN referrals AS r ON r.workspace_id = c.workspace_id AND r.program_id = c.program_id AND r.referee_id = c.referee_id
WHERE c.state = 'unmatched' AND r.state <> 'superseded'
UNION ALL
SELECT format('workspace %s: reversal %s waits for conversion %s, which exists', f.workspace_id, f.fact_id, c.id)
FROM unmatched_facts AS f
JOIN reversals AS v ON v.workspace_id = f.workspace_id AND v.id = f.fact_id
JOIN conversions AS c
    ON c.workspace_id = v.workspace_id AND c.source = v.source AND c.external_id = v.conversion_external_id AND c.type = v.conversion_type
WHERE f.state = 'waiting' AND f.kind = 'reversal'
UNION ALL
SELECT format('workspace %s: %s %s waits for a referral, and %s covers it', f.workspace_id, f.kind, f.fact_id, r.id)
FROM unmatched_facts AS f
JOIN churns AS h ON h.workspace_id = f.workspace_id AND h.id = f.fact_id
JOIN referrals AS r ON r.workspace_id = h.workspace_id AND r.program_id = h.program_id AND r.referee_id = h.referee_id
WHERE f.state = 'waiting' AND r.state NOT IN ('rejected', 'superseded') AND r.attributed_at <= h.occurred_at
UNION ALL
SELECT format('workspace %s: signup %s waits for click %s, which exists', f.workspace_id, f.fact_id, k.id)
FROM unmatched_facts AS f
JOIN clicks AS k ON k.workspace_id = f.workspace_id AND f.waits_for = 'click:' || k.id
WHERE f.state = 'waiting' AND f.kind = 'signup'
UNION ALL
SELECT format('workspace %s: conversion %s is unmatched and waits for nothing', c.workspace_id, c.id)
FROM conversions AS c
WHERE c.state = 'unmatched'
    AND NOT EXISTS (SELECT FROM unmatched_facts AS f WHERE f.workspace_id = c.workspace_id AND f.fact_id = c.id AND f.state = 'waiting')
ORDER BY 1
