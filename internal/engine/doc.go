// Package engine is the shell around the pure rules: one exported method per operation that takes more than one statement.
//
// Every method loads facts, asks a rule, and records the outcome, in the transaction that it is given; it never begins or
// commits one. What it records goes through a recorder, which writes rows in one fixed order: facts, decisions, referrals,
// conversions, rewards, then ledger accounts by ascending owner, transfers, statistics and events. Locks are taken in the
// order referee, referrer and ancestors, referrals, conversions, rewards, accounts; so deadlocks are real conflicts, and
// the store retries them.
//
// A history is everything that is known of one referee in one program. Whatever arrives (a signup, a purchase, a refund, a
// churn) is added to the history, and settle compares what the rules make of it with what is stored and records the
// difference. That is the only way in which a referral, a conversion or a reward of a referral changes.
package engine
