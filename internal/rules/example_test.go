package rules_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

func ExampleDefault() {
	d := rules.Default()
	fmt.Println(d.Attribution.WindowSeconds/86_400, d.Qualification.WindowSeconds/86_400, d.Levels.CeilingBasisPoints, d.CodesPerParticipant)
	// Output: 30 90 10000 10
}

func ExampleParse() {
	d, err := rules.Parse([]byte(`{"qualification": {"minimum_amount": 2000}}`))
	fmt.Println(d.Qualification.MinimumAmount, d.Qualification.ConversionTypes, d.VersionPin, err)
	// Output: 2000 [purchase] attribution <nil>
}

func ExampleRewardRule_UnmarshalJSON() {
	var r rules.RewardRule
	err := r.UnmarshalJSON([]byte(`{"key": "share", "amount": {"type": "basis_points", "value": 2000}}`))
	fmt.Println(r.Amount.Value, r.Occurrence, len(r.Groups), err)
	// Output: 2000 any 0 <nil>
}

// Levels 1 to 3 may earn 2,500 basis points, and could earn 2,700.
func ExampleDocument_Validate() {
	share := func(level int, bp int64) rules.RewardRule {
		r := rules.RewardRule{
			Key: fmt.Sprint("level_", level), Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money", Occurrence: rules.AnyOccurrence,
			Amount: rules.Amount{Type: rules.BasisPoints, Value: bp},
		}
		if level > 1 {
			r.Beneficiary, r.Level = rules.Upline, &level
		}
		return r
	}
	d := rules.Default()
	d.Levels.CeilingBasisPoints = 2_500
	d.Rewards = []rules.RewardRule{share(1, 2_000), share(2, 500), share(3, 200)}
	for _, fault := range d.Validate() {
		fmt.Println(fault.Pointer, fault.Message)
	}
	// Output: /levels/ceiling_basis_points one purchase could earn referrer and upline 2700 basis points, more than 2500
}

func ExampleRewardRule_For() {
	r := rules.RewardRule{Groups: []string{"partners", rules.DefaultGroup}}
	fmt.Println(r.For("partners"), r.For(""), r.For("staff"))
	// Output: true true false
}

// 20 %, from the fifth referral on 25 %, from the tenth on 30 %.
func ExampleRewardRule_RatedAt() {
	bp := func(value int64) rules.Amount { return rules.Amount{Type: rules.BasisPoints, Value: value} }
	r := rules.RewardRule{Amount: bp(2_000), Tiers: &rules.Tiers{Steps: []rules.Tier{{From: 5, Amount: bp(2_500)}, {From: 10, Amount: bp(3_000)}}}}
	for _, n := range []int64{4, 5, 9, 10} {
		amount, tier := r.RatedAt(n)
		fmt.Println(n, amount.Value, tier)
	}
	// Output:
	// 4 2000 0
	// 5 2500 1
	// 9 2500 1
	// 10 3000 2
}
