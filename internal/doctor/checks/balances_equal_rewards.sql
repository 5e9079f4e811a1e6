-- What stands for a participant is what was granted less what was reversed, paid, redeemed and expired, per currency and kind of reward.
WITH owed AS (
    SELECT r.workspace_id, r.participant_id, r.currency, r.kind AS reward_kind,
        sum(r.granted - r.reversed) AS net,
        sum(r.redeemed) AS redeemed,
        sum(CASE WHEN r.state = 'expired' THEN greatest(r.granted - r.reversed - r.redeemed, 0) ELSE 0 END) AS expired
    FROM rewards AS r
    WHERE r.state <> 'pending_fx'
    GROUP BY r.workspace_id, r.participant_id, r.currency, r.kind
),
held AS (
    SELECT a.workspace_id, a.participant_id, a.currency, a.reward_kind,
        coalesce(sum(a.balance) FILTER (WHERE a.kind IN ('pending', 'available', 'reserved')), 0) AS balance,
        coalesce(sum(a.balance) FILTER (WHERE a.kind = 'cash'), 0) AS paid,
        coalesce(sum(a.balance) FILTER (WHERE a.kind = 'redeemed'), 0) AS redeemed,
        coalesce(sum(a.balance) FILTER (WHERE a.kind = 'breakage'), 0) AS expired
    FROM ledger_accounts AS a
    GROUP BY a.workspace_id, a.participant_id, a.currency, a.reward_kind
)
SELECT format(
    'workspace %s: participant %s holds %s %s %s, %s redeemed and %s expired; its rewards make %s, %s and %s',
    workspace_id, participant_id, coalesce(h.balance, 0), currency, reward_kind, coalesce(h.redeemed, 0), coalesce(h.expired, 0),
    coalesce(o.net - o.redeemed - o.expired, 0) - coalesce(h.paid, 0), coalesce(o.redeemed, 0), coalesce(o.expired, 0)
)
FROM held AS h
FULL JOIN owed AS o USING (workspace_id, participant_id, currency, reward_kind)
WHERE coalesce(h.balance, 0) <> coalesce(o.net - o.redeemed - o.expired, 0) - coalesce(h.paid, 0)
    OR coalesce(h.redeemed, 0) <> coalesce(o.redeemed, 0)
    OR coalesce(h.expired, 0) <> coalesce(o.expired, 0)
ORDER BY 1
