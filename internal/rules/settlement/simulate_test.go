package settlement_test

import (
	"maps"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

func TestSimulate(t *testing.T) {
	t.Parallel()
	tiered := func(mode rules.TierMode) func(*rules.Document) {
		return func(d *rules.Document) {
			d.Rewards = d.Rewards[:1]
			d.Rewards[0].Tiers = &rules.Tiers{
				Measure: rules.MeasureConversions, Period: rules.Month, Mode: mode,
				Steps: []rules.Tier{{From: 3, Amount: rules.Amount{Type: rules.BasisPoints, Value: 3_000}}},
			}
		}
	}
	sales := func(n int) (out []settlement.Conversion) {
		for i := range n {
			out = append(out, purchase("c"+string(rune('1'+i)), 5_000, time.Duration(i+1)*time.Hour))
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change func(*rules.Document)
		facts  [][]settlement.Conversion // of each referral
		seen   time.Duration
		want   int64
	}{
		{"the third sale of a month reaches the step", tiered(rules.Frozen), [][]settlement.Conversion{sales(3)}, 30 * day, 3_500},
		{"an open month is not rated again", tiered(rules.Recompute), [][]settlement.Conversion{sales(3)}, day, 3_500},
		{"a month that is over is", tiered(rules.Recompute), [][]settlement.Conversion{sales(3)}, 30 * day, 4_500},
		{"over all referrals", tiered(rules.Recompute), [][]settlement.Conversion{sales(1), sales(2)}, 30 * day, 4_500},
		{"of sales at one moment only one is the third", tiered(rules.Frozen), [][]settlement.Conversion{sales(1), sales(1), sales(1), nil}, day, 3_500},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc := program(c.change)
			var facts []settlement.Facts
			for _, conversions := range c.facts {
				f := with(story(doc, conversions...), seen(c.seen))
				f.ReferrerID = "A"
				facts = append(facts, f)
			}
			got := settlement.Simulate(doc, facts, nil)
			if want := map[settlement.Holding]int64{{ParticipantID: "A", Kind: "money"}: c.want}; !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestSimulateGivesTheBudgetToWhatWasEarlier(t *testing.T) {
	t.Parallel()
	doc := program(func(d *rules.Document) {
		d.Rewards = d.Rewards[:1]
		d.Budget = &rules.Cap{Amount: 2_200, Period: rules.Lifetime}
		d.Milestones = []rules.Milestone{{
			Key: "first", Measure: rules.MeasureConversions, Period: rules.Lifetime, Threshold: 1, Kind: "money", Amount: 500, Reversible: true,
		}}
	})
	early, late := story(doc, purchase("c1", 5_000, time.Hour)), story(doc, purchase("c2", 5_000, 2*time.Hour))
	early.ReferrerID, late.ReferrerID = "A", "C"
	got := settlement.Simulate(doc, []settlement.Facts{late, early}, nil)
	want := map[settlement.Holding]int64{{ParticipantID: "A", Kind: "money"}: 1_500, {ParticipantID: "C", Kind: "money"}: 700}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
