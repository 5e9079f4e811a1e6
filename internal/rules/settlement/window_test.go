package settlement_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// TestHold: what a conversion earns is available when the hold after the conversion is over, what joining earns after the
// signup, whenever the facts arrived.
func TestHold(t *testing.T) {
	t.Parallel()
	f := story(program(joining), purchase("c1", 10_000, 3*time.Hour), renewal("c2", 10_000, 40*day, refund("r1", 1, 41*day)))
	want := map[string]time.Time{"R": joined.Add(day), "c1": joined.Add(3*time.Hour + hold), "c2": joined.Add(40*day + hold)}
	dues := settlement.Settle(f).Rewards
	if len(dues) != 5 {
		t.Fatalf("%d dues", len(dues))
	}
	for _, d := range dues {
		if !d.AvailableAt.Equal(want[d.CauseID]) {
			t.Errorf("%s for %s is available at %s, want %s", d.Rule.Key, d.CauseID, d.AvailableAt, want[d.CauseID])
		}
		if (d.ConversionID == "") != (d.CauseID == "R") || d.ConversionID != "" && d.ConversionID != d.CauseID {
			t.Errorf("%s for %s names the conversion %q", d.Rule.Key, d.CauseID, d.ConversionID)
		}
	}
}

// TestDuration: calendar months from the qualifying purchase on, in the program's zone, half-open.
func TestDuration(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	months := func(n int) func(*rules.Document) { return func(d *rules.Document) { d.Rewards[0].DurationMonths = &n } }
	for _, c := range []struct {
		name      string
		months    int
		zone      *time.Location
		qualified string
		end       string
	}{
		{"a year", 12, time.UTC, "2026-01-10T13:00:00Z", "2027-01-10T13:00:00Z"},
		{"a month from 31 January ends on 28 February", 1, time.UTC, "2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"},
		{"twenty-five months from 31 January end on a leap day", 25, time.UTC, "2026-01-31T09:00:00Z", "2028-02-29T09:00:00Z"},
		{"one month over the start of summer time is an hour short", 1, berlin, "2026-03-15T11:00:00Z", "2026-04-15T10:00:00Z"},
		{"one month over the end of summer time would be an hour long", 8, berlin, "2026-03-15T11:00:00Z", "2026-11-15T11:00:00Z"},
		{"31 January in Berlin is still 30 January in UTC", 1, berlin, "2026-01-30T23:30:00Z", "2026-02-27T23:30:00Z"},
		{"and in UTC the 30th is clamped too", 1, time.UTC, "2026-01-30T23:30:00Z", "2026-02-28T23:30:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from, end := at(t, c.qualified).Sub(joined), at(t, c.end).Sub(joined)
			f := with(story(program(months(c.months)), purchase("c1", 10_000, from), renewal("c2", 5_000, end-instant), renewal("c3", 5_000, end)), in(c.zone))
			if got := bill(settlement.Settle(f)); got != `qualified COUNTED by c1
c1 counted COUNTED
c2 counted COUNTED
c3 counted DURATION_ENDED
referee for c1: 1000 of 1000 GRANTED
referrer for c1: 2000 of 2000 GRANTED
referrer for c2: 1000 of 1000 GRANTED` {
				t.Errorf("got\n%s", got)
			}
		})
	}
	tell(t, []tale{
		{"without a duration a rule pays for ever",
			story(program(func(d *rules.Document) { d.Rewards[0].DurationMonths = nil }), purchase("c1", 2_000, time.Hour), renewal("c2", 5_000, 20_000*day)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 400 of 400 GRANTED
			referrer for c2: 1000 of 1000 GRANTED`},
		{"when the qualification moves, the duration moves with it",
			story(program(months(1)), purchase("c1", 2_000, time.Hour, refund("r1", 0, 20*day)), purchase("c2", 2_000, 20*day), renewal("c3", 5_000, 40*day)), `
			qualified COUNTED by c2
			c1 reversed REVERSED_REFUND
			c2 counted COUNTED
			c3 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 400 of 400 GRANTED
			referrer for c3: 1000 of 1000 GRANTED`},
	})
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestHonor: an ended program honours what occurs before the end of its honour period.
func TestHonor(t *testing.T) {
	t.Parallel()
	const until = 40 * day // the program ended on day 10 and honours for 30 days
	tell(t, []tale{
		{"a purchase in the last second of the honour period pays", with(story(program(), purchase("c1", 10_000, until-time.Second)), honored(until)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"a purchase at its end does not", with(story(program(), purchase("c1", 10_000, until)), honored(until)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 disqualified PROGRAM_NOT_ACTIVE`},
		{"a renewal at its end does not, though the referral qualified before",
			with(story(program(), purchase("c1", 10_000, day), renewal("c2", 10_000, until)), honored(until)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 disqualified PROGRAM_NOT_ACTIVE
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"a refund after its end is a refund all the same",
			with(story(program(), purchase("c1", 10_000, day, refund("r1", 5_000, until+day))), honored(until)), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 1000 of 2000 REVERSED_REFUND`},
		{"a purchase after its end does not take the place of a reversed one",
			with(story(program(), purchase("c1", 10_000, day, refund("r1", 0, 2*day)), purchase("c2", 10_000, until)), honored(until)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 reversed REVERSED_REFUND
			c2 disqualified PROGRAM_NOT_ACTIVE`},
		{"a purchase after its end does not expire the referral", with(story(program(), purchase("c1", 10_000, 90*day)), honored(until)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 disqualified PROGRAM_NOT_ACTIVE`},
	})
}
