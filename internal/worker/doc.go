// Package worker does what is due without anybody asking for it.
//
// A turn goes through all workspaces and does in each what is due by the workspace's own clock: rewards mature and expire, referrals
// expire, sales get their rate, tiers are rated again when their period closes, payouts are made and sent, erasures go on, the log is
// chained, clicks are folded into the statistics, idempotency keys past their week are deleted. Partitions of clicks are made ahead, and
// those past their time are dropped, by the owner's login. Turns begin every second and never overlap.
// Work that waits is found by its date in the rows themselves, so nothing is lost when a process ends between two transactions, and any
// number of processes may run a worker on one database: what one has locked the others leave alone.
//
// A failure is logged and counted, the rest of the turn goes on, and the next turn tries again.
package worker
