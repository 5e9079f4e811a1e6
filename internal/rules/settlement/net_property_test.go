package settlement_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// TestNetKeepsItsBooks: any reversals in any order leave something between nothing and the amount, each cent of which is
// accounted for.
func TestNetKeepsItsBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(1, 1_000).Draw(t, "amount")
		reversals := someReversals(t, amount)
		taken, applied, why := settlement.Net(amount, reversals)
		if taken < 0 || taken > amount || len(applied) != len(reversals) || taken > 0 && why == "" {
			t.Fatalf("took %d of %d for %q: %+v", taken, amount, why, applied)
		}
		took := map[string]int64{}
		var sum int64
		for _, a := range applied {
			took[a.ID] = a.Amount
			sum += a.Amount
			if a.Refused && a.Amount != 0 {
				t.Fatalf("refused, and yet: %+v", a)
			}
		}
		if sum != taken {
			t.Fatalf("the parts take %d, the whole %d", sum, taken)
		}
		restored := map[string]int64{}
		for _, r := range reversals {
			switch {
			case r.Kind == settlement.DisputeWon:
				restored[r.Restores] -= took[r.ID]
			case took[r.ID] < 0, r.Amount != nil && took[r.ID] > *r.Amount:
				t.Fatalf("%s asked for %d and took %d", r.ID, *r.Amount, took[r.ID])
			}
		}
		for id, back := range restored {
			if back != took[id] {
				t.Fatalf("dispute %s restored %d of %d", id, back, took[id])
			}
		}
		again, parts, whyAgain := settlement.Net(amount, shuffled(t, reversals))
		if again != taken || whyAgain != why || !slices.Equal(parts, applied) {
			t.Fatalf("in another order: %d for %q, %+v", again, whyAgain, parts)
		}
	})
}

// TestNetInOrder: when every reversal arrives as it occurs, and a refund of more than is left is turned away at the door, Net
// does what was done at each arrival.
func TestNetInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(1, 1_000).Draw(t, "amount")
		arriving := someReversals(t, amount)
		slices.SortStableFunc(arriving, func(a, b settlement.Reversal) int { return cmp.Compare(a.ID, b.ID) })
		var known []settlement.Reversal
		for i, r := range arriving {
			r.OccurredAt = joined.Add(time.Duration(i) * time.Minute)
			taken, before, _ := settlement.Net(amount, known)
			if r.Kind == settlement.Refund && (taken == amount || r.Amount != nil && *r.Amount > amount-taken) {
				continue
			}
			known = append(known, r)
			_, after, _ := settlement.Net(amount, known)
			if !slices.Equal(after[:len(before)], before) {
				t.Fatalf("%+v changed what was done before: %+v, then %+v", r, before, after)
			}
		}
	})
}
