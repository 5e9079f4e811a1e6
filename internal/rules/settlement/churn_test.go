package settlement_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// The churn window is 60 days after the qualifying purchase, which is an hour after the signup.
func TestChurn(t *testing.T) {
	t.Parallel()
	const bought = time.Hour
	const (
		kept = `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`
		gone = `
			churned REVERSED_CHURN by c1
			c1 counted COUNTED
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN`
		back = `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN`
	)
	after := func(cs ...settlement.Churn) settlement.Facts {
		return with(story(program(churns), purchase("c1", 10_000, bought)), churned(cs...))
	}
	tell(t, []tale{
		{"leaving on day 45 takes everything", after(left("l", bought+45*day)), gone},
		{"leaving at the moment of the purchase takes everything", after(left("l", bought)), gone},
		{"leaving just before the purchase is no churn", after(left("l", bought-instant)), kept},
		{"leaving in the last microsecond of the window takes everything", after(left("l", bought+60*day-instant)), gone},
		{"leaving on day 60 exactly takes nothing", after(left("l", bought+60*day)), kept},
		{"leaving later takes nothing", after(left("l", bought+400*day)), kept},
		{"a program without a churn rule takes nothing", with(story(program(), purchase("c1", 10_000, bought)), churned(left("l", bought+day))), kept},
		{"coming back on day 50 leaves it taken", after(left("l", bought+45*day), returned("b", bought+50*day)), back},
		{"coming back at the moment of leaving: the smaller id comes first", after(left("a", bought+45*day), returned("b", bought+45*day)), back},
		{"and so does leaving, at the moment of coming back", after(returned("a", bought+45*day), left("b", bought+45*day)), gone},
		{"coming back before leaving is nothing", after(returned("b", bought+44*day), left("l", bought+45*day)), gone},
		{"coming back without having left is nothing", after(returned("b", bought+44*day)), kept},
		{"leaving twice in a row is leaving once", after(left("l", bought+45*day), left("m", bought+46*day), returned("b", bought+50*day)), back},
		{"leaving outside the window after coming back: it stays taken, and the referral qualified",
			after(left("l", bought+45*day), returned("b", bought+50*day), left("m", bought+61*day)), back},
		{"leaving inside the window again", after(left("l", bought+45*day), returned("b", bought+50*day), left("m", bought+59*day)), gone},
		{"leaving before it qualified is no churn", with(story(program(churns)), churned(left("l", day))), `
			attributed ATTRIBUTED_LAST_TOUCH`},
		{"what joining paid is taken too", with(story(program(churns, joining), purchase("c1", 10_000, bought)), churned(left("l", bought+day))), `
			churned REVERSED_CHURN by c1
			c1 counted COUNTED
			join-referee for R: 0 of 300 REVERSED_CHURN
			join-referrer for R: 0 of 300 REVERSED_CHURN
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN`},
		{"a purchase while away earns nothing", with(story(program(churns), purchase("c1", 10_000, bought), purchase("c2", 5_000, 46*day)), churned(left("l", bought+45*day))), `
			churned REVERSED_CHURN by c1
			c1 counted COUNTED
			c2 counted REVERSED_CHURN
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN
			referrer for c2: 0 of 1000 REVERSED_CHURN`},
		{"a refund after leaving does not take the same twice",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 4_000, 46*day))), churned(left("l", bought+45*day))), `
			churned REVERSED_CHURN by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN`},
		{"a full refund after leaving takes the qualification back, and the referee is still away",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 46*day))), churned(left("l", bought+45*day)), stored("churned", "REVERSED_CHURN")), `
			churned REVERSED_CHURN
			c1 reversed REVERSED_REFUND`},
		{"a full refund from before the leaving: nobody who was qualified has left",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 44*day))), churned(left("l", bought+45*day)), stored("churned", "REVERSED_CHURN")), `
			attributed REVERSED_REFUND
			c1 reversed REVERSED_REFUND`},
		{"when the qualification moves past the leaving, the referee is still away",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 46*day)), purchase("c2", 10_000, 50*day)), churned(left("l", bought+45*day))), `
			churned REVERSED_CHURN by c2
			c1 reversed REVERSED_REFUND
			c2 counted REVERSED_CHURN
			referee for c2: 0 of 1000 REVERSED_CHURN
			referrer for c2: 0 of 2000 REVERSED_CHURN`},
		{"coming back to nothing that qualifies is not being qualified",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 46*day))), churned(left("l", bought+45*day), returned("b", 50*day))), `
			churned REVERSED_CHURN
			c1 reversed REVERSED_REFUND`},
		{"the next purchase after coming back qualifies",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 46*day)), purchase("c2", 10_000, 51*day)), churned(left("l", bought+45*day), returned("b", 50*day))), `
			qualified COUNTED by c2
			c1 reversed REVERSED_REFUND
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 2000 of 2000 GRANTED`},
		{"and when that is refunded as well, the referral waits for another one",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 46*day)), purchase("c2", 10_000, 51*day, refund("r2", 0, 52*day))),
				churned(left("l", bought+45*day), returned("b", 50*day)), stored("qualified", "COUNTED")), `
			attributed REVERSED_REFUND
			c1 reversed REVERSED_REFUND
			c2 reversed REVERSED_REFUND`},
		{"a refund after leaving too late does not bring the leaving into the window of the next purchase",
			with(story(program(churns), purchase("c1", 10_000, bought, refund("r1", 0, 70*day)), purchase("c2", 10_000, 20*day)), churned(left("l", bought+65*day))), `
			qualified COUNTED by c2
			c1 reversed REVERSED_REFUND
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 2000 of 2000 GRANTED`},
	})
}

func TestReactivation(t *testing.T) {
	t.Parallel()
	const bought = time.Hour
	facts := func(reinstate bool, cs ...settlement.Churn) settlement.Facts {
		d := program(churns)
		if reinstate {
			reinstates(&d)
		}
		return with(story(d, purchase("c1", 10_000, bought), renewal("c2", 5_000, 48*day), renewal("c3", 5_000, 50*day), renewal("c4", 5_000, 80*day)), churned(cs...))
	}
	away := []settlement.Churn{left("l", 45*day), returned("b", 50*day)}
	tell(t, []tale{
		{"without reinstatement, what occurred from the return on earns", facts(false, away...), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted REVERSED_CHURN
			c3 counted COUNTED
			c4 counted COUNTED
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN
			referrer for c2: 0 of 1000 REVERSED_CHURN
			referrer for c3: 1000 of 1000 GRANTED
			referrer for c4: 1000 of 1000 GRANTED`},
		{"with reinstatement, everything is owed again", facts(true, away...), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			c3 counted COUNTED
			c4 counted COUNTED
			referee for c1: 1000 of 1000 REINSTATED
			referrer for c1: 2000 of 2000 REINSTATED
			referrer for c2: 1000 of 1000 GRANTED
			referrer for c3: 1000 of 1000 GRANTED
			referrer for c4: 1000 of 1000 GRANTED`},
		{"with reinstatement, leaving once more takes everything again", facts(true, append(away, left("m", 55*day))...), `
			churned REVERSED_CHURN by c1
			c1 counted COUNTED
			c2 counted REVERSED_CHURN
			c3 counted COUNTED
			c4 counted REVERSED_CHURN
			referee for c1: 0 of 1000 REVERSED_CHURN
			referrer for c1: 0 of 2000 REVERSED_CHURN
			referrer for c2: 0 of 1000 REVERSED_CHURN
			referrer for c3: 0 of 1000 REVERSED_CHURN
			referrer for c4: 0 of 1000 REVERSED_CHURN`},
	})
	for _, c := range []struct {
		name string
		f    settlement.Facts
		want *time.Duration
	}{
		{"away", facts(false, left("l", 45*day)), ptr(45 * day)},
		{"back", facts(false, away...), nil},
		{"away again", facts(false, append(away, left("m", 55*day))...), ptr(55 * day)},
	} {
		got := settlement.Settle(c.f).ChurnedAt
		if (got == nil) != (c.want == nil) || got != nil && !got.Equal(joined.Add(*c.want)) {
			t.Errorf("%s: churned at %v, want %v", c.name, got, c.want)
		}
	}
}

func ptr[T any](v T) *T { return &v }
