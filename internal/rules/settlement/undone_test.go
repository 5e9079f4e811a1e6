package settlement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// TestUndone: a conversion that is undone was owed something once, whatever is on record of it, which the books tell.
func TestUndone(t *testing.T) {
	t.Parallel()
	full := refund("r", 0, 2*day)
	for _, c := range []struct {
		name string
		f    settlement.Facts
		want string
	}{
		{"refunded in full", story(program(), purchase("c1", 10_000, day, full)), "referrer 2000 REVERSED_REFUND, referee 1000 REVERSED_REFUND"},
		{"refunded in part", story(program(), purchase("c1", 10_000, day, refund("r", 4_000, 2*day))), ""},
		{"refunded below the minimum", story(program(), purchase("c1", 10_000, day, refund("r", 9_000, 2*day))),
			"referrer 2000 REVERSED_REFUND, referee 1000 REVERSED_REFUND"},
		{"refunded in full before it was a minute old", story(program(), purchase("c1", 10_000, day, refund("r", 0, day-time.Minute))), ""},
		{"on record already", story(program(), onRecord(purchase("c1", 10_000, day, full), state.ConversionReversed)),
			"referrer 2000 REVERSED_REFUND, referee 1000 REVERSED_REFUND"},
		{"waiting for its referral", story(program(), onRecord(purchase("c1", 10_000, day, full), state.ConversionUnmatched)),
			"referrer 2000 REVERSED_REFUND, referee 1000 REVERSED_REFUND"},
		{"never owed anything", story(program(), purchase("c1", 1_999, day, full), renewal("c2", 10_000, day)), ""},
		{"from before the signup", story(program(), purchase("c1", 10_000, -day, full)), ""},
		{"after a purchase that was refunded since", story(program(), onRecord(purchase("c1", 10_000, time.Hour, full), state.ConversionReversed), renewal("c2", 5_000, day)),
			"referrer 2000 REVERSED_REFUND, referee 1000 REVERSED_REFUND, referrer 1000 NOT_QUALIFIED"},
		{"after a purchase that had been refunded", story(program(), onRecord(purchase("c1", 10_000, time.Hour, full), state.ConversionReversed), renewal("c2", 5_000, 3*day)),
			"referrer 2000 REVERSED_REFUND, referee 1000 REVERSED_REFUND"},
		{"between a chargeback and the dispute that was won", story(program(), purchase("c1", 10_000, time.Hour, undo("b", settlement.Chargeback, 0, 2*time.Hour), won("w", "b", 2*day)),
			renewal("c2", 5_000, day, refund("r", 0, 3*day))), "referrer 1000 REVERSED_REFUND"},
		{"refunded before the purchase that qualifies came", story(program(), purchase("c1", 10_000, time.Hour),
			onRecord(renewal("c2", 5_000, day, full), state.ConversionReversed)), "referrer 1000 REVERSED_REFUND"},
		{"taken by churn", with(story(program(churns), purchase("c1", 10_000, day)), churned(left("l", 2*day))),
			"referrer 2000 REVERSED_CHURN, referee 1000 REVERSED_CHURN"},
		{"bought while away", with(story(program(churns), onRecord(purchase("c1", 10_000, day), state.ConversionCounted), renewal("c2", 5_000, 3*day)), churned(left("l", 2*day))),
			"referrer 2000 REVERSED_CHURN, referee 1000 REVERSED_CHURN"},
	} {
		var got []string
		o := settlement.Settle(c.f)
		for _, d := range o.Undone {
			got = append(got, fmt.Sprintf("%s %d %s", d.Rule.Key, d.Granted, d.Reason))
			if d.Net != 0 || slices.ContainsFunc(o.Rewards, func(r settlement.Due) bool { return r.CauseID == d.CauseID && r.Rule.Key == d.Rule.Key && r.Net > 0 }) {
				t.Errorf("%s: %+v is owed all the same", c.name, d)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}
