package settlement

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// Kind says what a reversal is.
type Kind string

// The kinds of reversals. DisputeWon undoes the chargeback that Restores names.
const (
	Refund     Kind = "refund"
	Chargeback Kind = "chargeback"
	Fraud      Kind = "fraud"
	ManualUndo Kind = "manual"
	DisputeWon Kind = "dispute_won"
)

// Reversal is one undo of a conversion. Amount nil takes all that is left. Key, the caller's reference, orders reversals of one
// instant: ids would order them by arrival. Foreign says that it is in another currency than the conversion, and refused.
type Reversal struct {
	ID         string
	Key        string
	Kind       Kind
	Amount     *int64
	Foreign    bool
	Restores   string
	OccurredAt time.Time
}

// Applied is what a reversal did: Amount is what it took (negative for a dispute won), Refused that it took nothing, because it
// asked for more than was left or, when it is Foreign, for another currency.
type Applied struct {
	ID      string
	Amount  int64
	Refused bool
	Foreign bool
}

// Net applies reversals to an amount, in the order in which they occurred. A refund that asks for more than is left is refused;
// chargebacks, fraud and manual reversals are clamped to what is left; a dispute won gives back what its chargeback took,
// no more. It returns the sum taken, between zero and the amount, what each one did, and the reason of the last one that had an effect.
// All amounts are minor units of the conversion's own currency; nothing is rounded.
//
// When a refund would be refused, refunds of a stated amount come before everything else. They are money that did go back:
// a chargeback that is reported late must not take it again, and winning the dispute must not return it.
func Net(amount int64, reversals []Reversal) (taken int64, applied []Applied, why reason.Code) {
	ordered := slices.Clone(reversals)
	slices.SortFunc(ordered, byTime)
	taken, applied, why = apply(amount, ordered)
	if slices.ContainsFunc(ordered, func(r Reversal) bool { return !r.Foreign && refused(applied, r.ID) }) {
		slices.SortStableFunc(ordered, func(a, b Reversal) int { return cmp.Compare(b.stated(), a.stated()) })
		taken, applied, why = apply(amount, ordered)
	}
	return taken, applied, why
}

// Refuses reports whether a refund that arrives now is turned away: neither now nor when it occurred was as much left as it
// asks for, or a refund that was accepted before would not fit any more. A refund from before a chargeback may arrive after it. Minor
// units of the conversion's currency; other kinds are clamped and never refused.
func Refuses(amount int64, accepted []Reversal, r Reversal) bool {
	if r.Kind != Refund || amount == 0 {
		return false
	}
	taken, before, _ := Net(amount, accepted)
	all := append(slices.Clone(accepted), r)
	_, after, _ := Net(amount, all)
	if slices.ContainsFunc(all, func(x Reversal) bool { return refused(after, x.ID) && !refused(before, x.ID) }) {
		return true
	}
	slices.SortFunc(all, byTime)
	_, inTime, _ := apply(amount, all)
	fitsThen := slices.ContainsFunc(inTime, func(a Applied) bool { return a.ID == r.ID && a.Amount > 0 })
	return !fitsThen && (taken == amount || r.Amount != nil && *r.Amount > amount-taken)
}

func refused(applied []Applied, id string) bool {
	return slices.ContainsFunc(applied, func(a Applied) bool { return a.ID == id && a.Refused })
}

// byTime orders reversals; at one instant disputes come after what they may end.
func byTime(a, b Reversal) int {
	dispute := func(r Reversal) int {
		if r.Kind == DisputeWon {
			return 1
		}
		return 0
	}
	return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(dispute(a), dispute(b)), cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID)))
}

// stated is 1 for a refund that names its amount.
func (r Reversal) stated() int {
	if r.Kind == Refund && r.Amount != nil {
		return 1
	}
	return 0
}

func apply(amount int64, ordered []Reversal) (taken int64, applied []Applied, why reason.Code) {
	took, won := map[string]int64{}, map[string]bool{}
	var last time.Time
	for _, r := range ordered {
		a := Applied{ID: r.ID}
		left := amount - taken
		switch {
		case r.Foreign:
			a.Refused, a.Foreign = true, true
		case r.Kind == DisputeWon:
			a.Amount = -took[r.Restores]
			delete(took, r.Restores)
			won[r.Restores] = true
		case r.Kind == Chargeback && won[r.ID]: // it claims to have occurred after its own dispute ended
		case r.Amount == nil:
			a.Amount = left
		case *r.Amount <= left:
			a.Amount = *r.Amount
		case r.Kind == Refund:
			a.Refused = true
		default:
			a.Amount = left
		}
		taken += a.Amount
		if r.Kind == Chargeback {
			took[r.ID] = a.Amount
		}
		applied = append(applied, a)
		if (a.Amount != 0 || amount == 0) && !a.Refused && !r.OccurredAt.Before(last) {
			last, why = r.OccurredAt, undoReason[r.Kind]
		}
	}
	return taken, applied, why
}

var undoReason = map[Kind]reason.Code{
	Refund:     reason.ReversedRefund,
	Chargeback: reason.ReversedChargeback,
	Fraud:      reason.ReversedFraud,
	ManualUndo: reason.ReversedManual,
	DisputeWon: reason.DisputeWon,
}

// UndoReason is the reason that a kind of reversal leaves on what it takes back.
func UndoReason(k Kind) reason.Code { return undoReason[k] }
