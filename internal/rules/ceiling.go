package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// occasion is what a rule can pay for: a conversion of a type that qualifies its referral, or that came after.
type occasion struct {
	conversionType string
	first          bool
}

func (o occasion) String() string {
	if o.first {
		return "qualifying " + o.conversionType
	}
	return o.conversionType
}

// occasions are all that rules tell apart, in the order of the document.
func (d Document) occasions() []occasion {
	types := slices.Clone(d.Qualification.ConversionTypes)
	for _, r := range d.Rewards {
		types = append(types, r.Triggers...)
	}
	var out []occasion
	add := func(o occasion) {
		if !reserved(o.conversionType) && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	for _, t := range types {
		add(occasion{t, false})
		if slices.Contains(d.Qualification.ConversionTypes, t) {
			add(occasion{t, true})
		}
	}
	return out
}

// paysOn reports whether a rule can pay on an occasion.
func (r RewardRule) paysOn(o occasion) bool {
	switch {
	case o.first && r.Occurrence == LaterOccurrence, !o.first && r.Occurrence == FirstOccurrence:
		return false
	}
	return r.on(o.conversionType) || o.first && r.on(TriggerQualified)
}

// validateShares refuses rules that could pay referrer and upline more of one conversion than the ceiling of the levels, or everybody
// together more than the sale. With 2000, 500 and 200 basis points for levels 1 to 3, one purchase pays 2700. Points, coupons and what
// else is no money count only as far as a share of a commission is taken of them. Fixed amounts are no shares.
func (d Document) validateShares(add adder) {
	var overSale, overCeiling bool
	for _, o := range d.occasions() {
		earned, all := d.greatest(o)
		if all > money.MaxBasisPoints*fine && !overSale {
			add("/rewards", "the shares of one %s add up to %s basis points, more than the sale", o, text(all))
			overSale = true
		}
		if ceiling := d.Levels.CeilingBasisPoints; ceiling < money.MaxBasisPoints && earned > ceiling*fine && !overCeiling {
			add("/levels/ceiling_basis_points", "one %s could earn referrer and upline %s basis points, more than %d", o, text(earned), ceiling)
			overCeiling = true
		}
	}
}

// Shares of shares are counted in parts of a basis point, rounded up, and what is beyond any ceiling is as good as its bound, so
// that no product overflows.
const (
	fine   = 100_000_000
	beyond = 20 * money.MaxBasisPoints * fine
)

// earns is what the members of a group earn on one level: basis points of the sale, and of the commission of the level below. What of
// it is money or credit is its value, and referee what the referees of such a referrer get.
type earns struct{ flat, part, flatValue, partValue, referee int64 }

// of is the commission, and what of it is of value, where the level below earns a commission.
func (e earns) of(below int64) (commission, value int64) {
	share := func(flat, part int64) int64 {
		return min(flat*fine+(below*part+money.MaxBasisPoints-1)/money.MaxBasisPoints, beyond)
	}
	return share(e.flat, e.part), share(e.flatValue, e.partValue)
}

// greatest is the most that an occasion pays referrer and upline, and them and the referee together: over every group that the referrer
// can be of, and the best paid group on each level above.
func (d Document) greatest(o occasion) (earned, all int64) {
	var levels [MaxLevel + 1][]earns
	for level := 1; level <= MaxLevel; level++ {
		levels[level] = d.earnings(o, level)
	}
	for _, e := range levels[1] {
		commission, sum := e.of(0)
		for _, level := range levels[2:] {
			var base, paid int64
			for _, h := range level {
				b, p := h.of(commission)
				base, paid = max(base, b), max(paid, p)
			}
			commission = base
			sum += paid
		}
		earned, all = max(earned, sum), max(all, sum+e.referee*fine)
	}
	return earned, all
}

// earnings is what each group that the rules tell apart earns on a level: those that one of them names, and one that none names.
func (d Document) earnings(o occasion, level int) []earns {
	var paying []RewardRule
	groups := []string{"(any other)"}
	for _, r := range d.Rewards {
		if max(r.level(), 1) == level && r.Amount.Type != Fixed && r.paysOn(o) {
			paying = append(paying, r)
			groups = append(groups, r.Groups...)
		}
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	out := make([]earns, len(groups))
	for i, g := range groups {
		for _, r := range paying {
			if r.For(g) {
				out[i].add(r)
			}
		}
	}
	return out
}

// add adds a rule at its greatest step.
func (e *earns) add(r RewardRule) {
	most := r.Amount.Value
	if r.Tiers != nil {
		for _, step := range r.Tiers.Steps {
			most = max(most, step.Amount.Value)
		}
	}
	most = min(most, money.MaxBasisPoints+1) // which is a fault already
	ofValue := money.Kind(r.Kind) == money.KindMoney || money.Kind(r.Kind) == money.KindCredit
	switch {
	case r.level() == 0 && ofValue:
		e.referee += most
	case r.level() == 0:
	case r.Amount.Type == CommissionPoints:
		e.part += most
		if ofValue {
			e.partValue += most
		}
	default:
		e.flat += most
		if ofValue {
			e.flatValue += most
		}
	}
}

// text writes basis points with what is behind the point, as far as there is something.
func text(share int64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%08d", share/fine, share%fine), "0"), ".")
}
