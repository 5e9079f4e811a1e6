// Package conform plays situations, told in YAML files, against a server through its published API, and says what did not come out
// as told.
//
// A situation is a story of its own: a program, people, codes (given), what happens to them (when), and what must be so in the end
// (then). After each, what must always hold is checked too: the books balance, what people have is what they were granted less what
// was taken, paid, redeemed or expired, every decision can be replayed, and the statistics equal the facts. The format is described
// in examples/conformance/README.md; the files there are run by the tests of this package and by `grapevine conform`.
//
//   - A play is one telling of a situation. A situation with an any_order group is told once for each order.
//   - A stage is one test workspace with the plays that share it. All of them begin at the same moment and wait for the clock
//     together, because a workspace has one clock, and it moves forward only.
//
// Nothing here knows the engine or the database: what holds for a partner is all that counts.
package conform
