// Package attacks tries hostile and broken input against a running server over a real database, as one test that walks the rows of
// attacks.yaml: what is sent, what must come back, and what must not have changed.
//
// A row is either cases, which are requests made from the valid request of an operation (its recipe) by changing one thing, or the
// name of a program in Go for what a request cannot say: races, broken connections, two servers. Cases and programs go over the
// operations of the contract wherever the attack does, so that an operation, an id parameter or a table that is added later is
// attacked too, or fails the test until there is a recipe for it. A row that nothing tries must say why.
//
// What must be unchanged is compared as a digest of every table and workspace, before and after:
//
//	W  everything
//	V  every workspace but the attacker's
//	L  rewards and ledger
//	A  clicks, signups, decisions, referrals, conversions
//	-  nothing in particular; the row's own program looks
//
// Idempotency keys are left out: a refusal may be stored under its key. Beyond a row's own claims, every answer of every row is held
// against the contract, must not show an id of another workspace, a key or a planted personal text, and a refusal must have the shape
// of refusals. What the server logged, its metrics and the whole database are searched for the same texts at the end.
package attacks
