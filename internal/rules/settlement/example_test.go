package settlement_test

import (
	"fmt"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func ExampleAmount() {
	share := rules.Amount{Type: rules.BasisPoints, Value: 2_000}
	fmt.Println(settlement.Amount(share, 9_999))
	fmt.Println(settlement.Amount(rules.Amount{Type: rules.Fixed, Value: 1_000}, 9_999))
	// Output:
	// 2000
	// 1000
}

// A refund of 40.00, then a chargeback of the whole sale of 100.00, then the dispute is won.
func ExampleNet() {
	march := func(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }
	forty := int64(4_000)
	events := []settlement.Reversal{
		{ID: "refund", Kind: settlement.Refund, Amount: &forty, OccurredAt: march(1)},
		{ID: "chargeback", Kind: settlement.Chargeback, OccurredAt: march(2)},
		{ID: "won", Kind: settlement.DisputeWon, Restores: "chargeback", OccurredAt: march(9)},
	}
	taken, applied, why := settlement.Net(10_000, events)
	for _, a := range applied {
		fmt.Println(a.ID, a.Amount)
	}
	fmt.Println(taken, why)
	// Output:
	// refund 4000
	// chargeback 6000
	// won -6000
	// 4000 DISPUTE_WON
}

// A sale of 99.99, of which a third was refunded, with 20 % for the referrer.
func ExampleSettle() {
	joined := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	doc := rules.Default()
	doc.Rewards = []rules.RewardRule{{
		Key: "commission", Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money",
		Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_000},
	}}
	third := int64(3_333)
	outcome := settlement.Settle(settlement.Facts{
		ReferralID: "R", Stored: state.ReferralAttributed, SignupAt: joined, QualifyBy: joined.AddDate(0, 0, 90), Zone: time.UTC, Rules: doc,
		Now: joined.AddDate(0, 0, 2),
		Conversions: []settlement.Conversion{{
			ID: "C", Type: "purchase", Amount: 9_999, OccurredAt: joined.Add(time.Hour),
			Reversals: []settlement.Reversal{{ID: "R", Kind: settlement.Refund, Amount: &third, OccurredAt: joined.Add(time.Hour)}},
		}},
	})
	due := outcome.Rewards[0]
	fmt.Println(outcome.State, due.Granted, due.Net, due.Reason)
	// Output: qualified 2000 1333 REVERSED_REFUND
}
