package rules

import (
	"fmt"
	"slices"

	"github.com/grapevine-referrals/grapevine/internal/rules/condition"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// validate lists what is wrong with a rule whatever the others say.
func (r RewardRule) validate(at string, add adder) {
	for i, t := range r.Triggers {
		if slices.Contains(r.Triggers[:i], t) {
			add(fmt.Sprintf("%s/triggers/%d", at, i), "%q is named twice", t)
		}
	}
	for _, t := range []string{TriggerSignup, TriggerQualified} {
		if r.on(t) && len(r.Triggers) > 1 {
			add(at+"/triggers", "the trigger %s stands alone in a rule", t)
		}
	}
	r.validateLevel(at, add)
	validateAmount(r.Amount, at+"/amount", add)
	if r.on(TriggerSignup) {
		r.validateSignup(at, add)
	}
	for i, g := range r.Groups {
		if slices.Contains(r.Groups[:i], g) {
			add(fmt.Sprintf("%s/groups/%d", at, i), "%q is named twice", g)
		}
	}
	if r.Condition != "" {
		if _, err := condition.Compile(r.Condition); err != nil {
			add(at+"/condition", "%s", err)
		}
	}
	if r.Tiers != nil {
		r.validateTiers(at+"/tiers", add)
	}
	validateExpiry(r.Kind, r.ExpiresAfterSeconds, at, add)
}

func (r RewardRule) validateLevel(at string, add adder) {
	switch {
	case r.Beneficiary != Upline && r.Level != nil:
		add(at+"/level", "a level is of the upline; the %s has none", r.Beneficiary)
	case r.Beneficiary == Upline && r.Level == nil:
		add(at+"/level", "which level of the upline, from 2 to %d", MaxLevel)
	case r.Beneficiary == Upline && (*r.Level < 2 || *r.Level > MaxLevel):
		add(at+"/level", "a level of the upline is from 2, who referred the referrer, to %d", MaxLevel)
	}
	if r.Amount.Type == CommissionPoints && r.Beneficiary != Upline {
		add(at+"/amount/type", "a share of the commission of the level below is for the upline")
	}
}

func validateAmount(a Amount, at string, add adder) {
	if a.Type != Fixed && a.Value > money.MaxBasisPoints {
		add(at+"/value", "a share is at most %d basis points", money.MaxBasisPoints)
	}
}

// validateSignup lists what needs a conversion, which a signup is not.
func (r RewardRule) validateSignup(at string, add adder) {
	if r.Amount.Type != Fixed {
		add(at+"/triggers", "a signup has no amount to take a share of")
	}
	if r.Beneficiary == Upline {
		add(at+"/beneficiary", "the upline earns of conversions, not of signups")
	}
	if r.DurationMonths != nil {
		add(at+"/duration_months", "a duration counts from the qualification, which a signup comes before")
	}
	if r.MinimumAmount > 0 {
		add(at+"/minimum_amount", "a signup has no amount")
	}
	if r.Occurrence == FirstOccurrence || r.Occurrence == LaterOccurrence {
		add(at+"/occurrence", "a signup is neither the first nor a later conversion")
	}
	if r.Condition != "" {
		add(at+"/condition", "a condition is on a conversion, which a signup is not")
	}
	if r.Tiers != nil {
		add(at+"/tiers", "a signup is before anything that tiers measure")
	}
}

// validateTiers wants steps that ascend, each of which something can reach, all of one kind of amount.
func (r RewardRule) validateTiers(at string, add adder) {
	if r.Tiers.Mode == Recompute && r.Tiers.Period == Lifetime {
		add(at+"/mode", "a lifetime has no end at which to rate again")
	}
	least := int64(2) // the fact itself is the first
	if r.Tiers.Measure == MeasureRevenue {
		least = 1
	}
	for i, step := range r.Tiers.Steps {
		here := fmt.Sprintf("%s/steps/%d", at, i)
		if step.From < least {
			add(here+"/from", "a step from %d on leaves nothing to the amount of the rule", step.From)
		}
		if i > 0 && step.From <= r.Tiers.Steps[i-1].From {
			add(here+"/from", "steps ascend, and the one before begins at %d", r.Tiers.Steps[i-1].From)
		}
		if step.Amount.Type != r.Amount.Type {
			add(here+"/amount/type", "the amounts of a rule are of one type, here %s", r.Amount.Type)
		}
		validateAmount(step.Amount, here+"/amount", add)
	}
}

func (r RewardRule) on(trigger string) bool { return slices.Contains(r.Triggers, trigger) }

// level is where a rule pays in the tree: 1 for the referrer, 0 for the referee, who stands below it.
func (r RewardRule) level() int {
	switch {
	case r.Beneficiary == Referrer:
		return 1
	case r.Beneficiary == Upline && r.Level != nil:
		return *r.Level
	}
	return 0
}
