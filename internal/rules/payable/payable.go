// Package payable decides what a payout run pays to a participant, and why it passes one by.
//
// What is payable is the available balance of money, as the ledger has it. It is as large as what is left of the available
// rewards, unless something of what was paid has been taken back: that is a debt, and the oldest rewards make up for it
// first. It can be larger when a debt was made up for and what had caused it was given back afterwards (a dispute was won):
// the newest reward carries that along. All amounts are minor units of one currency; nothing is rounded.
package payable

import "github.com/grapevine-referrals/grapevine/internal/rules/state"

// Approval says which payouts wait for a person.
type Approval string

// The approvals.
const (
	Automatic  Approval = "automatic"
	Manual     Approval = "manual"
	OverAmount Approval = "over_amount"
)

// Provider is how payouts reach whoever pays.
type Provider string

// The providers.
const (
	ByHand  Provider = "manual"
	Webhook Provider = "webhook"
)

// Automatic says whether the provider gets approved payouts without a person.
func (p Provider) Automatic() bool { return p == Webhook }

// Skip is why a participant is passed by.
type Skip string

// The reasons.
const (
	BelowMinimum         Skip = "below_minimum"
	CarryForward         Skip = "carry_forward"
	ParticipantSuspended Skip = "participant_suspended"
	ParticipantBanned    Skip = "participant_banned"
	TaxDataMissing       Skip = "tax_data_missing"
)

// Policy is what a decision needs of a payout policy.
type Policy struct {
	Minimum        int64
	Approval       Approval
	ApprovalAmount int64
	TaxThreshold   *int64 // nil: no tax data is asked for
}

// Candidate is a participant at the moment of a run. Left is what is left of each available reward, oldest first. ThisYear is what was
// paid in the calendar year, or is under way.
type Candidate struct {
	State    state.Participant
	Balance  int64
	Left     []int64
	TaxData  bool
	ThisYear int64
}

// Item is what is paid for one reward, and what of it goes against the debt: together they are what is left of it. Offset is below
// zero when more is paid than is left.
type Item struct {
	Amount, Offset int64
}

// Decision pays Amount by Items, one for each reward in their order, or gives the reason to Skip.
type Decision struct {
	Skip     Skip
	Amount   int64
	Offset   int64
	Approved bool
	Items    []Item
}

// Decide decides about one participant. Where several reasons to skip hold it gives the first of their order here: a balance below zero,
// a ban, a suspension, less than the minimum (or nothing), nothing but what was given back, which goes along with the next reward, and tax
// data missing where the year would come to more than the threshold: exactly the threshold is still paid. Who was erased and is to be
// paid out is paid less than the minimum too: nothing will be added.
func Decide(p Policy, c Candidate) Decision {
	switch {
	case c.Balance < 0:
		return Decision{Skip: CarryForward}
	case c.State == state.ParticipantBanned:
		return Decision{Skip: ParticipantBanned}
	case c.State == state.ParticipantSuspended:
		return Decision{Skip: ParticipantSuspended}
	case c.Balance < max(p.Minimum, 1) && c.State != state.ParticipantErased || c.Balance < 1:
		return Decision{Skip: BelowMinimum}
	case len(c.Left) == 0:
		return Decision{Skip: CarryForward}
	case p.TaxThreshold != nil && !c.TaxData && c.ThisYear+c.Balance > *p.TaxThreshold:
		return Decision{Skip: TaxDataMissing}
	}
	d := Decision{Amount: c.Balance, Items: make([]Item, len(c.Left)), Approved: approved(p, c.Balance)}
	for _, left := range c.Left {
		d.Offset += left
	}
	d.Offset -= c.Balance
	debt := d.Offset
	for i, left := range c.Left {
		offset := min(left, max(debt, 0))
		debt -= offset
		d.Items[i] = Item{Amount: left - offset, Offset: offset}
	}
	newest := &d.Items[len(d.Items)-1]
	newest.Amount, newest.Offset = newest.Amount-debt, newest.Offset+debt // nothing is left of a debt, only what is below zero
	return d
}

func approved(p Policy, amount int64) bool {
	return p.Approval == Automatic || p.Approval == OverAmount && amount <= p.ApprovalAmount
}
