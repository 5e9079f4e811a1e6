package payable_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// Rewards of 30.00 and 20.00 are available, but 15.00 of what was paid before have been taken back: 35.00 are paid, and the older
// reward makes up for the debt.
func ExampleDecide() {
	policy := payable.Policy{Minimum: 2_500, Approval: payable.OverAmount, ApprovalAmount: 10_000}
	alice := payable.Candidate{State: state.ParticipantActive, Balance: 3_500, Left: []int64{3_000, 2_000}}
	d := payable.Decide(policy, alice)
	fmt.Println(d.Amount, d.Offset, d.Approved, d.Items)

	alice.Balance, alice.Left = 2_499, []int64{2_499}
	fmt.Println(payable.Decide(policy, alice).Skip)

	most := int64(60_000)
	policy.TaxThreshold, alice.Balance, alice.Left, alice.ThisYear = &most, 2_500, []int64{2_500}, 57_501
	fmt.Println(payable.Decide(policy, alice).Skip)
	// Output:
	// 3500 1500 true [{1500 1500} {2000 0}]
	// below_minimum
	// tax_data_missing
}

func ExampleProvider_Automatic() {
	fmt.Println(payable.Webhook.Automatic(), payable.ByHand.Automatic())
	// Output: true false
}
