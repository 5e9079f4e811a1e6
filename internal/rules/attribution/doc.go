// Package attribution decides who gets a referee, and says why.
//
// A touch is a candidate: a stored click, a typed code, or a referrer named by hand. Every touch is judged by the facts of
// its own time; those that may not count stay in the answer with their reason. Decide is a pure function of Inputs:
// the same inputs give the same answer, byte for byte, so that a stored decision can be replayed.
//
// The order of the questions is part of the contract: was the program active when the fact occurred; has the referee a live
// referral; which eligible touch wins; is the referrer the referee, by id or by folded e-mail address; was the referee a
// customer before that touch; is the referrer eligible. The first "no" is the reason. A refused winner does not pass the
// referee on to the next touch: self-referral and existing customers are refused, not re-credited.
package attribution
