-- Every transfer moves what its reward is made of, of its reward's owner, in its reward's currency.
SELECT format(
    'workspace %s: transfer %s moves %s %s of participant %s, its reward %s is %s %s of participant %s',
    t.workspace_id, t.id, t.currency, t.reward_kind, t.participant_id, r.id, r.currency, r.kind, r.participant_id
)
FROM ledger_transfers AS t
JOIN rewards AS r ON r.workspace_id = t.workspace_id AND r.id = t.reward_id
WHERE t.participant_id <> r.participant_id OR t.currency <> r.currency OR t.reward_kind <> r.kind
ORDER BY 1
