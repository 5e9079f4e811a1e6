package rules

import (
	"fmt"
	"slices"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// Fault is one thing wrong with a document: Pointer is the JSON pointer of its place.
type Fault struct {
	Pointer string
	Message string
}

// Validate lists every fault that a document of the right shape can still have. An empty list means it can be published.
func (d Document) Validate() []Fault {
	var faults []Fault
	add := func(pointer, format string, args ...any) {
		faults = append(faults, Fault{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
	}
	seen := map[string]bool{}
	for i, t := range d.Qualification.ConversionTypes {
		if reserved(t) {
			add(fmt.Sprintf("/qualification/conversion_types/%d", i), "%q is a trigger of its own, not a conversion type", t)
		}
		if seen[t] {
			add(fmt.Sprintf("/qualification/conversion_types/%d", i), "%q is named twice", t)
		}
		seen[t] = true
	}
	keys := map[string]bool{}
	for i, r := range d.Rewards {
		at := fmt.Sprintf("/rewards/%d", i)
		if keys[r.Key] {
			add(at+"/key", "the key %q is used twice", r.Key)
		}
		keys[r.Key] = true
		r.validate(at, add)
	}
	d.validateShare(add)
	return faults
}

func (r RewardRule) validate(at string, add func(pointer, format string, args ...any)) {
	for j, t := range r.Triggers {
		if slices.Contains(r.Triggers[:j], t) {
			add(fmt.Sprintf("%s/triggers/%d", at, j), "%q is named twice", t)
		}
	}
	onSignup := slices.Contains(r.Triggers, TriggerSignup)
	switch {
	case r.Amount.Type == BasisPoints && r.Amount.Value > money.MaxBasisPoints:
		add(at+"/amount/value", "a share is at most %d basis points", money.MaxBasisPoints)
	case r.Amount.Type == BasisPoints && onSignup:
		add(at+"/triggers", "a signup has no amount to take a share of")
	}
	if onSignup && len(r.Triggers) > 1 {
		add(at+"/triggers", "the trigger signup stands alone in a rule")
	}
	if slices.Contains(r.Triggers, TriggerQualified) && len(r.Triggers) > 1 {
		add(at+"/triggers", "the trigger qualified stands alone in a rule")
	}
	if onSignup && r.DurationMonths != nil {
		add(at+"/duration_months", "a duration counts from the qualification, which a signup comes before")
	}
	if onSignup && r.MinimumAmount > 0 {
		add(at+"/minimum_amount", "a signup has no amount")
	}
}

// validateShare refuses rules that would pay out more than the sale: the shares that one conversion can trigger at the
// same time add up to at most a hundred per cent.
func (d Document) validateShare(add func(pointer, format string, args ...any)) {
	types := slices.Clone(d.Qualification.ConversionTypes)
	for _, r := range d.Rewards {
		for _, t := range r.Triggers {
			if !reserved(t) {
				types = append(types, t)
			}
		}
	}
	for _, t := range types {
		qualifies := slices.Contains(d.Qualification.ConversionTypes, t)
		var sum int64
		for _, r := range d.Rewards {
			pays := slices.Contains(r.Triggers, t) || qualifies && slices.Contains(r.Triggers, TriggerQualified)
			if pays && r.Amount.Type == BasisPoints {
				sum += r.Amount.Value
			}
		}
		if sum > money.MaxBasisPoints {
			add("/rewards", "the shares of one conversion add up to %d basis points, more than the sale", sum)
			return
		}
	}
}

func reserved(trigger string) bool { return trigger == TriggerSignup || trigger == TriggerQualified }
