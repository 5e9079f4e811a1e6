-- What is still owed of every reward is what its transfers hold, in the account of its state.
WITH moved AS (
    SELECT m.workspace_id, m.reward_id,
        -coalesce(sum(m.amount) FILTER (WHERE m.kind = 'expense'), 0) AS accrued,
        coalesce(sum(m.amount) FILTER (WHERE m.kind = 'pending'), 0) AS pending,
        coalesce(sum(m.amount) FILTER (WHERE m.kind = 'available'), 0) AS available,
        coalesce(sum(m.amount) FILTER (WHERE m.kind = 'reserved'), 0) AS reserved,
        coalesce(sum(m.amount) FILTER (WHERE m.kind = 'cash'), 0) AS cash,
        coalesce(sum(m.amount) FILTER (WHERE m.kind = 'breakage'), 0) AS breakage,
        coalesce(sum(m.amount) FILTER (WHERE m.kind = 'redeemed'), 0) AS redeemed
    FROM (
        SELECT t.workspace_id, t.reward_id, t.to_kind AS kind, t.amount FROM ledger_transfers AS t
        UNION ALL
        SELECT t.workspace_id, t.reward_id, t.from_kind, -t.amount FROM ledger_transfers AS t
    ) AS m
    GROUP BY m.workspace_id, m.reward_id
),
held AS (
    SELECT r.workspace_id, r.id, r.state, r.redeemed AS spent, r.granted - r.reversed - r.redeemed AS left_over,
        CASE WHEN r.state = 'pending_fx' THEN 0 ELSE r.granted - r.reversed END AS owed,
        coalesce(m.accrued, 0) AS accrued, coalesce(m.pending, 0) AS pending, coalesce(m.available, 0) AS available,
        coalesce(m.reserved, 0) AS reserved, coalesce(m.cash, 0) AS cash, coalesce(m.breakage, 0) AS breakage,
        coalesce(m.redeemed, 0) AS redeemed
    FROM rewards AS r
    LEFT JOIN moved AS m ON m.workspace_id = r.workspace_id AND m.reward_id = r.id
)
SELECT format(
    'workspace %s: reward %s is %s with %s owed, its transfers hold %s: pending %s, available %s, reserved %s, cash %s, breakage %s, redeemed %s',
    h.workspace_id, h.id, h.state, h.owed, h.accrued, h.pending, h.available, h.reserved, h.cash, h.breakage, h.redeemed
)
FROM held AS h
WHERE h.accrued <> h.owed
    OR h.pending <> CASE WHEN h.state IN ('pending', 'held') THEN h.left_over ELSE 0 END
    OR h.breakage <> CASE WHEN h.state = 'expired' THEN greatest(h.left_over, 0) ELSE 0 END
    OR h.redeemed <> h.spent
    OR (h.state = 'redeemed' AND (h.spent = 0 OR h.left_over > 0))
    -- What is clawed back after a payout or a redemption took it leaves that where it is, and makes available fall below zero.
    OR h.cash + h.reserved + h.available <> CASE
        WHEN h.state IN ('available', 'reserved', 'paid', 'redeemed') THEN h.left_over
        WHEN h.state = 'expired' THEN least(h.left_over, 0)
        ELSE 0
    END
    OR (h.cash <> 0 AND h.state <> 'paid')
    OR (h.reserved <> 0 AND h.state <> 'reserved')
ORDER BY 1
