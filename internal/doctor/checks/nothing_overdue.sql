-- No work has been due for an hour, as it would be if nobody did it.
SELECT format('workspace %s: %s referrals should have expired, the first one at %s', r.workspace_id, count(*), min(r.qualify_by))
FROM referrals AS r
JOIN workspaces AS w ON w.workspace_id = r.workspace_id
WHERE r.state = 'attributed' AND greatest(r.qualify_by, r.created_at) < coalesce(w.clock_at, now()) - interval '1 hour'
GROUP BY r.workspace_id
UNION ALL
SELECT format('workspace %s: %s rewards should have matured, the first one at %s', r.workspace_id, count(*), min(r.available_at))
FROM rewards AS r
JOIN workspaces AS w ON w.workspace_id = r.workspace_id
WHERE r.state = 'pending' AND greatest(r.available_at, r.created_at) < coalesce(w.clock_at, now()) - interval '1 hour'
GROUP BY r.workspace_id
UNION ALL
SELECT format('workspace %s: %s rewards should have expired, the first one at %s', r.workspace_id, count(*), min(r.expires_at))
FROM rewards AS r
JOIN workspaces AS w ON w.workspace_id = r.workspace_id
WHERE r.state = 'available' AND r.expires_at IS NOT NULL AND greatest(r.expires_at, r.created_at) < coalesce(w.clock_at, now()) - interval '1 hour'
GROUP BY r.workspace_id
UNION ALL
SELECT format('workspace %s: sales below %s participants should have been settled again, the first at %s', r.workspace_id, count(*), min(r.due_at))
FROM resettlements AS r
JOIN workspaces AS w ON w.workspace_id = r.workspace_id
WHERE r.due_at < coalesce(w.clock_at, now()) - interval '1 hour'
GROUP BY r.workspace_id
ORDER BY 1
