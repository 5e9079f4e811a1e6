package settlement_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

func TestQualification(t *testing.T) {
	t.Parallel()
	const end = 90 * day
	tell(t, []tale{
		{"a signup alone owes nothing and waits", story(program()), `
			attributed ATTRIBUTED_LAST_TOUCH`},
		{"a purchase pays both sides", story(program(), purchase("c1", 10_000, time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"a purchase at the moment of the signup counts", story(program(), purchase("c1", 10_000, 0)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"a purchase before the signup never counts", story(program(), purchase("c1", 10_000, -instant)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 disqualified OCCURRED_BEFORE_SIGNUP`},
		{"a purchase before the signup does not stand in the way of one after it",
			story(program(), purchase("c1", 10_000, -day), purchase("c2", 10_000, time.Hour)), `
			qualified COUNTED by c2
			c1 disqualified OCCURRED_BEFORE_SIGNUP
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 2000 of 2000 GRANTED`},
		{"a purchase in the last microsecond of the window qualifies", with(story(program(), purchase("c1", 10_000, end-instant)), seen(end)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"a purchase at the end of the window does not", with(story(program(), purchase("c1", 10_000, end)), seen(end)), `
			expired QUALIFICATION_WINDOW_EXPIRED
			c1 counted QUALIFICATION_WINDOW_EXPIRED`},
		{"a purchase after the window tells that it is over, whatever our clock says", story(program(), purchase("c1", 10_000, end)), `
			expired QUALIFICATION_WINDOW_EXPIRED
			c1 counted QUALIFICATION_WINDOW_EXPIRED`},
		{"a renewal after the window tells nothing", story(program(), renewal("c1", 10_000, end)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 counted QUALIFICATION_WINDOW_EXPIRED`},
		{"the window passes without a purchase", with(story(program()), seen(end)), `
			expired QUALIFICATION_WINDOW_EXPIRED`},
		{"a microsecond before the end it has not passed", with(story(program()), seen(end-instant)), `
			attributed ATTRIBUTED_LAST_TOUCH`},
		{"a purchase from inside the window that arrives after it opens the referral again",
			with(story(program(), purchase("c1", 10_000, day)), seen(end+day), stored("expired", "QUALIFICATION_WINDOW_EXPIRED")), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"below the minimum, then at it", story(program(), purchase("c1", 1_999, time.Hour), purchase("c2", 2_000, 2*time.Hour)), `
			qualified COUNTED by c2
			c1 counted BELOW_MINIMUM
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 400 of 400 GRANTED`},
		{"at the minimum, then below it: the minimum is for qualifying only",
			story(program(), purchase("c1", 2_000, time.Hour), purchase("c2", 1_999, 2*time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 400 of 400 GRANTED
			referrer for c2: 400 of 400 GRANTED`},
		{"a renewal does not qualify, and earns nothing before the purchase does",
			story(program(), renewal("c1", 10_000, time.Hour), purchase("c2", 5_000, 2*time.Hour), renewal("c3", 5_000, 3*time.Hour)), `
			qualified COUNTED by c2
			c1 counted NOT_QUALIFIED
			c2 counted COUNTED
			c3 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 1000 of 1000 GRANTED
			referrer for c3: 1000 of 1000 GRANTED`},
		{"a purchase from before the qualifying one arrives late and qualifies in its place",
			story(program(), purchase("c2", 10_000, 5*day), purchase("c1", 4_000, 2*day)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 800 of 800 GRANTED
			referrer for c2: 2000 of 2000 GRANTED`},
		{"a late one below the minimum changes nothing",
			story(program(), purchase("c2", 10_000, 5*day), purchase("c1", 1_000, 2*day)), `
			qualified COUNTED by c2
			c1 counted BELOW_MINIMUM
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 2000 of 2000 GRANTED`},
		{"two purchases at one instant: the smaller key qualifies, both earn",
			story(program(), purchase("c2", 5_000, day), purchase("c1", 4_000, day)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 800 of 800 GRANTED
			referrer for c2: 1000 of 1000 GRANTED`},
		{"a type that nobody pays for counts all the same",
			story(program(), purchase("c1", 5_000, day), conversion("c2", "upgrade", 5_000, 2*day)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 1000 of 1000 GRANTED`},
	})
}

func TestRules(t *testing.T) {
	t.Parallel()
	only := func(r rules.RewardRule) func(*rules.Document) {
		return func(d *rules.Document) { d.Rewards = []rules.RewardRule{r} }
	}
	bp := func(value int64) rules.Amount { return rules.Amount{Type: rules.BasisPoints, Value: value} }
	flat := func(value int64) rules.Amount { return rules.Amount{Type: rules.Fixed, Value: value} }
	tell(t, []tale{
		{"a fixed amount for every purchase from the qualifying one on",
			story(program(only(rules.RewardRule{Key: "r", Triggers: []string{"purchase"}, Amount: flat(250)})),
				purchase("c1", 1_000, time.Hour), purchase("c2", 2_000, 2*time.Hour), purchase("c3", 10, 3*time.Hour)), `
			qualified COUNTED by c2
			c1 counted BELOW_MINIMUM
			c2 counted COUNTED
			c3 counted COUNTED
			r for c2: 250 of 250 GRANTED
			r for c3: 250 of 250 GRANTED`},
		{"a share of the qualifying purchase only",
			story(program(only(rules.RewardRule{Key: "r", Triggers: []string{"qualified"}, Amount: bp(1_234)})),
				purchase("c1", 9_999, time.Hour), purchase("c2", 9_999, 2*time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			r for c1: 1234 of 1234 GRANTED`},
		{"a rule's own minimum order value, one below",
			story(program(only(rules.RewardRule{Key: "r", Triggers: []string{"purchase"}, Amount: bp(1_000), MinimumAmount: 5_000})), purchase("c1", 4_999, time.Hour)), `
			qualified COUNTED by c1
			c1 counted BELOW_MINIMUM`},
		{"a rule's own minimum order value, reached",
			story(program(only(rules.RewardRule{Key: "r", Triggers: []string{"purchase"}, Amount: bp(1_000), MinimumAmount: 5_000})), purchase("c1", 5_000, time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			r for c1: 500 of 500 GRANTED`},
		{"a rule's minimum is the order's value: a refund does not take what is left of it",
			story(program(only(rules.RewardRule{Key: "r", Triggers: []string{"purchase"}, Amount: bp(1_000), MinimumAmount: 5_000})),
				purchase("c1", 5_000, time.Hour, refund("r1", 1_000, day))), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			r for c1: 400 of 500 REVERSED_REFUND`},
		{"a share that rounds to nothing",
			story(program(only(rules.RewardRule{Key: "r", Triggers: []string{"purchase"}, Amount: bp(1)})), purchase("c1", 4_999, time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			r for c1: 0 of 0 GRANTED`},
		{"joining pays before anything is bought", story(program(joining)), `
			attributed ATTRIBUTED_LAST_TOUCH
			join-referee for R: 300 of 300 GRANTED
			join-referrer for R: 300 of 300 GRANTED`},
		{"joining stays paid when nothing is bought in time", with(story(program(joining)), seen(90*day)), `
			expired QUALIFICATION_WINDOW_EXPIRED
			join-referee for R: 300 of 300 GRANTED
			join-referrer for R: 300 of 300 GRANTED`},
		{"a conversion that calls itself a signup does not pay for joining again",
			story(program(joining), purchase("c1", 2_000, time.Hour), conversion("c2", "signup", 5_000, 2*time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			join-referee for R: 300 of 300 GRANTED
			join-referrer for R: 300 of 300 GRANTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 400 of 400 GRANTED`},
		{"no rewards at all: the referral qualifies", story(program(func(d *rules.Document) { d.Rewards = nil }), purchase("c1", 2_000, time.Hour)), `
			qualified COUNTED by c1
			c1 counted COUNTED`},
	})
}
