// Package settlement computes what a referral and its conversions amount to.
//
// Settle looks at every fact of one referral, ordered by the time at which it occurred, and returns the state, the
// qualification and the rewards that follow. The engine compares that with what is stored and records the difference. So
// the order in which facts arrive cannot matter, and a refund, a chargeback, a churn and a dispute won are all the same
// operation: settle again.
//
// The reward of a rule for a conversion is Granted on the gross amount and keeps Net on the cumulative net amount: what is
// reversed is always Granted - Net, so partial reversals add up to the grant to the minor unit. 20 % of 9,999 is 2,000;
// three refunds of 3,333 leave 1,333, 667 and 0, and take 667, 666 and 667.
//
// Qualification: the first conversion of a qualifying type inside [signup, qualify by) that reaches the minimum. Rewards of
// conversion triggers start with it; a conversion that came before it earns nothing. Churn inside [qualified, qualified +
// window) takes everything, whatever is refunded afterwards; a reactivation lets later conversions earn, and brings back what
// was taken only if the rules say so.
//
// What a reward comes to is worked out from below: the step of a tier that its beneficiary has reached with this very fact, of the sale or
// of the commission of the level below, before caps. What a cap or the budget leaves of that is not decided here, because others draw on
// them at the same time: Bounds names them, and the engine counts. What was rated stays rated (Facts.Rated) until its period closes. All
// amounts are those of the program's currency, by the rate of the sale; without one a conversion is Unpriced: it qualifies nothing, and its
// rewards wait.
//
// Simulate does all of it for a whole history, caps and budget included, and Reckon tells of one conversion how each rule comes to what
// it pays, or why it pays nothing.
package settlement
