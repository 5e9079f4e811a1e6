package settlement

import (
	"slices"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// verdict says whether a conversion counts, how much of it is undone, and why it did or did not qualify.
func (f Facts) verdict(c Conversion, q *Conversion, l life) Verdict {
	v := Verdict{ID: c.ID}
	why := f.outside(c)
	switch {
	case why != "" && !c.counts():
		v.State = state.ConversionDisqualified
	case !c.left():
		v.State = state.ConversionReversed
	case c.taken > 0:
		v.State = state.ConversionPartiallyReversed
	default:
		v.State = state.ConversionCounted
	}
	switch {
	case why != "":
		v.Reason = why
	case c.undo != "":
		v.Reason = c.undo
	case c.Unpriced:
		v.Reason = reason.FXRateMissing
	case !follows(c, q):
		v.Reason = f.missReason(c)
	default:
		v.Reason = f.unpaid(c, q, l)
	}
	return v
}

// unpaid explains a counted conversion after the qualification: why its rules pay nothing, or that it counted.
func (f Facts) unpaid(c Conversion, q *Conversion, l life) reason.Code {
	why := reason.Counted
	for _, rule := range f.rulesFor(c).Rewards {
		switch miss := f.unpaidBy(rule, c, q); {
		case !slices.Contains(rule.Triggers, c.Type):
		case miss == "" && l.away(c.OccurredAt):
			return reason.ReversedChurn
		case miss == "":
			return reason.Counted
		default:
			why = miss
		}
	}
	return why
}

// missReason explains a counted conversion that came before any qualification.
func (f Facts) missReason(c Conversion) reason.Code {
	if why := f.outsideWindow(c); why != "" {
		return why
	}
	return f.misses(c)
}

// follows reports whether a conversion is the qualifying one or came after it.
func follows(c Conversion, q *Conversion) bool {
	if q == nil {
		return false
	}
	if c.OccurredAt.Equal(q.OccurredAt) {
		return c.Key >= q.Key
	}
	return c.OccurredAt.After(q.OccurredAt)
}

// dues lists what the rules owe for a conversion. A rule that does not apply owes nothing and is left out; one that applied
// once and does not any more owes a Net of zero only through the engine, which finds the stored reward without a due.
func (f Facts) dues(c Conversion, q *Conversion, l life, all []Conversion) []Due {
	if f.outside(c) != "" {
		return nil
	}
	if c.Unpriced {
		return f.waiting(c, l, all)
	}
	doc := f.rulesFor(c)
	var paying []rules.RewardRule
	for _, rule := range doc.Rewards {
		if f.pays(rule, c, q) {
			paying = append(paying, rule)
		}
	}
	var out []Due
	for _, d := range f.owed(paying, doc, cause{
		id: c.ID, conversion: true, version: c.VersionID, at: c.OccurredAt, gross: c.base(c.Amount), net: c.base(c.Amount - c.taken),
		group: c.Group, upline: c.Upline, own: func(t rules.Tiers) int64 { return f.own(t, c, q, all) },
	}) {
		switch {
		case d.Denied:
		case l.took(c.OccurredAt):
			d.Net, d.Reason = 0, reason.ReversedChurn
		case d.Net < d.Granted || c.undo == reason.DisputeWon:
			d.Reason = c.undo
		case l.gaveBack(c.OccurredAt):
			d.Reason = reason.Reinstated
		}
		out = append(out, f.rejected(d))
	}
	return out
}

// rulesFor are the rules whose rewards a conversion gets.
func (f Facts) rulesFor(c Conversion) rules.Document {
	if c.Rules != nil {
		return *c.Rules
	}
	return f.Rules
}

// pays reports whether a rule owes anything for a conversion.
func (f Facts) pays(rule rules.RewardRule, c Conversion, q *Conversion) bool {
	return follows(c, q) && c.left() && f.unpaidBy(rule, c, q) == "" && triggered(rule, c, q)
}

// triggered reports whether a conversion that counts is one of those that a rule is for.
func triggered(rule rules.RewardRule, c Conversion, q *Conversion) bool {
	switch {
	case slices.Contains(rule.Triggers, rules.TriggerSignup):
		return false // paid for joining, whatever the type of a conversion is called
	case slices.Contains(rule.Triggers, rules.TriggerQualified):
		return c.ID == q.ID
	}
	return slices.Contains(rule.Triggers, c.Type)
}

// unpaidBy returns which condition of a rule a conversion misses, or the empty reason.
func (f Facts) unpaidBy(rule rules.RewardRule, c Conversion, q *Conversion) reason.Code {
	if rule.Beneficiary != rules.Upline && !rule.For(c.Group) {
		return reason.GroupNotEligible
	}
	if !c.Unpriced && c.base(c.Amount) < rule.MinimumAmount {
		return reason.BelowMinimum
	}
	if rule.Occurrence == rules.FirstOccurrence && c.ID != q.ID || rule.Occurrence == rules.LaterOccurrence && c.ID == q.ID {
		return reason.NotFirstPurchase
	}
	if rule.Condition != "" && c.Meets != nil && !c.Meets(rule.Condition) {
		return reason.ConditionNotMet
	}
	if rule.DurationMonths != nil && !c.OccurredAt.Before(calendar.AddMonths(q.OccurredAt, *rule.DurationMonths, f.Zone)) {
		return reason.DurationEnded
	}
	return ""
}

// signupDues lists what the rules owe for joining.
func (f Facts) signupDues(q *Conversion, l life, all []Conversion) []Due {
	var paying []rules.RewardRule
	for _, rule := range f.Rules.Rewards {
		if slices.Contains(rule.Triggers, rules.TriggerSignup) {
			paying = append(paying, rule)
		}
	}
	var out []Due
	for _, d := range f.owed(paying, f.Rules, cause{
		id: f.ReferralID, at: f.SignupAt, group: f.Group, upline: f.Upline,
		own: func(t rules.Tiers) int64 { return f.own(t, Conversion{OccurredAt: f.SignupAt}, q, all) },
	}) {
		switch {
		case d.Denied:
		case l.took(f.SignupAt):
			d.Net, d.Reason = 0, reason.ReversedChurn
		case l.gaveBack(f.SignupAt):
			d.Reason = reason.Reinstated
		}
		out = append(out, f.rejected(d))
	}
	return out
}

// rejected takes the rewards of a referral that was rejected or superseded. After a ban of its referrer the facts decide as before:
// the ban itself has cancelled for good what the referrer had not been paid, what was paid stays, and the referee keeps its own.
func (f Facts) rejected(d Due) Due {
	ended := f.Stored == state.ReferralRejected || f.Stored == state.ReferralSuperseded
	if !ended || d.Denied || f.StoredReason == reason.ReferrerIneligible {
		return d
	}
	d.Net, d.Reason = 0, f.StoredReason
	return d
}

// Amount is what a rule pays for a base of the given amount, in minor units: a fixed amount as it is, a share rounded half
// up. The base is the sale, or the commission of the level below, and at least zero.
func Amount(a rules.Amount, sale int64) int64 {
	if a.Type == rules.Fixed {
		return a.Value
	}
	return money.BasisPoints(sale, a.Value)
}
