-- Every payout is the sum of its items, every reserved or paid reward is in one live payout, and the books hold what payouts say.
WITH moved AS (
    SELECT m.workspace_id, m.reward_id,
        sum(m.amount) FILTER (WHERE m.kind = 'reserved') AS reserved,
        sum(m.amount) FILTER (WHERE m.kind = 'cash') AS cash
    FROM (
        SELECT t.workspace_id, t.reward_id, t.to_kind AS kind, t.amount FROM ledger_transfers AS t
        UNION ALL
        SELECT t.workspace_id, t.reward_id, t.from_kind, -t.amount FROM ledger_transfers AS t
    ) AS m
    WHERE m.kind IN ('reserved', 'cash')
    GROUP BY m.workspace_id, m.reward_id
),
promised AS (
    SELECT i.workspace_id, i.reward_id, count(*) AS payouts, min(p.state) AS state,
        sum(CASE WHEN p.state = 'paid' THEN 0 ELSE i.amount END) AS reserved,
        sum(CASE WHEN p.state = 'paid' THEN i.amount ELSE 0 END) AS cash
    FROM payout_items AS i
    JOIN payouts AS p ON p.workspace_id = i.workspace_id AND p.id = i.payout_id
    WHERE i.live
    GROUP BY i.workspace_id, i.reward_id
)
SELECT format('workspace %s: payout %s is %s %s, its items make %s', p.workspace_id, p.id, p.amount, p.currency, coalesce(i.amount, 0))
FROM payouts AS p
LEFT JOIN (
    SELECT i.workspace_id, i.payout_id, sum(i.amount) AS amount, sum(i.offset_amount) AS offset_amount
    FROM payout_items AS i
    GROUP BY i.workspace_id, i.payout_id
) AS i ON i.workspace_id = p.workspace_id AND i.payout_id = p.id
WHERE p.amount <> coalesce(i.amount, 0) OR p.offset_amount <> coalesce(i.offset_amount, 0)
UNION ALL
SELECT format('workspace %s: reward %s is in %s live payouts', q.workspace_id, q.reward_id, q.payouts)
FROM promised AS q
WHERE q.payouts > 1
UNION ALL
SELECT format('workspace %s: reward %s is %s, its payout is %s', r.workspace_id, r.id, r.state, coalesce(q.state, 'missing'))
FROM rewards AS r
LEFT JOIN promised AS q ON q.workspace_id = r.workspace_id AND q.reward_id = r.id
WHERE r.state <> CASE WHEN q.state = 'paid' THEN 'paid' WHEN q.state IS NOT NULL THEN 'reserved' ELSE r.state END
    OR (q.state IS NULL AND r.state IN ('reserved', 'paid'))
UNION ALL
SELECT format('workspace %s: reward %s has %s reserved and %s paid, its payouts say %s and %s',
    coalesce(m.workspace_id, q.workspace_id), coalesce(m.reward_id, q.reward_id), coalesce(m.reserved, 0), coalesce(m.cash, 0),
    coalesce(q.reserved, 0), coalesce(q.cash, 0)
)
FROM moved AS m
FULL JOIN promised AS q ON q.workspace_id = m.workspace_id AND q.reward_id = m.reward_id
WHERE coalesce(m.reserved, 0) <> coalesce(q.reserved, 0) OR coalesce(m.cash, 0) <> coalesce(q.cash, 0)
ORDER BY 1
