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

// Of a sale of 100.00, 60.00 were refunded: 50.00 are more than is left, 40.00 are not.
func ExampleRefuses() {
	sixty, fifty, forty := int64(6_000), int64(5_000), int64(4_000)
	before := []settlement.Reversal{{ID: "first", Kind: settlement.Refund, Amount: &sixty}}
	fmt.Println(settlement.Refuses(10_000, before, settlement.Reversal{ID: "second", Kind: settlement.Refund, Amount: &fifty}))
	fmt.Println(settlement.Refuses(10_000, before, settlement.Reversal{ID: "second", Kind: settlement.Refund, Amount: &forty}))
	fmt.Println(settlement.Refuses(10_000, before, settlement.Reversal{ID: "second", Kind: settlement.Chargeback, Amount: &fifty}))
	// Output:
	// true
	// false
	// false
}

func ExampleUndoReason() {
	fmt.Println(settlement.UndoReason(settlement.Chargeback))
	// Output: REVERSED_CHARGEBACK
}

// A commission with a cap of 500.00 a month, in a program with a budget of 10,000.00 for ever.
func ExampleBounds() {
	doc := rules.Document{Budget: &rules.Cap{Amount: 1_000_000, Period: rules.Lifetime}}
	due := settlement.Due{
		ParticipantID: "alice", OccurredAt: time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC),
		Rule: rules.RewardRule{Key: "share", Kind: "money", Cap: &rules.Cap{Amount: 50_000, Period: rules.Month}},
	}
	for _, b := range settlement.Bounds(doc, due, time.UTC) {
		fmt.Printf("%s %q %s %d\n", b.Name, b.ParticipantID, b.Start.Format(time.DateOnly), b.Most)
	}
	// Output:
	// cap:share:month "alice" 2026-03-01 50000
	// budget:lifetime "" 1970-01-01 1000000
}

// Bob and Ben bought for 100.00 each, and Ben got 50.00 back. At 20 % with a cap of 25.00 Alice would have earned 20.00 and 5.00.
func ExampleSimulate() {
	joined := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	fifty := int64(5_000)
	bought := func(id string, after time.Duration, reversals ...settlement.Reversal) settlement.Facts {
		return settlement.Facts{
			ReferralID: id, ReferrerID: "alice", Stored: state.ReferralQualified, SignupAt: joined, QualifyBy: joined.AddDate(0, 0, 90), Zone: time.UTC,
			Now:         joined.AddDate(0, 1, 0),
			Conversions: []settlement.Conversion{{ID: "sale-" + id, Type: "purchase", Amount: 10_000, OccurredAt: joined.Add(after), Reversals: reversals}},
		}
	}
	doc := rules.Default()
	doc.Rewards = []rules.RewardRule{{
		Key: "share", Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money", Occurrence: rules.AnyOccurrence,
		Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_000}, Cap: &rules.Cap{Amount: 2_500, Period: rules.Lifetime},
	}}
	history := []settlement.Facts{
		bought("bob", time.Hour), bought("ben", 2*time.Hour, settlement.Reversal{ID: "r", Kind: settlement.Refund, Amount: &fifty, OccurredAt: joined.Add(3 * time.Hour)}),
	}
	fmt.Println(settlement.Simulate(doc, history, nil))
	// Output: map[{alice money}:2500]
}

// 20 % for the referrer, and for two levels above a tenth of what the level below earns, of a sale of 99.99: each is rounded half up.
func ExampleSettle_levels() {
	joined := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	doc := rules.Default()
	for level, a := range map[int]rules.Amount{1: {Type: rules.BasisPoints, Value: 2_000}, 2: {Type: rules.CommissionPoints, Value: 1_000}, 3: {Type: rules.CommissionPoints, Value: 1_000}} {
		rule := rules.RewardRule{Key: fmt.Sprint("level_", level), Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money", Amount: a}
		if level > 1 {
			rule.Beneficiary, rule.Level = rules.Upline, &level
		}
		doc.Rewards = append(doc.Rewards, rule)
	}
	outcome := settlement.Settle(settlement.Facts{
		ReferralID: "R", ReferrerID: "alice", Stored: state.ReferralAttributed, SignupAt: joined, QualifyBy: joined.AddDate(0, 0, 90), Zone: time.UTC,
		Rules: doc, Now: joined.AddDate(0, 0, 2),
		Conversions: []settlement.Conversion{{
			ID: "C", Type: "purchase", Amount: 9_999, OccurredAt: joined.Add(time.Hour),
			Upline: []settlement.Ancestor{{ID: "carol", Eligible: true}, {ID: "dave", Eligible: true}, {ID: "erin", Eligible: true}},
		}},
	})
	for _, d := range outcome.Rewards {
		fmt.Println(d.Level, d.ParticipantID, d.Granted, d.Reason)
	}
	// Output:
	// 1 alice 2000 GRANTED
	// 2 carol 200 GRANTED
	// 3 dave 20 GRANTED
	// 4 erin 0 LEVEL_DEPTH_EXCEEDED
}

// The second purchase of a referee, of 15.00: a rule for the first, one from 20.00 on, one that applies, and one for a level where
// nobody is.
func ExampleFacts_Reckon() {
	january := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	share := func(key string, change func(*rules.RewardRule)) rules.RewardRule {
		r := rules.RewardRule{
			Key: key, Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money", Amount: rules.Amount{Type: rules.BasisPoints, Value: 1_250},
		}
		change(&r)
		return r
	}
	third := 3
	doc := rules.Default()
	doc.Rewards = []rules.RewardRule{
		share("first", func(r *rules.RewardRule) { r.Occurrence = rules.FirstOccurrence }),
		share("large", func(r *rules.RewardRule) { r.MinimumAmount = 2_000 }),
		share("any", func(*rules.RewardRule) {}),
		share("third", func(r *rules.RewardRule) { r.Beneficiary, r.Level = rules.Upline, &third }),
	}
	first := settlement.Conversion{ID: "1", Type: "purchase", Amount: 9_900, OccurredAt: january}
	second := settlement.Conversion{ID: "2", Type: "purchase", Amount: 1_500, OccurredAt: january.AddDate(0, 1, 0)}
	for _, r := range (settlement.Facts{Rules: doc, Zone: time.UTC}).Reckon(second, first) {
		fmt.Printf("%s %q %t %d of %d\n", r.Rule.Key, r.Reason, r.Nobody, r.Granted, r.Base)
	}
	// Output:
	// first "NOT_FIRST_PURCHASE" false 0 of 0
	// large "BELOW_MINIMUM" false 0 of 0
	// any "" false 188 of 1500
	// third "" true 0 of 0
}
