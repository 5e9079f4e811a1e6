package engine

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// number is how a version is called.
func (t *story) number(version *uuid.UUID) string {
	if version == nil {
		return "none"
	}
	return strconv.Itoa(int(t.numbers[*version]))
}

// reckon is how the rules come to what they pay for a conversion of the referral, by what is known now; nil while it is not qualified.
func (t *story) reckon(conversion uuid.UUID) []settlement.Reckoning {
	if t.referral.QualifyingConversionID == nil {
		return nil
	}
	find := func(id uuid.UUID) int {
		return slices.IndexFunc(t.facts.Conversions, func(c settlement.Conversion) bool { return c.ID == id.String() })
	}
	c, q := find(conversion), find(*t.referral.QualifyingConversionID)
	if c < 0 || q < 0 {
		return nil
	}
	return t.facts.Reckon(t.facts.Conversions[c], t.facts.Conversions[q])
}

// unpaid makes a step of each rule that a conversion triggered and that paid nothing for it. A conversion that waits for its referral, or
// does not count for it, has its own reason, which is that of all rules.
func (n *narrator) unpaid(recorded Step, what string, id uuid.UUID) []Step {
	c := n.conversions[id]
	if what != "matched" && (what != "recorded" || recorded.Reason == reason.NoReferral) || c.State == "disqualified" {
		return nil
	}
	var out []Step
	for _, r := range n.reckon(id) {
		paid := slices.ContainsFunc(n.history.rewards, func(w db.Reward) bool { return same(w.ConversionID, &id) && w.RuleKey == r.Rule.Key })
		why, amounts := n.missed(c, r)
		if paid || why == "" || n.room == 0 {
			continue
		}
		n.room--
		of := n.history.versionAt(&n.referral, c.OccurredAt)
		out = append(out, Step{
			At: recorded.At, Reason: cmp.Or(r.Reason, reason.Counted), Title: "Rule paid nothing", Amounts: amounts,
			Detail: "Rule " + r.Rule.Key + " of version " + n.number(&of) + " pays nothing for " + sale(c) + ": " + why + ".",
		})
	}
	return out
}

// quote is what the author of a rule wrote, as far as there is room.
func quote(text string) string {
	const most = 400
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// missed says why a rule pays nothing for a conversion; empty where it would pay.
func (t *story) missed(c db.Conversion, r settlement.Reckoning) (why string, figures []NamedAmount) {
	q := t.conversions[*t.referral.QualifyingConversionID]
	switch {
	case r.Reason == reason.GroupNotEligible:
		return "it is for the groups " + quote(strings.Join(r.Rule.Groups, ", ")), []NamedAmount{}
	case r.Reason == reason.BelowMinimum:
		return "it is for sales from " + money.Text(r.Rule.MinimumAmount, c.BaseCurrency) + " on",
			amounts(c.BaseCurrency, "sale", deref(c.BaseAmount), "minimum", r.Rule.MinimumAmount)
	case r.Reason == reason.NotFirstPurchase && r.Rule.Occurrence == rules.FirstOccurrence:
		return "it is for the conversion that qualified the referral, which was the " + q.Type + " " + q.ExternalID, []NamedAmount{}
	case r.Reason == reason.NotFirstPurchase:
		return "it is for what comes after the conversion that qualified the referral, which this was", []NamedAmount{}
	case r.Reason == reason.ConditionNotMet:
		return "its condition does not hold, or cannot be decided: " + quote(r.Rule.Condition), []NamedAmount{}
	case r.Reason == reason.DurationEnded:
		end := calendar.AddMonths(q.OccurredAt, *r.Rule.DurationMonths, t.history.zone)
		return "it pays for " + counted(int64(*r.Rule.DurationMonths), "month") + " after the qualification, which were over at " + when(end), []NamedAmount{}
	case r.Nobody:
		return "nobody was on level " + strconv.Itoa(*r.Rule.Level) + " who could have it", []NamedAmount{}
	case r.Granted > 0 || r.Amount.Type == rules.Fixed:
		return "", nil
	case r.Base == 0 && r.Amount.Type == rules.CommissionPoints:
		return "the level below earns no commission of it", []NamedAmount{}
	}
	return points(r.Amount.Value) + " of " + money.Text(r.Base, c.BaseCurrency) + " are less than half of the smallest unit", []NamedAmount{}
}

// ground says which rule grants a reward, for what, and how it counts.
func (t *story) ground(w db.Reward) string {
	if w.CauseKind == "manual" {
		return money.Text(w.Granted, w.Currency) + " were granted by hand"
	}
	name := w.RuleKey + " of version " + t.number(&w.ProgramVersionID)
	switch {
	case w.CauseKind == "milestone":
		full, _ := t.full(w)
		return "milestone " + name + t.threshold(w) + " was reached, which grants " + money.Text(full, w.Currency) + t.limited(w, full)
	case w.CauseKind == causeRerating:
		return "rule " + name + " adds " + money.Text(w.Granted+w.Capped, w.Currency) + t.tier(w) + ", which was reached in the period" + t.limited(w, w.Granted+w.Capped)
	}
	text := "rule " + name + " grants the " + w.Beneficiary + " " + t.level(w)
	of, spelled := " of joining", " for joining"
	if w.ConversionID != nil {
		c := sale(t.conversions[*w.ConversionID])
		of, spelled = " of "+c, " for "+c
	}
	full, base := t.full(w)
	switch {
	case w.Granted == 0 && w.Capped > 0:
		return text + "nothing" + spelled + ": " + t.limit(w) + " left nothing of " + money.Text(full, w.Currency)
	case w.Granted == 0:
		return text + "nothing" + spelled + ": " + strings.TrimSuffix(because(w.Reason), ".")
	case w.AmountType == nil || *w.AmountType == string(rules.Fixed):
		return text + money.Text(full, w.Currency) + spelled + t.tier(w) + t.limited(w, full)
	}
	if *w.AmountType == string(rules.CommissionPoints) {
		of = " of the commission of the level below" + base + spelled
	}
	return text + points(*w.AmountValue) + of + t.tier(w) + ", that is " + money.Text(full, w.Currency) + t.limited(w, full)
}

// full is what a reward comes to before its limits, and of which commission, where it is a share of one.
func (t *story) full(w db.Reward) (amount int64, base string) {
	if w.AmountType == nil {
		return w.Granted + w.Capped, ""
	}
	rated := rules.Amount{Type: rules.AmountType(*w.AmountType), Value: *w.AmountValue}
	switch {
	case rated.Type == rules.Fixed:
		return rated.Value, ""
	case w.ConversionID == nil:
		return w.Granted + w.Capped, ""
	case rated.Type == rules.BasisPoints:
		return settlement.Amount(rated, deref(t.conversions[*w.ConversionID].BaseAmount)), ""
	}
	for _, r := range t.reckon(*w.ConversionID) {
		if of := settlement.Amount(rated, r.Base); r.Rule.Key == w.RuleKey && of > 0 {
			return of, " of " + money.Text(r.Base, w.Currency)
		}
	}
	return w.Granted + w.Capped, ""
}

// limited says what is granted of what a reward comes to: what limits left of it, or, after a tier was rated again, what had been granted
// before. A limit is also for what is given back.
func (t *story) limited(w db.Reward, full int64) string {
	granted := money.Text(w.Granted, w.Currency)
	kept := w.Granted + w.Capped - full
	switch {
	case w.Granted > full:
		return ", where " + granted + " had been granted"
	case w.Granted < full && w.Capped == 0:
		return ", of which this reward is " + granted
	case w.Granted < full:
		return ", of which " + t.limit(w) + " left " + granted
	case kept > 0:
		return ", of which " + t.limit(w) + " has no room to give back " + money.Text(kept, w.Currency)
	}
	return ""
}

// limit names what did not leave all of a reward.
func (t *story) limit(w db.Reward) string {
	rule, _ := t.rule(w)
	budget := t.history.documents[w.ProgramVersionID].Budget
	whole := len(w.Limits) == 1 && strings.HasPrefix(w.Limits[0], settlement.BoundBudget)
	switch {
	case budget != nil && (w.Reason == reason.BudgetExhausted || whole):
		return "the budget of the program, " + money.Text(budget.Amount, w.Currency) + per(budget.Period) + ","
	case rule.Cap != nil && (w.Reason == reason.CapReached || w.Reason == reason.CapPartial || len(w.Limits) == 1):
		return "the cap of " + money.Text(rule.Cap.Amount, w.Currency) + per(rule.Cap.Period)
	}
	return "a limit of the program"
}

// level says on which level a reward is, and that its beneficiary took it from another one.
func (t *story) level(w db.Reward) string {
	if w.Level < 2 {
		return ""
	}
	text := "on level " + strconv.Itoa(int(w.Level)) + " "
	if w.ConversionID == nil {
		return text
	}
	above := upline(t.conversions[*w.ConversionID].Upline)
	at := slices.IndexFunc(above, func(a settlement.Ancestor) bool { return a.ID == w.ParticipantID.String() }) + 2
	if at > int(w.Level) {
		text += "(moved up from level " + strconv.Itoa(at) + ", because those between may not earn) "
	}
	return text
}

// tier says which step rates a reward.
func (t *story) tier(w db.Reward) string {
	rule, known := t.rule(w)
	if w.Tier == 0 || !known || rule.Tiers == nil || int(w.Tier) > len(rule.Tiers.Steps) {
		return ""
	}
	from := measured(rule.Tiers.Steps[w.Tier-1].From, rule.Tiers.Measure, t.program.Currency)
	return " by tier " + strconv.Itoa(int(w.Tier)) + ", from " + from + per(rule.Tiers.Period) + " on"
}

// threshold says what a milestone asks for.
func (t *story) threshold(w db.Reward) string {
	for _, m := range t.history.documents[w.ProgramVersionID].Milestones {
		if m.Key == w.RuleKey {
			return ", " + measured(m.Threshold, m.Measure, t.program.Currency) + per(m.Period) + ","
		}
	}
	return ""
}

func (t *story) rule(w db.Reward) (rules.RewardRule, bool) {
	all := t.history.documents[w.ProgramVersionID].Rewards
	i := slices.IndexFunc(all, func(r rules.RewardRule) bool { return r.Key == w.RuleKey })
	if i < 0 {
		return rules.RewardRule{}, false
	}
	return all[i], true
}

// measured writes a number of what tiers and milestones count.
func measured(n int64, m rules.Measure, currency string) string {
	switch m {
	case rules.MeasureQualified:
		return counted(n, "qualified referral")
	case rules.MeasureConversions:
		return counted(n, "conversion")
	}
	return money.Text(n, currency) + " of revenue"
}

// counted is a number of something: 1 day, 30 days.
func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatInt(n, 10) + " " + what
}

// per says by which period something is counted.
func per(p rules.Period) string {
	if p == rules.Lifetime {
		return ""
	}
	return " a " + string(p)
}

// points writes a share: 2000 basis points (20 %).
func points(bp int64) string {
	return strconv.FormatInt(bp, 10) + " basis points (" + money.Percent(bp) + ")"
}
