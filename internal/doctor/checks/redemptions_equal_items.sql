-- The items of a redemption add up to it, and what is redeemed of a reward is what redemptions took that nobody voided.
WITH taken AS (
    SELECT i.workspace_id, i.redemption_id, sum(i.amount) AS amount FROM credit_redemption_items AS i GROUP BY i.workspace_id, i.redemption_id
),
spent AS (
    SELECT i.workspace_id, i.reward_id, sum(i.amount) AS amount
    FROM credit_redemption_items AS i
    WHERE NOT EXISTS (SELECT FROM credit_redemption_voids AS v WHERE v.workspace_id = i.workspace_id AND v.redemption_id = i.redemption_id)
    GROUP BY i.workspace_id, i.reward_id
)
SELECT format('workspace %s: redemption %s is of %s, its items of %s', c.workspace_id, c.id, c.amount, coalesce(t.amount, 0))
FROM credit_redemptions AS c
LEFT JOIN taken AS t ON t.workspace_id = c.workspace_id AND t.redemption_id = c.id
WHERE c.amount <> coalesce(t.amount, 0)
UNION ALL
SELECT format('workspace %s: %s of reward %s are redeemed, its redemptions took %s', r.workspace_id, r.redeemed, r.id, coalesce(s.amount, 0))
FROM rewards AS r
LEFT JOIN spent AS s ON s.workspace_id = r.workspace_id AND s.reward_id = r.id
WHERE r.redeemed <> coalesce(s.amount, 0)
ORDER BY 1
