package rules_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// sale is large, so that what rounding adds, a minor unit for each rule, is far below a basis point.
const sale = int64(1_000_000_000_000)

// payer pays a conversion in the plainest way there is: level by level, rule by rule, each at its greatest step.
type payer struct {
	conversionType string
	first          bool
	groups         [4]string // of the referrer at 1, and of those above
}

func (p payer) paid(d rules.Document) (earned, all int64) {
	var commission int64
	for level := 1; level <= 3; level++ {
		var here int64
		for _, r := range d.Rewards {
			if !p.pays(r) || len(r.Groups) > 0 && !slices.Contains(r.Groups, p.groups[level]) {
				continue
			}
			base := sale
			if r.Amount.Type == rules.CommissionPoints {
				base = commission
			}
			share := money.BasisPoints(base, best(r))
			switch at := levelOf(r); {
			case at == level:
				here += share
			case at == 0 && level == 1:
				all += share
			}
		}
		commission = here
		earned += here
	}
	return earned, all + earned
}

func (p payer) pays(r rules.RewardRule) bool {
	switch {
	case p.first && r.Occurrence == rules.LaterOccurrence, !p.first && r.Occurrence == rules.FirstOccurrence, r.Amount.Type == rules.Fixed:
		return false
	case slices.Contains(r.Triggers, rules.TriggerQualified):
		return p.first
	}
	return slices.Contains(r.Triggers, p.conversionType)
}

func levelOf(r rules.RewardRule) int {
	switch r.Beneficiary {
	case rules.Upline:
		return *r.Level
	case rules.Referrer:
		return 1
	}
	return 0
}

func best(r rules.RewardRule) int64 {
	most := r.Amount.Value
	if r.Tiers != nil {
		most = max(most, r.Tiers.Steps[0].Amount.Value)
	}
	return most
}

// network draws a document with levels, groups, occurrences and tiers, some of it above its ceiling.
func network(t *rapid.T) rules.Document {
	d := rules.Default()
	d.Levels.CeilingBasisPoints = rapid.Int64Range(500, 10_000).Draw(t, "ceiling")
	for i := range rapid.IntRange(1, 8).Draw(t, "rules") {
		r := share(fmt.Sprintf("r%d", i), rapid.Int64Range(1, 2_500).Draw(t, "bp"))
		r.Triggers = rapid.SampledFrom([][]string{{"purchase"}, {"renewal"}, {"purchase", "renewal"}, {"qualified"}}).Draw(t, "triggers")
		r.Occurrence = rapid.SampledFrom([]rules.Occurrence{rules.AnyOccurrence, rules.AnyOccurrence, rules.FirstOccurrence, rules.LaterOccurrence}).Draw(t, "occurrence")
		r.Groups = rapid.SampledFrom([][]string{{}, {}, {"vip"}, {"default"}, {"default", "vip"}}).Draw(t, "groups")
		switch level := rapid.IntRange(0, 3).Draw(t, "level"); level {
		case 0:
			r.Beneficiary = rules.Referee
		case 2, 3:
			r.Beneficiary, r.Level = rules.Upline, &level
			if rapid.Bool().Draw(t, "of commission") {
				r.Amount.Type = rules.CommissionPoints
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "tiered") == 0 {
			r.Tiers = &rules.Tiers{Measure: rules.MeasureQualified, Period: rules.Month, Mode: rules.Frozen, Steps: []rules.Tier{
				{From: 2, Amount: rules.Amount{Type: r.Amount.Type, Value: rapid.Int64Range(1, 2_500).Draw(t, "step")}}}}
		}
		d.Rewards = append(d.Rewards, r)
	}
	return d
}

// TestAValidDocumentNeverPaysMoreThanItsCeiling, and one that is refused for it would have: every kind of conversion by members of
// every group is paid, and compared.
func TestAValidDocumentNeverPaysMoreThanItsCeiling(t *testing.T) {
	t.Parallel()
	refused, published := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := network(t)
		got := pointers(t, d)
		var earned, all int64
		groups := []string{"default", "vip", "other"}
		for _, p := range []payer{{"purchase", true, [4]string{}}, {"purchase", false, [4]string{}}, {"renewal", false, [4]string{}}} {
			for n := range len(groups) * len(groups) * len(groups) {
				p.groups = [4]string{"", groups[n%3], groups[n/3%3], groups[n/9]}
				e, a := p.paid(d)
				earned, all = max(earned, e), max(all, a)
			}
		}
		const rounding = 100
		ceiling := money.BasisPoints(sale, d.Levels.CeilingBasisPoints)
		if over := slices.Contains(got, "/levels/ceiling_basis_points"); !over && earned > ceiling+rounding || over && earned < ceiling-rounding {
			t.Fatalf("the ceiling is %d, it pays %d, the faults are %v", ceiling, earned, got)
		}
		if over := slices.Contains(got, "/rewards"); !over && all > sale+rounding || over && all < sale-rounding {
			t.Fatalf("it pays %d, the faults are %v", all, got)
		}
		if len(got) == 0 {
			published++
		} else {
			refused++
		}
	})
	if published == 0 || refused == 0 {
		t.Errorf("%d documents are valid, %d are not", published, refused)
	}
}

// TestTheLargestDocumentIsValidatedSoon: 20 rules that tell as many types and groups apart as the contract allows.
func TestTheLargestDocumentIsValidatedSoon(t *testing.T) {
	t.Parallel()
	d := rules.Default()
	d.Qualification.ConversionTypes = nil
	for i := range 10 {
		d.Qualification.ConversionTypes = append(d.Qualification.ConversionTypes, fmt.Sprintf("type_%d", i))
	}
	for i := range 20 {
		r := share(fmt.Sprintf("r%d", i), int64(i+1), d.Qualification.ConversionTypes...)
		for g := range 20 {
			r.Groups = append(r.Groups, fmt.Sprintf("group_%d", i*20+g))
		}
		if i >= 10 {
			r.Beneficiary, r.Level = rules.Upline, ptr(i%9+2)
		}
		d.Rewards = append(d.Rewards, r)
	}
	started := time.Now()
	if got := d.Validate(); len(got) > 0 {
		t.Errorf("it is refused: %v", got)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("it took %s", took)
	}
}
