package settlement_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// onRecord puts the state of a conversion on record.
func onRecord(c settlement.Conversion, s state.Conversion) settlement.Conversion {
	c.Stored = s
	return c
}

// TestClosedReferrals: what a person decided about a referral stands, whatever the facts say.
func TestClosedReferrals(t *testing.T) {
	t.Parallel()
	bought := onRecord(purchase("c1", 10_000, time.Hour), state.ConversionCounted)
	tell(t, []tale{
		{"rejected for risk: everything is taken, and nothing new counts",
			with(story(program(joining), bought, renewal("c2", 5_000, 30*day)), stored("rejected", "RISK_REJECTED")), `
			rejected RISK_REJECTED by c1
			c1 counted COUNTED
			c2 disqualified RISK_REJECTED
			join-referee for R: 0 of 300 RISK_REJECTED
			join-referrer for R: 0 of 300 RISK_REJECTED
			referee for c1: 0 of 1000 RISK_REJECTED
			referrer for c1: 0 of 2000 RISK_REJECTED`},
		{"rejected by hand before anything was bought", with(story(program(), purchase("c1", 10_000, time.Hour)), stored("rejected", "REFERRAL_REJECTED")), `
			rejected REFERRAL_REJECTED
			c1 disqualified REFERRAL_REJECTED`},
		{"after a ban the facts decide on what was owed, and the engine on what the ban has cancelled",
			with(story(program(joining), bought, purchase("c2", 10_000, 2*time.Hour)), stored("rejected", "REFERRER_INELIGIBLE")), `
			rejected REFERRER_INELIGIBLE by c1
			c1 counted COUNTED
			c2 disqualified REFERRER_INELIGIBLE
			join-referee for R: 300 of 300 GRANTED
			join-referrer for R: 300 of 300 GRANTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"what the referee of a banned referrer keeps, a refund still takes",
			with(story(program(), onRecord(purchase("c1", 10_000, time.Hour, refund("r1", 0, day)), state.ConversionCounted)), stored("rejected", "REFERRER_INELIGIBLE")), `
			rejected REFERRER_INELIGIBLE
			c1 reversed REVERSED_REFUND`},
		{"a conversion that counted is never disqualified, even when it is refunded in part",
			with(story(program(), onRecord(purchase("c1", 10_000, time.Hour, refund("r1", 1, day)), state.ConversionPartiallyReversed)), stored("rejected", "RISK_REJECTED")), `
			rejected RISK_REJECTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 0 of 1000 RISK_REJECTED
			referrer for c1: 0 of 2000 RISK_REJECTED`},
		{"what was disqualified stays so, though the honour period was made longer since",
			with(story(program(), onRecord(purchase("c1", 10_000, 5*day), state.ConversionDisqualified), purchase("c2", 3_000, 6*day)), honored(30*day)), `
			qualified COUNTED by c2
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 600 of 600 GRANTED`},
		{"the honour period was cut short after a purchase had counted", with(story(program(), bought), honored(time.Minute)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 counted PROGRAM_NOT_ACTIVE`},
		{"what waited for its referral does not count on record", with(story(program(), onRecord(purchase("c1", 10_000, -day), state.ConversionUnmatched))), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 disqualified OCCURRED_BEFORE_SIGNUP`},
		{"superseded: the next referral pays for both", with(story(program(joining)), stored("superseded", "SUPERSEDED")), `
			superseded SUPERSEDED
			join-referee for R: 0 of 300 SUPERSEDED
			join-referrer for R: 0 of 300 SUPERSEDED`},
		{"a rejected referral does not expire", with(story(program()), stored("rejected", "RISK_REJECTED"), seen(91*day)), `
			rejected RISK_REJECTED`},
		{"under review: the facts count and the state waits for a person", with(story(program(), bought), stored("under_review", "RISK_HELD")), `
			under_review RISK_HELD by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
	})
}
