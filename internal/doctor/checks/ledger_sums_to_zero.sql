-- Every currency and kind of reward sums to zero over all accounts.
SELECT format('workspace %s: %s %s sums to %s', a.workspace_id, a.currency, a.reward_kind, sum(a.balance))
FROM ledger_accounts AS a
GROUP BY a.workspace_id, a.currency, a.reward_kind
HAVING sum(a.balance) <> 0
ORDER BY 1
