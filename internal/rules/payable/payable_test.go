package payable_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	threshold := int64(10_000)
	policy := payable.Policy{Minimum: 2500, Approval: payable.OverAmount, ApprovalAmount: 5000, TaxThreshold: &threshold}
	for _, c := range []struct {
		name string
		c    payable.Candidate
		want payable.Decision
	}{
		{"everything is paid", payable.Candidate{Balance: 2500, Left: []int64{1000, 1500}},
			payable.Decision{Amount: 2500, Approved: true, Items: []payable.Item{{1000, 0}, {1500, 0}}}},
		{"one below the minimum", payable.Candidate{Balance: 2499, Left: []int64{2499}}, payable.Decision{Skip: payable.BelowMinimum}},
		{"a debt is carried forward", payable.Candidate{Balance: -500, Left: []int64{1500}}, payable.Decision{Skip: payable.CarryForward}},
		{"the oldest rewards make up for a debt", payable.Candidate{Balance: 4500, Left: []int64{1500, 1000, 4000}},
			payable.Decision{Amount: 4500, Offset: 2000, Approved: true, Items: []payable.Item{{0, 1500}, {500, 500}, {4000, 0}}}},
		{"what was given back goes along with the newest", payable.Candidate{Balance: 3000, Left: []int64{1000, 1500}},
			payable.Decision{Amount: 3000, Offset: -500, Approved: true, Items: []payable.Item{{1000, 0}, {2000, -500}}}},
		{"nothing to go along with", payable.Candidate{Balance: 3000}, payable.Decision{Skip: payable.CarryForward}},
		{"less than the minimum of it", payable.Candidate{Balance: 2499}, payable.Decision{Skip: payable.BelowMinimum}},
		{"a suspended participant waits", payable.Candidate{State: state.ParticipantSuspended, Balance: 5000, Left: []int64{5000}},
			payable.Decision{Skip: payable.ParticipantSuspended}},
		{"a banned one too", payable.Candidate{State: state.ParticipantBanned, Balance: 5000, Left: []int64{5000}},
			payable.Decision{Skip: payable.ParticipantBanned}},
		{"an erased one is paid what is left, however little", payable.Candidate{State: state.ParticipantErased, Balance: 1, Left: []int64{1}},
			payable.Decision{Amount: 1, Approved: true, Items: []payable.Item{{1, 0}}}},
		{"and nothing when nothing is left", payable.Candidate{State: state.ParticipantErased}, payable.Decision{Skip: payable.BelowMinimum}},
		{"the amount that needs no approval", payable.Candidate{Balance: 5000, Left: []int64{5000}},
			payable.Decision{Amount: 5000, Approved: true, Items: []payable.Item{{5000, 0}}}},
		{"one more needs it", payable.Candidate{Balance: 5001, Left: []int64{5001}},
			payable.Decision{Amount: 5001, Items: []payable.Item{{5001, 0}}}},
		{"the threshold is not passed by reaching it", payable.Candidate{Balance: 4000, Left: []int64{4000}, ThisYear: 6000},
			payable.Decision{Amount: 4000, Approved: true, Items: []payable.Item{{4000, 0}}}},
		{"it is by one more", payable.Candidate{Balance: 4001, Left: []int64{4001}, ThisYear: 6000},
			payable.Decision{Skip: payable.TaxDataMissing}},
		{"not with tax data", payable.Candidate{Balance: 4001, Left: []int64{4001}, ThisYear: 6000, TaxData: true},
			payable.Decision{Amount: 4001, Approved: true, Items: []payable.Item{{4001, 0}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := payable.Decide(policy, c.c); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Whatever the debt, a payout is the balance, its items are the rewards, and none is below zero.
func TestItemsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		left := rapid.SliceOfN(rapid.Int64Range(0, 5000), 1, 20).Draw(t, "left")
		balance := rapid.Int64Range(1, 60_000).Draw(t, "balance")
		d := payable.Decide(payable.Policy{}, payable.Candidate{Balance: balance, Left: left})
		var amount, offset int64
		for i, item := range d.Items {
			if item.Amount < 0 || item.Amount+item.Offset != left[i] {
				t.Fatalf("item %d is %+v of %d", i, item, left[i])
			}
			amount, offset = amount+item.Amount, offset+item.Offset
		}
		if d.Skip != "" || amount != d.Amount || amount != balance || offset != d.Offset {
			t.Fatalf("%+v for %d", d, balance)
		}
	})
}
