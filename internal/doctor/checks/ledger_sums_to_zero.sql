-- Every currency sums to zero over all accounts.
SELECT format('workspace %s: %s sums to %s', a.workspace_id, a.currency, sum(a.balance))
FROM ledger_accounts AS a
GROUP BY a.workspace_id, a.currency
HAVING sum(a.balance) <> 0
ORDER BY 1
