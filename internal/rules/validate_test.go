package rules_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// full is a document that uses everything there is.
func full() rules.Document {
	twelve := 12
	d := rules.Document{
		Attribution: rules.Attribution{
			Model: rules.FirstTouch, WindowSeconds: 86_400, CodePrecedence: rules.ClickFirst, RequireConsent: true,
		},
		Qualification: rules.Qualification{ConversionTypes: []string{"purchase", "trial"}, MinimumAmount: 2_000, WindowSeconds: 7_776_000},
		Rewards: []rules.RewardRule{
			{Key: "join", Triggers: []string{rules.TriggerSignup}, Beneficiary: rules.Referee, Kind: "credit", Amount: rules.Amount{Type: rules.Fixed, Value: 500}},
			{Key: "welcome", Triggers: []string{rules.TriggerQualified}, Beneficiary: rules.Referee, Kind: "credit", Amount: rules.Amount{Type: rules.Fixed, Value: 1_000}},
			{Key: "share", Triggers: []string{"purchase", "renewal"}, Beneficiary: rules.Referrer, Kind: "money", Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_000},
				HoldSeconds: 1_209_600, DurationMonths: &twelve, MinimumAmount: 100, Condition: "conversion.amount > 1",
				Tiers: &rules.Tiers{Measure: rules.MeasureConversions, Period: rules.Quarter, Mode: rules.Recompute, Steps: []rules.Tier{
					{From: 5, Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_500}}, {From: 10, Amount: rules.Amount{Type: rules.BasisPoints, Value: 3_000}}}},
				Cap: &rules.Cap{Amount: 50_000, Period: rules.Month}},
			{Key: "upper", Triggers: []string{"purchase", "renewal"}, Beneficiary: rules.Upline, Level: ptr(2), Kind: "money", Amount: rules.Amount{Type: rules.BasisPoints, Value: 500}},
			{Key: "uppermost", Triggers: []string{"purchase"}, Beneficiary: rules.Upline, Level: ptr(3), Kind: "credit",
				Amount: rules.Amount{Type: rules.CommissionPoints, Value: 1_000}, ExpiresAfterSeconds: ptr(int64(31_536_000))},
		},
		Milestones: []rules.Milestone{{Key: "ten", Measure: rules.MeasureQualified, Period: rules.Lifetime, Threshold: 10, Kind: "credit",
			Amount: 5_000, HoldSeconds: 9, Reversible: true, ExpiresAfterSeconds: ptr(int64(31_536_000))}},
		Levels:              rules.Levels{CeilingBasisPoints: 10_000, Ineligible: rules.Compress},
		Budget:              &rules.Cap{Amount: 1_000_000, Period: rules.Year},
		Churn:               &rules.Churn{WindowSeconds: 5_184_000, ReinstateOnReactivation: true},
		CodesPerParticipant: 3,
		VersionPin:          rules.PinConversion,
	}
	for i := range d.Rewards {
		d.Rewards[i].Occurrence, d.Rewards[i].Groups = rules.AnyOccurrence, []string{}
	}
	return d
}

func ptr[T any](v T) *T { return &v }

func with(r rules.RewardRule, change func(r *rules.RewardRule)) rules.RewardRule {
	change(&r)
	return r
}

func fixedTiers() *rules.Tiers {
	return &rules.Tiers{Measure: rules.MeasureQualified, Period: rules.Lifetime, Mode: rules.Frozen, Steps: []rules.Tier{
		{From: 5, Amount: rules.Amount{Type: rules.Fixed, Value: 9}}}}
}

// ceiling leaves a document with nothing but shares of a purchase for the levels from 1 on.
func ceiling(most int64, shares ...int64) func(d *rules.Document) {
	return func(d *rules.Document) {
		d.Levels.CeilingBasisPoints, d.Rewards = most, nil
		for i, bp := range shares {
			r := share(fmt.Sprintf("level_%d", i+1), bp, "purchase")
			if i > 0 {
				r.Beneficiary, r.Level = rules.Upline, ptr(i+1)
			}
			d.Rewards = append(d.Rewards, r)
		}
	}
}

// ofCommission is ceiling where each level from 2 on takes a share of the commission of the one below.
func ofCommission(most int64, shares ...int64) func(d *rules.Document) {
	return func(d *rules.Document) {
		ceiling(most, shares...)(d)
		for i := range d.Rewards[1:] {
			d.Rewards[i+1].Amount.Type = rules.CommissionPoints
		}
	}
}

func share(key string, bp int64, triggers ...string) rules.RewardRule {
	return rules.RewardRule{
		Key: key, Triggers: triggers, Beneficiary: rules.Referrer, Kind: "money", Amount: rules.Amount{Type: rules.BasisPoints, Value: bp},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	months := 6
	for _, c := range []struct {
		name   string
		change func(d *rules.Document)
		want   []string // the pointers, in order
	}{
		{"a document with everything is fine", func(*rules.Document) {}, nil},
		{"a document without rewards is fine", func(d *rules.Document) { d.Rewards = nil }, nil},
		{"signup is no conversion type", func(d *rules.Document) { d.Qualification.ConversionTypes[1] = "signup" }, []string{"/qualification/conversion_types/1"}},
		{"qualified is no conversion type", func(d *rules.Document) { d.Qualification.ConversionTypes[0] = "qualified" }, []string{"/qualification/conversion_types/0"}},
		{"a conversion type twice", func(d *rules.Document) { d.Qualification.ConversionTypes[1] = "purchase" }, []string{"/qualification/conversion_types/1"}},
		{"a key twice", func(d *rules.Document) { d.Rewards[2].Key = "join" }, []string{"/rewards/2/key"}},
		{"a key three times is two faults", func(d *rules.Document) { d.Rewards[1].Key, d.Rewards[2].Key = "join", "join" },
			[]string{"/rewards/1/key", "/rewards/2/key"}},
		{"a trigger twice", func(d *rules.Document) { d.Rewards[2].Triggers[1] = "purchase" }, []string{"/rewards/2/triggers/1"}},
		{"signup with another trigger", func(d *rules.Document) { d.Rewards[0].Triggers = []string{"signup", "purchase"} }, []string{"/rewards/0/triggers"}},
		{"qualified with another trigger", func(d *rules.Document) { d.Rewards[1].Triggers = []string{"purchase", "qualified"} }, []string{"/rewards/1/triggers"}},
		{"a share of a signup", func(d *rules.Document) { d.Rewards[0].Amount.Type = rules.BasisPoints }, []string{"/rewards/0/triggers"}},
		{"a duration after a signup", func(d *rules.Document) { d.Rewards[0].DurationMonths = &months }, []string{"/rewards/0/duration_months"}},
		{"a minimum for a signup", func(d *rules.Document) { d.Rewards[0].MinimumAmount = 1 }, []string{"/rewards/0/minimum_amount"}},
		{"more than the whole sale", func(d *rules.Document) { d.Rewards[2].Amount.Value = 10_001 }, []string{"/rewards/2/amount/value", "/rewards"}},
		{"exactly the whole sale", func(d *rules.Document) { d.Rewards[2].Amount.Value = 9_450 }, nil},
		{"a large fixed amount is no share", func(d *rules.Document) { d.Rewards[1].Amount.Value = money.MaxAmount }, nil},
		{"two shares of one type that add up to the sale", func(d *rules.Document) {
			d.Rewards = []rules.RewardRule{share("a", 6_000, "purchase"), share("b", 4_000, "purchase")}
		}, nil},
		{"two shares of one type that add up to more", func(d *rules.Document) {
			d.Rewards = []rules.RewardRule{share("a", 6_000, "purchase"), share("b", 4_001, "renewal", "purchase")}
		}, []string{"/rewards"}},
		{"two shares of two types never meet", func(d *rules.Document) {
			d.Rewards = []rules.RewardRule{share("a", 6_000, "purchase"), share("b", 6_000, "renewal")}
		}, nil},
		{"the share of the qualifying conversion meets that of its type", func(d *rules.Document) {
			d.Rewards = []rules.RewardRule{share("a", 6_000, "purchase"), share("b", 6_000, "qualified")}
		}, []string{"/rewards"}},
		{"the share of the qualifying conversion never meets that of a type that cannot qualify", func(d *rules.Document) {
			d.Rewards = []rules.RewardRule{share("a", 6_000, "renewal"), share("b", 6_000, "qualified")}
		}, nil},
		{"the shares of a type that only qualifies", func(d *rules.Document) {
			d.Rewards = []rules.RewardRule{share("a", 6_000, "qualified"), share("b", 6_000, "qualified")}
		}, []string{"/rewards"}},

		{"a milestone with the key of a rule", func(d *rules.Document) { d.Milestones[0].Key = "share" }, []string{"/milestones/0/key"}},
		{"two milestones with one key", func(d *rules.Document) { d.Milestones = append(d.Milestones, d.Milestones[0]) }, []string{"/milestones/1/key"}},
		{"money of a milestone that expires", func(d *rules.Document) { d.Milestones[0].Kind = "money" }, []string{"/milestones/0/expires_after_seconds"}},
		{"money that expires", func(d *rules.Document) { d.Rewards[2].ExpiresAfterSeconds = ptr(int64(9)) }, []string{"/rewards/2/expires_after_seconds"}},
		{"points that expire", func(d *rules.Document) {
			d.Rewards[2].Kind, d.Rewards[2].ExpiresAfterSeconds = "points", ptr(int64(9))
		}, nil},

		{"the upline without a level", func(d *rules.Document) { d.Rewards[3].Level = nil }, []string{"/rewards/3/level", "/rewards/4/amount/type"}},
		{"the first level is the referrer", func(d *rules.Document) { d.Rewards[3].Level = ptr(1) }, []string{"/rewards/3/level", "/rewards/4/amount/type"}},
		{"the eleventh level", func(d *rules.Document) { d.Rewards[3].Level = ptr(11) }, []string{"/rewards/3/level", "/rewards/4/amount/type"}},
		{"a referrer with a level", func(d *rules.Document) { d.Rewards[2].Level = ptr(2) }, []string{"/rewards/2/level"}},
		{"a referee with a level", func(d *rules.Document) { d.Rewards[1].Level = ptr(2) }, []string{"/rewards/1/level"}},

		{"the upline of a signup", func(d *rules.Document) { d.Rewards[0].Beneficiary, d.Rewards[0].Level = rules.Upline, ptr(2) }, []string{"/rewards/0/beneficiary"}},

		{"a share of the commission for the referrer", func(d *rules.Document) { d.Rewards[2].Amount.Type = rules.CommissionPoints }, []string{
			"/rewards/2/amount/type", "/rewards/2/tiers/steps/0/amount/type", "/rewards/2/tiers/steps/1/amount/type"}},
		{"a share of the commission of a level that is left out", func(d *rules.Document) { d.Rewards[4].Level = ptr(4) }, []string{"/rewards/4/amount/type"}},
		{"a share of a commission that is fixed", func(d *rules.Document) { d.Rewards[3].Amount.Type = rules.Fixed }, []string{"/rewards/4/amount/type"}},
		{"a share of the commission of a conversion that the level below is not paid for", func(d *rules.Document) { d.Rewards[4].Triggers = []string{"purchase", "renewal", "upgrade"} },
			[]string{"/rewards/4/amount/type"}},
		{"a share of the commission of later conversions, of which the level below is paid the first", func(d *rules.Document) { d.Rewards[3].Occurrence = rules.FirstOccurrence },
			[]string{"/rewards/4/amount/type"}},
		{"a share of the commission of the first conversion only, of which the level below is paid", func(d *rules.Document) {
			d.Rewards[3].Occurrence, d.Rewards[4].Occurrence = rules.FirstOccurrence, rules.FirstOccurrence
		}, nil},
		{"a share of the commission of the qualification, of which the level below is paid by type", func(d *rules.Document) {
			d.Rewards[3].Triggers, d.Rewards[4].Triggers = []string{"purchase", "trial"}, []string{"qualified"}
		}, nil},
		{"a share of more than the commission", func(d *rules.Document) { d.Rewards[4].Amount.Value = 10_001 }, []string{"/rewards/4/amount/value"}},

		{"tiers that do not ascend", func(d *rules.Document) { d.Rewards[2].Tiers.Steps[1].From = 4 }, []string{"/rewards/2/tiers/steps/1/from"}},
		{"two tiers from one number on", func(d *rules.Document) { d.Rewards[2].Tiers.Steps[1].From = 5 }, []string{"/rewards/2/tiers/steps/1/from"}},
		{"a tier from the first on leaves nothing below", func(d *rules.Document) { d.Rewards[2].Tiers.Steps[0].From = 1 }, []string{"/rewards/2/tiers/steps/0/from"}},
		{"a tier from the first cent on", func(d *rules.Document) {
			d.Rewards[2].Tiers.Measure, d.Rewards[2].Tiers.Steps[0].From = rules.MeasureRevenue, 1
		}, nil},
		{"a tier from no revenue on", func(d *rules.Document) {
			d.Rewards[2].Tiers.Measure, d.Rewards[2].Tiers.Steps[0].From = rules.MeasureRevenue, 0
		}, []string{"/rewards/2/tiers/steps/0/from"}},
		{"a tier of another type of amount", func(d *rules.Document) { d.Rewards[2].Tiers.Steps[1].Amount.Type = rules.Fixed }, []string{"/rewards/2/tiers/steps/1/amount/type"}},
		{"a tier of more than the sale", func(d *rules.Document) { d.Rewards[2].Tiers.Steps[1].Amount.Value = 10_001 },
			[]string{"/rewards/2/tiers/steps/1/amount/value", "/rewards"}},
		{"the period of a lifetime is never closed", func(d *rules.Document) { d.Rewards[2].Tiers.Period = rules.Lifetime }, []string{"/rewards/2/tiers/mode"}},
		{"tiers that stay may last a lifetime", func(d *rules.Document) {
			d.Rewards[2].Tiers.Period, d.Rewards[2].Tiers.Mode = rules.Lifetime, rules.Frozen
		}, nil},
		{"tiers for joining", func(d *rules.Document) { d.Rewards[0].Tiers = fixedTiers() }, []string{"/rewards/0/tiers"}},
		{"a cap below a fixed amount", func(d *rules.Document) { d.Rewards[1].Cap = &rules.Cap{Amount: 1, Period: rules.Day} }, nil},

		{"a group twice", func(d *rules.Document) { d.Rewards[2].Groups = []string{"vip", "default", "vip"} }, []string{"/rewards/2/groups/2"}},
		{"a condition that does not compile", func(d *rules.Document) { d.Rewards[2].Condition = "conversion.amout > 1" }, []string{"/rewards/2/condition"}},
		{"a condition that is no condition", func(d *rules.Document) { d.Rewards[2].Condition = "conversion.amount" }, []string{"/rewards/2/condition"}},
		{"a condition for joining", func(d *rules.Document) { d.Rewards[0].Condition = "conversion.amount > 1" }, []string{"/rewards/0/condition"}},
		{"a first time of joining", func(d *rules.Document) { d.Rewards[0].Occurrence = rules.FirstOccurrence }, []string{"/rewards/0/occurrence"}},
		{"a later qualification", func(d *rules.Document) { d.Rewards[1].Occurrence = rules.LaterOccurrence }, []string{"/rewards/1/occurrence"}},
		{"a first conversion of types that cannot qualify", func(d *rules.Document) {
			d.Rewards[2].Triggers, d.Rewards[2].Occurrence = []string{"renewal"}, rules.FirstOccurrence
		}, []string{"/rewards/2/occurrence"}},

		{"levels up to the ceiling", ceiling(2_700, 2_000, 500, 200), nil},
		{"levels above the ceiling", ceiling(2_500, 2_000, 500, 200), []string{"/levels/ceiling_basis_points"}},
		{"the referrer alone above the ceiling", ceiling(1_999, 2_000), []string{"/levels/ceiling_basis_points"}},
		{"the referee is not part of the ceiling", func(d *rules.Document) {
			ceiling(2_000, 2_000)(d)
			d.Rewards = append(d.Rewards, with(share("b", 3_000, "purchase"), func(r *rules.RewardRule) { r.Beneficiary = rules.Referee }))
		}, nil},
		{"but with it everybody together gets more than the sale", func(d *rules.Document) {
			ceiling(7_000, 6_000, 1_000)(d)
			d.Rewards = append(d.Rewards, with(share("b", 3_001, "purchase"), func(r *rules.RewardRule) { r.Beneficiary = rules.Referee }))
		}, []string{"/rewards"}},
		{"the greatest step counts", func(d *rules.Document) {
			ceiling(2_500, 2_000, 200)(d)
			d.Rewards[0].Tiers = &rules.Tiers{Measure: rules.MeasureQualified, Period: rules.Month, Mode: rules.Frozen, Steps: []rules.Tier{
				{From: 5, Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_301}}, {From: 9, Amount: rules.Amount{Type: rules.BasisPoints, Value: 100}}}}
		}, []string{"/levels/ceiling_basis_points"}},
		{"terms of two groups do not add up", func(d *rules.Document) {
			ceiling(3_000, 3_000, 3_000)(d)
			d.Rewards[1].Beneficiary, d.Rewards[1].Level = rules.Referrer, nil
			d.Rewards[0].Groups, d.Rewards[1].Groups = []string{"default"}, []string{"partner"}
		}, nil},
		{"terms for everybody add up with those of a group", func(d *rules.Document) {
			ceiling(3_000, 3_000, 1)(d)
			d.Rewards[1].Beneficiary, d.Rewards[1].Level, d.Rewards[1].Groups = rules.Referrer, nil, []string{"partner"}
		}, []string{"/levels/ceiling_basis_points"}},
		{"the groups of two levels are those of two people", func(d *rules.Document) {
			ceiling(3_000, 3_000, 1)(d)
			d.Rewards[0].Groups, d.Rewards[1].Groups = []string{"default"}, []string{"partner"}
		}, []string{"/levels/ceiling_basis_points"}},
		{"the rates of the first and of later conversions do not add up", func(d *rules.Document) {
			ceiling(3_000, 3_000, 3_000)(d)
			d.Rewards[1].Beneficiary, d.Rewards[1].Level = rules.Referrer, nil
			d.Rewards[0].Occurrence, d.Rewards[1].Occurrence = rules.FirstOccurrence, rules.LaterOccurrence
		}, nil},
		{"the qualification adds up with the first conversion", func(d *rules.Document) {
			ceiling(3_000, 3_000, 1)(d)
			d.Rewards[0].Occurrence, d.Rewards[1].Triggers = rules.FirstOccurrence, []string{"qualified"}
		}, []string{"/levels/ceiling_basis_points"}},
		{"the qualification does not add up with later conversions", func(d *rules.Document) {
			ceiling(3_000, 3_000, 3_000)(d)
			d.Rewards[0].Occurrence, d.Rewards[1].Triggers = rules.LaterOccurrence, []string{"qualified"}
		}, nil},
		{"shares of commissions up to the ceiling", ofCommission(2_220, 2_000, 1_000, 1_000), nil},
		{"shares of commissions above the ceiling", ofCommission(2_219, 2_000, 1_000, 1_000), []string{"/levels/ceiling_basis_points"}},
		{"shares of commissions a part of a basis point above the ceiling", ofCommission(2_003, 2_000, 15, 15), []string{"/levels/ceiling_basis_points"}},
		{"ten levels that each take the whole commission", ofCommission(9_999, 2_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000),
			[]string{"/rewards", "/levels/ceiling_basis_points"}},
		{"points are not paid out of the sale", func(d *rules.Document) {
			ceiling(2_000, 2_000, 10_000)(d)
			d.Rewards[1].Kind = "points"
		}, nil},
		{"a commission of points that money is a share of", func(d *rules.Document) {
			ofCommission(999, 10_000, 1_000)(d)
			d.Rewards[0].Kind = "points"
		}, []string{"/levels/ceiling_basis_points"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := full()
			c.change(&d)
			if got := pointers(t, d); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func pointers(t interface{ Errorf(string, ...any) }, d rules.Document) []string {
	var out []string
	for _, f := range d.Validate() {
		if f.Message == "" {
			t.Errorf("the fault at %s is not explained", f.Pointer)
		}
		out = append(out, f.Pointer)
	}
	return out
}

// TestValidateSaysTheSameEveryTime: a refusal is stored with its idempotency key and compared, so it may not depend on the
// order in which a map is walked.
func TestValidateSaysTheSameEveryTime(t *testing.T) {
	t.Parallel()
	d := full()
	d.Rewards = []rules.RewardRule{share("a", 7_000, "purchase", "renewal", "trial"), share("b", 4_000, "purchase"), share("c", 5_000, "renewal"), share("d", 6_000, "trial")}
	want := d.Validate()
	for range 50 {
		if got := d.Validate(); !slices.Equal(got, want) {
			t.Fatalf("got %v, then %v", want, got)
		}
	}
}

// fine draws a document without a fault: shares of at most a tenth in at most ten rules.
func fine(t *rapid.T) rules.Document {
	types := []string{"purchase", "renewal", "trial", "upgrade"}
	d := rules.Default()
	d.Qualification.ConversionTypes = types[:rapid.IntRange(1, 4).Draw(t, "types")]
	for i := range rapid.IntRange(1, 10).Draw(t, "rules") {
		r := share(string(rune('a'+i)), rapid.Int64Range(1, 1_000).Draw(t, "bp"))
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			r.Triggers, r.Amount.Type = []string{rules.TriggerSignup}, rules.Fixed
		case 1:
			r.Triggers = []string{rules.TriggerQualified}
		default:
			r.Triggers = slices.Clone(types[rapid.IntRange(0, 2).Draw(t, "first"):])
			r.MinimumAmount = rapid.Int64Range(0, 5_000).Draw(t, "minimum")
		}
		d.Rewards = append(d.Rewards, r)
	}
	return d
}

// plants spoil a document in one place and say where.
var plants = map[string]func(d *rules.Document, i int) (pointer string){
	"reserved type": func(d *rules.Document, _ int) string {
		d.Qualification.ConversionTypes = []string{rules.TriggerSignup}
		return "/qualification/conversion_types/0"
	},
	"type twice": func(d *rules.Document, _ int) string {
		d.Qualification.ConversionTypes = []string{"purchase", "purchase"}
		return "/qualification/conversion_types/1"
	},
	"key twice": func(d *rules.Document, i int) string {
		r := d.Rewards[i]
		d.Rewards = append(d.Rewards, r)
		return at(len(d.Rewards)-1, "key")
	},
	"trigger twice": func(d *rules.Document, i int) string {
		d.Rewards[i].Triggers = []string{"purchase", "purchase"}
		return at(i, "triggers/1")
	},
	"too large a share": func(d *rules.Document, i int) string {
		d.Rewards[i].Amount = rules.Amount{Type: rules.BasisPoints, Value: 10_001}
		return at(i, "amount/value")
	},
	"share of a signup": func(d *rules.Document, i int) string {
		d.Rewards[i].Triggers, d.Rewards[i].Amount.Type = []string{rules.TriggerSignup}, rules.BasisPoints
		return at(i, "triggers")
	},
	"signup in company": func(d *rules.Document, i int) string {
		d.Rewards[i].Triggers, d.Rewards[i].Amount.Type = []string{"renewal", rules.TriggerSignup}, rules.Fixed
		return at(i, "triggers")
	},
	"qualified in company": func(d *rules.Document, i int) string {
		d.Rewards[i].Triggers = []string{rules.TriggerQualified, "renewal"}
		return at(i, "triggers")
	},
	"duration of a signup": func(d *rules.Document, i int) string {
		one := 1
		d.Rewards[i].Triggers, d.Rewards[i].DurationMonths = []string{rules.TriggerSignup}, &one
		return at(i, "duration_months")
	},
	"minimum of a signup": func(d *rules.Document, i int) string {
		d.Rewards[i].Triggers, d.Rewards[i].MinimumAmount = []string{rules.TriggerSignup}, 1
		return at(i, "minimum_amount")
	},
	"more than the sale": func(d *rules.Document, _ int) string {
		d.Rewards = append(d.Rewards, share("x", 9_000, "purchase"), share("y", 9_000, "purchase"))
		return "/rewards"
	},
}

func at(i int, field string) string { return fmt.Sprintf("/rewards/%d/%s", i, field) }

func TestValidateFindsEachPlantedFault(t *testing.T) {
	t.Parallel()
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				d := fine(t)
				if got := pointers(t, d); len(got) > 0 {
					t.Fatalf("a fine document is refused at %v", got)
				}
				want := plant(&d, rapid.IntRange(0, len(d.Rewards)-1).Draw(t, "where"))
				if got := pointers(t, d); !slices.Contains(got, want) {
					t.Fatalf("the fault at %s is not among %v", want, got)
				}
			})
		})
	}
}
