package state_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// arrows writes a machine the way the design does, one line a state that can be left.
func arrows[S ~string](m state.Arrows[S]) string {
	var lines []string
	for from, all := range m {
		var names []string
		for _, to := range all {
			names = append(names, string(to))
		}
		slices.Sort(names)
		lines = append(lines, string(from)+" -> "+strings.Join(names, " | "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestOnlyTheseArrows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ machine, got, want string }{
		{"program", arrows(state.Programs), `
active -> ended | paused
draft -> active
ended -> archived
paused -> active | ended`},
		{"code", arrows(state.Codes), `
active -> disabled | retired
disabled -> active | retired`},
		{"referral", arrows(state.Referrals), `
attributed -> expired | qualified | rejected | superseded | under_review
churned -> qualified | rejected
expired -> qualified
qualified -> attributed | churned | expired | rejected | superseded | under_review
under_review -> attributed | qualified | rejected`},
		{"conversion", arrows(state.Conversions), `
counted -> partially_reversed | reversed
partially_reversed -> counted | reversed
reversed -> counted | partially_reversed
unmatched -> counted | disqualified`},
		{"reward", arrows(state.Rewards), `
available -> cancelled | expired | held | redeemed | reserved
cancelled -> pending
held -> available | cancelled | pending | redeemed
paid -> reserved
pending -> available | cancelled | held
pending_fx -> cancelled | pending
redeemed -> available | cancelled
reserved -> available | paid`},
		{"participant", arrows(state.Participants), `
active -> banned | erased | suspended
banned -> active | erased
suspended -> active | banned | erased`},
		{"payout run", arrows(state.PayoutRuns), `
preparing -> ready`},
		{"payout", arrows(state.Payouts), `
approved -> cancelled | submitted
draft -> approved | cancelled
failed -> draft
paid -> returned
returned -> draft
submitted -> failed | paid`},
	} {
		t.Run(c.machine, func(t *testing.T) {
			t.Parallel()
			if c.got != strings.TrimSpace(c.want) {
				t.Errorf("got\n%s\nwant%s", c.got, c.want)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to state.Referral
		want     bool
	}{
		{"an arrow", state.ReferralAttributed, state.ReferralQualified, true},
		{"no arrow back", state.ReferralSuperseded, state.ReferralAttributed, false},
		{"no arrow from a state to itself", state.ReferralQualified, state.ReferralQualified, false},
		{"a terminal state has none", state.ReferralRejected, state.ReferralQualified, false},
		{"an unknown state has none", "lost", state.ReferralQualified, false},
		{"an unknown state is not reached", state.ReferralAttributed, "lost", false},
		{"the empty state is not reached", state.ReferralAttributed, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := state.Referrals.Allows(c.from, c.to); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

var noon = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

func TestTimeline(t *testing.T) {
	t.Parallel()
	life := state.Timeline{
		{At: noon, State: "draft"},
		{At: noon.Add(time.Hour), State: "active"},
		{At: noon.Add(2 * time.Hour), State: "paused"},
		{At: noon.Add(2 * time.Hour), State: "active", Reason: "resumed at once"},
		{At: noon.Add(3 * time.Hour), State: "ended"},
	}
	for _, c := range []struct {
		name string
		life state.Timeline
		at   time.Duration
		want string
	}{
		{"long before the first period: the first reaches back", life, -1000 * time.Hour, "draft"},
		{"in the first period", life, 0, "draft"},
		{"the last moment of a period", life, time.Hour - time.Microsecond, "draft"},
		{"a period begins with its moment", life, time.Hour, "active"},
		{"of two changes at one moment the later one counts", life, 2 * time.Hour, "active"},
		{"the last period has no end", life, 100_000 * time.Hour, "ended"},
		{"one period is always", life[:1], 50 * time.Hour, "draft"},
		{"no period is never", nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := c.life.At(noon.Add(c.at))
			if got.State != c.want || ok != (c.want != "") {
				t.Errorf("got %q, %t, want %q", got.State, ok, c.want)
			}
		})
	}
	if got := life.Last(); got != life[4] {
		t.Errorf("the last period is %+v", got)
	}
	if got := (state.Timeline{}).Last(); got != (state.Period{}) {
		t.Errorf("the last period of nothing is %+v", got)
	}
}

// TestTimelineFindsWhatALinearSearchFinds compares At with its definition.
func TestTimelineFindsWhatALinearSearchFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var life state.Timeline
		at := noon
		for range rapid.IntRange(1, 6).Draw(t, "periods") {
			life = append(life, state.Period{At: at, State: rapid.StringMatching("[a-z]{3}").Draw(t, "state")})
			at = at.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * time.Microsecond)
		}
		when := noon.Add(time.Duration(rapid.IntRange(-2, 20).Draw(t, "when")) * time.Microsecond)
		want := life[0]
		for _, p := range life {
			if !p.At.After(when) {
				want = p
			}
		}
		if got, ok := life.At(when); !ok || got != want {
			t.Fatalf("at %s: got %+v, want %+v", when, got, want)
		}
	})
}
