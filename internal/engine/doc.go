// Package engine is the shell around the pure rules: one exported method per operation that takes more than one statement.
//
// Every method loads facts, asks a rule, and records the outcome, in the transaction that it is given; it never begins or
// commits one. What it records goes through a recorder, which writes rows in one fixed order: facts, decisions, referrals,
// conversions, rewards, then ledger accounts by ascending owner, transfers, statistics and events. Locks are taken in the
// order referee, referrer and ancestors, referrals, conversions, rewards, limits (caps, budgets, what tiers and milestones measure),
// milestones, accounts; so deadlocks are real conflicts, and the store retries them.
//
// A history is everything that is known of one referee in one program. Whatever arrives (a signup, a purchase, a refund, a
// churn) is added to the history, and settle compares what the rules make of it with what is stored and records the
// difference. That is the only way in which a referral, a conversion or a reward of a referral changes.
//
// A payout takes rewards as they are: it reserves what is available, and settling goes on beside it. What is taken back of a reserved or
// paid reward leaves the payout as it is and lowers the available balance instead, below zero if need be; the next run sets that off.
// The last look at it is when the payout is handed over: one whose owner owes by then is cancelled, so that nothing is paid that was
// undone before. Locks are taken in the order policy, run, payout, rewards by ascending id, accounts.
package engine
