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
				HoldSeconds: 1_209_600, DurationMonths: &twelve, MinimumAmount: 100},
		},
		Milestones:          []rules.Milestone{},
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
		{"exactly the whole sale", func(d *rules.Document) { d.Rewards[2].Amount.Value = 10_000 }, nil},
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
