-- Every transfer moves money of its reward's owner, in its reward's currency.
SELECT format(
    'workspace %s: transfer %s moves %s of participant %s, its reward %s is in %s and of participant %s',
    t.workspace_id, t.id, t.currency, t.participant_id, r.id, r.currency, r.participant_id
)
FROM ledger_transfers AS t
JOIN rewards AS r ON r.workspace_id = t.workspace_id AND r.id = t.reward_id
WHERE t.participant_id <> r.participant_id OR t.currency <> r.currency
ORDER BY 1
