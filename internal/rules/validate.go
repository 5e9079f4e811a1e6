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

// adder notes a fault at a place.
type adder func(pointer, format string, args ...any)

// Validate lists every fault that a document of the right shape can still have, each with its place: keys and names used twice, triggers
// that never come, steps that do not ascend, shares over 10,000 basis points or over the ceiling of the levels, conditions that do not
// compile. An empty list means it can be published.
func (d Document) Validate() []Fault {
	var faults []Fault
	add := func(pointer, format string, args ...any) {
		faults = append(faults, Fault{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
	}
	for i, t := range d.Qualification.ConversionTypes {
		at := fmt.Sprintf("/qualification/conversion_types/%d", i)
		if reserved(t) {
			add(at, "%q is a trigger of its own, not a conversion type", t)
		}
		if slices.Contains(d.Qualification.ConversionTypes[:i], t) {
			add(at, "%q is named twice", t)
		}
	}
	keys := map[string]bool{}
	for i, r := range d.Rewards {
		at := fmt.Sprintf("/rewards/%d", i)
		if keys[r.Key] {
			add(at+"/key", "the key %q is used twice", r.Key)
		}
		keys[r.Key] = true
		r.validate(at, add)
		d.validateOccurrence(r, at, add)
		d.validateCommission(r, at, add)
	}
	for i, m := range d.Milestones {
		at := fmt.Sprintf("/milestones/%d", i)
		if keys[m.Key] {
			add(at+"/key", "the key %q is used twice", m.Key)
		}
		keys[m.Key] = true
		validateExpiry(m.Kind, m.ExpiresAfterSeconds, at, add)
	}
	d.validateShares(add)
	return faults
}

// validateOccurrence refuses a rule that waits for a conversion that never comes.
func (d Document) validateOccurrence(r RewardRule, at string, add adder) {
	qualifies := func(t string) bool {
		return t == TriggerQualified || slices.Contains(d.Qualification.ConversionTypes, t)
	}
	switch {
	case r.on(TriggerSignup):
	case r.Occurrence == LaterOccurrence && r.on(TriggerQualified):
		add(at+"/occurrence", "a referral qualifies once, and never later")
	case r.Occurrence == FirstOccurrence && !slices.ContainsFunc(r.Triggers, qualifies):
		add(at+"/occurrence", "no conversion of its triggers can qualify, so none is the first")
	}
}

// validateCommission refuses a share of a commission that nobody earns.
func (d Document) validateCommission(r RewardRule, at string, add adder) {
	if r.Amount.Type != CommissionPoints || r.Beneficiary != Upline || r.Level == nil || r.on(TriggerSignup) {
		return // which is said of the rule alone
	}
	for _, o := range d.occasions() {
		below := func(b RewardRule) bool { return b.level() == r.level()-1 && b.Amount.Type != Fixed && b.paysOn(o) }
		if r.paysOn(o) && !slices.ContainsFunc(d.Rewards, below) {
			add(at+"/amount/type", "level %d earns no share of a %s that this could be a share of", r.level()-1, o)
			return
		}
	}
}

func validateExpiry(kind string, after *int64, at string, add adder) {
	if money.Kind(kind) == money.KindMoney && after != nil {
		add(at+"/expires_after_seconds", "money is owed until it is paid")
	}
}

func reserved(trigger string) bool { return trigger == TriggerSignup || trigger == TriggerQualified }
