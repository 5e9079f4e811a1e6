-- The balance of every account is the sum of its transfers, and every transfer has both of its accounts.
WITH moved AS (
    SELECT m.workspace_id, m.participant_id, m.currency, m.reward_kind, m.kind, sum(m.amount) AS balance
    FROM (
        SELECT t.workspace_id, t.participant_id, t.currency, t.reward_kind, t.to_kind AS kind, t.amount FROM ledger_transfers AS t
        UNION ALL
        SELECT t.workspace_id, t.participant_id, t.currency, t.reward_kind, t.from_kind, -t.amount FROM ledger_transfers AS t
    ) AS m
    GROUP BY m.workspace_id, m.participant_id, m.currency, m.reward_kind, m.kind
)
SELECT format(
    'workspace %s: account %s %s %s of participant %s holds %s, its transfers make %s',
    workspace_id, currency, reward_kind, kind, participant_id, coalesce(a.balance::text, 'nothing, it is missing'), coalesce(m.balance, 0)
)
FROM ledger_accounts AS a
FULL JOIN moved AS m USING (workspace_id, participant_id, currency, reward_kind, kind)
WHERE a.balance IS NULL OR a.balance <> coalesce(m.balance, 0)
ORDER BY 1
