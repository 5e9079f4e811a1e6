package settlement_test

import (
	"slices"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// refused stands for a reversal that took nothing because it asked for more than was left.
const refused = -1 << 40

func TestNet(t *testing.T) {
	t.Parallel()
	chargeback := func(id string, amount int64, after time.Duration) settlement.Reversal {
		return undo(id, settlement.Chargeback, amount, after)
	}
	fraud := func(id string, amount int64, after time.Duration) settlement.Reversal {
		return undo(id, settlement.Fraud, amount, after)
	}
	for _, c := range []struct {
		name      string
		amount    int64
		reversals []settlement.Reversal
		taken     int64
		each      map[string]int64
		why       reason.Code
	}{
		{"nothing happened", 10_000, nil, 0, nil, ""},
		{"a refund", 10_000, []settlement.Reversal{refund("a", 4_000, day)}, 4_000, map[string]int64{"a": 4_000}, reason.ReversedRefund},
		{"a refund of everything", 10_000, []settlement.Reversal{refund("a", 10_000, day)}, 10_000, map[string]int64{"a": 10_000}, reason.ReversedRefund},
		{"a refund without an amount takes what is left", 10_000, []settlement.Reversal{refund("a", 1, day), refund("b", 0, 2*day)}, 10_000,
			map[string]int64{"a": 1, "b": 9_999}, reason.ReversedRefund},
		{"a refund of more than the amount is refused", 10_000, []settlement.Reversal{refund("a", 12_000, day)}, 0, map[string]int64{"a": refused}, ""},
		{"a refund of one cent more than is left is refused", 10_000, []settlement.Reversal{refund("a", 4_000, day), refund("b", 6_001, 2*day)}, 4_000,
			map[string]int64{"a": 4_000, "b": refused}, reason.ReversedRefund},
		{"a refund of exactly what is left is not", 10_000, []settlement.Reversal{refund("a", 4_000, day), refund("b", 6_000, 2*day)}, 10_000,
			map[string]int64{"a": 4_000, "b": 6_000}, reason.ReversedRefund},
		{"a refused refund does not stand in the way of a smaller one", 10_000, []settlement.Reversal{refund("a", 12_000, day), refund("b", 3_000, 2*day)}, 3_000,
			map[string]int64{"a": refused, "b": 3_000}, reason.ReversedRefund},
		{"of two refunds that do not both fit the earlier one counts", 10_000, []settlement.Reversal{refund("b", 6_000, day), refund("a", 5_000, 2*day)}, 6_000,
			map[string]int64{"b": 6_000, "a": refused}, reason.ReversedRefund},
		{"at one instant the smaller id comes first", 10_000, []settlement.Reversal{refund("b", 6_000, day), refund("a", 5_000, day)}, 5_000,
			map[string]int64{"a": 5_000, "b": refused}, reason.ReversedRefund},
		{"a refund after a full refund is refused", 10_000, []settlement.Reversal{refund("a", 10_000, day), refund("b", 1, 2*day)}, 10_000,
			map[string]int64{"a": 10_000, "b": refused}, reason.ReversedRefund},

		{"a chargeback of everything", 10_000, []settlement.Reversal{chargeback("a", 0, day)}, 10_000, map[string]int64{"a": 10_000}, reason.ReversedChargeback},
		{"a chargeback of more than the amount is clamped", 10_000, []settlement.Reversal{chargeback("a", 12_000, day)}, 10_000,
			map[string]int64{"a": 10_000}, reason.ReversedChargeback},
		{"a chargeback after a partial refund is clamped to what is left", 10_000, []settlement.Reversal{refund("a", 4_000, day), chargeback("b", 10_000, 2*day)}, 10_000,
			map[string]int64{"a": 4_000, "b": 6_000}, reason.ReversedChargeback},
		{"winning the dispute restores what the chargeback took", 10_000,
			[]settlement.Reversal{refund("a", 4_000, day), chargeback("b", 10_000, 2*day), won("c", "b", 3*day)}, 4_000,
			map[string]int64{"a": 4_000, "b": 6_000, "c": -6_000}, reason.DisputeWon},
		{"winning a dispute twice restores once", 10_000, []settlement.Reversal{chargeback("a", 3_000, day), won("b", "a", 2*day), won("c", "a", 3*day)}, 0,
			map[string]int64{"a": 3_000, "b": -3_000, "c": 0}, reason.DisputeWon},
		{"winning one of two disputes restores its own", 10_000,
			[]settlement.Reversal{chargeback("a", 3_000, day), chargeback("b", 9_000, 2*day), won("c", "b", 3*day)}, 3_000,
			map[string]int64{"a": 3_000, "b": 7_000, "c": -7_000}, reason.DisputeWon},
		{"a chargeback that found nothing left restores nothing", 10_000,
			[]settlement.Reversal{refund("a", 10_000, day), chargeback("b", 0, 2*day), won("c", "b", 3*day)}, 10_000,
			map[string]int64{"a": 10_000, "b": 0, "c": 0}, reason.ReversedRefund},
		{"a second chargeback after a dispute that was won takes everything again", 10_000,
			[]settlement.Reversal{chargeback("a", 0, day), won("b", "a", 2*day), chargeback("c", 0, 3*day)}, 10_000,
			map[string]int64{"a": 10_000, "b": -10_000, "c": 10_000}, reason.ReversedChargeback},
		{"fraud that is found after a dispute was won takes everything", 10_000,
			[]settlement.Reversal{chargeback("a", 0, day), won("b", "a", 2*day), fraud("c", 0, 3*day)}, 10_000,
			map[string]int64{"a": 10_000, "b": -10_000, "c": 10_000}, reason.ReversedFraud},
		{"fraud between a chargeback and its end was clamped, and stays so", 10_000,
			[]settlement.Reversal{chargeback("a", 8_000, day), fraud("b", 5_000, 2*day), won("c", "a", 3*day)}, 2_000,
			map[string]int64{"a": 8_000, "b": 2_000, "c": -8_000}, reason.DisputeWon},
		{"a refund after a dispute that was won", 10_000, []settlement.Reversal{chargeback("a", 0, day), won("b", "a", 2*day), refund("c", 3_000, 3*day)}, 3_000,
			map[string]int64{"a": 10_000, "b": -10_000, "c": 3_000}, reason.ReversedRefund},
		{"a refund of the rest beside a chargeback whose dispute is won", 10_000,
			[]settlement.Reversal{chargeback("a", 4_000, day), refund("b", 0, 2*day), won("c", "a", 3*day)}, 6_000,
			map[string]int64{"a": 4_000, "b": 6_000, "c": -4_000}, reason.DisputeWon},
		{"a chargeback reported late does not take what a refund gave back", 10_000,
			[]settlement.Reversal{refund("a", 3_000, 2*day), chargeback("b", 0, day)}, 10_000,
			map[string]int64{"a": 3_000, "b": 7_000}, reason.ReversedRefund},
		{"and winning its dispute does not return what the refund gave back", 10_000,
			[]settlement.Reversal{refund("a", 3_000, 2*day), chargeback("b", 0, day), won("c", "b", 3*day)}, 3_000,
			map[string]int64{"a": 3_000, "b": 7_000, "c": -7_000}, reason.DisputeWon},
		{"a dispute that ended at the instant of its chargeback comes after it", 10_000, []settlement.Reversal{won("a", "b", day), chargeback("b", 0, day)}, 0,
			map[string]int64{"a": -10_000, "b": 10_000}, reason.DisputeWon},
		{"a chargeback that claims to be younger than the end of its dispute takes nothing", 10_000,
			[]settlement.Reversal{won("a", "b", day), chargeback("b", 0, 2*day)}, 0, map[string]int64{"a": 0, "b": 0}, ""},
		{"a dispute about an unknown chargeback restores nothing", 10_000, []settlement.Reversal{refund("a", 4_000, day), won("b", "x", 2*day)}, 4_000,
			map[string]int64{"a": 4_000, "b": 0}, reason.ReversedRefund},
		{"only chargebacks are disputed", 10_000, []settlement.Reversal{refund("a", 4_000, day), won("b", "a", 2*day)}, 4_000,
			map[string]int64{"a": 4_000, "b": 0}, reason.ReversedRefund},
		{"fraud and a hand are clamped like chargebacks", 10_000,
			[]settlement.Reversal{fraud("a", 6_000, day), undo("b", settlement.ManualUndo, 6_000, 2*day)}, 10_000,
			map[string]int64{"a": 6_000, "b": 4_000}, reason.ReversedManual},
		{"a refund in another currency is refused, and changes nothing for the others", 10_000,
			[]settlement.Reversal{foreign(refund("a", 4_000, day)), chargeback("b", 4_000, 2*day), refund("c", 5_000, 3*day)}, 9_000,
			map[string]int64{"a": refused, "b": 4_000, "c": 5_000}, reason.ReversedRefund},
		{"a chargeback in another currency takes nothing, and its dispute restores nothing", 10_000,
			[]settlement.Reversal{foreign(chargeback("a", 4_000, day)), won("b", "a", 2*day)}, 0, map[string]int64{"a": refused, "b": 0}, ""},
		{"the largest amount", 999_999_999_999, []settlement.Reversal{refund("a", 999_999_999_998, day), chargeback("b", 999_999_999_999, 2*day)}, 999_999_999_999,
			map[string]int64{"a": 999_999_999_998, "b": 1}, reason.ReversedChargeback},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for range permutations(c.reversals) {
				taken, applied, why := settlement.Net(c.amount, c.reversals)
				if taken != c.taken || why != c.why || len(applied) != len(c.reversals) {
					t.Fatalf("took %d for %q with %d reversals, want %d for %q", taken, why, len(applied), c.taken, c.why)
				}
				for _, a := range applied {
					want := c.each[a.ID]
					if got := a.Amount; a.Refused != (want == refused) || !a.Refused && got != want {
						t.Errorf("%s took %d (refused: %t), want %d", a.ID, got, a.Refused, want)
					}
				}
			}
		})
	}
}

// permutations puts a slice into every order in turn, in place.
func permutations[T any](s []T) func(yield func(struct{}) bool) {
	var walk func(n int, yield func(struct{}) bool) bool
	walk = func(n int, yield func(struct{}) bool) bool {
		if n <= 1 {
			return yield(struct{}{})
		}
		for i := range n {
			s[i], s[n-1] = s[n-1], s[i]
			if !walk(n-1, yield) {
				return false
			}
			s[i], s[n-1] = s[n-1], s[i]
		}
		return true
	}
	return func(yield func(struct{}) bool) { walk(len(s), yield) }
}

func TestNetLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	given := []settlement.Reversal{refund("b", 1, 2*day), refund("a", 1, day), won("c", "x", 0)}
	kept := slices.Clone(given)
	settlement.Net(10, given)
	if !slices.Equal(given, kept) {
		t.Errorf("reordered to %v", given)
	}
}

func foreign(r settlement.Reversal) settlement.Reversal {
	r.Foreign = true
	return r
}

// TestRefuses: a refund is turned away when it asks for more than is left, but not because it arrives late.
func TestRefuses(t *testing.T) {
	t.Parallel()
	charged := undo("c", settlement.Chargeback, 0, 3*day)
	for _, c := range []struct {
		name     string
		accepted []settlement.Reversal
		arrives  settlement.Reversal
		want     bool
	}{
		{"all that there is", nil, refund("r", 10_000, day), false},
		{"a cent more", nil, refund("r", 10_001, day), true},
		{"all that is left", []settlement.Reversal{refund("a", 4_000, day)}, refund("r", 6_000, 2*day), false},
		{"a cent more than is left", []settlement.Reversal{refund("a", 4_000, day)}, refund("r", 6_001, 2*day), true},
		{"a cent more, claimed to be older", []settlement.Reversal{refund("a", 4_000, 2*day)}, refund("r", 6_001, day), true},
		{"the rest, when nothing is left", []settlement.Reversal{refund("a", 10_000, day)}, refund("r", 0, 2*day), true},
		{"after a chargeback of everything", []settlement.Reversal{charged}, refund("r", 1, 4*day), true},
		{"the rest after a chargeback of everything", []settlement.Reversal{charged}, refund("r", 0, 4*day), true},
		{"from before a chargeback of everything", []settlement.Reversal{charged}, refund("r", 10_000, 2*day), false},
		{"the rest, from before a chargeback of everything", []settlement.Reversal{charged}, refund("r", 0, 2*day), false},
		{"after a chargeback whose dispute was won", []settlement.Reversal{charged, won("w", "c", 4*day)}, refund("r", 10_000, 5*day), false},
		{"from between a chargeback and its end, which are both known", []settlement.Reversal{charged, won("w", "c", 5*day)}, refund("r", 10_000, 4*day), false},
		{"from before an accepted refund that came before a late chargeback",
			[]settlement.Reversal{refund("a", 6_000, 4*day), charged}, refund("r", 4_001, 2*day), true},
		{"beside one that was refused before it", []settlement.Reversal{refund("a", 12_000, day)}, refund("r", 10_000, 2*day), false},
		{"a chargeback is clamped, never refused", []settlement.Reversal{refund("a", 10_000, day)}, undo("r", settlement.Chargeback, 10_000, 2*day), false},
	} {
		if got := settlement.Refuses(10_000, c.accepted, c.arrives); got != c.want {
			t.Errorf("%s: refused %t, want %t", c.name, got, c.want)
		}
	}
}
