package settlement

import (
	"slices"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// Reckoning is how a rule comes to what it pays for a conversion, or to nothing. Reason is the condition of the rule that is missed, empty
// when none is. Nobody says that nobody was on its level. Otherwise Granted is what it comes to before caps and budget: Amount, taken of
// Base when it is a share, which is the sale or the commission of the level below. Gross, in minor units of the program's currency.
type Reckoning struct {
	Rule    rules.RewardRule
	Reason  reason.Code
	Nobody  bool
	Base    int64
	Amount  rules.Amount
	Granted int64
}

// Reckon tells of each rule that a conversion triggers, as the one that qualified the referral or as one after it, how it comes to what it
// pays, in the order of the rules. Nothing for a conversion from before the qualification, or without a rate. Shares are rounded half up;
// what is on record of their rates is taken from Rated, tiers are not looked at.
func (f Facts) Reckon(c Conversion, qualifying Conversion) []Reckoning {
	if !follows(c, &qualifying) || c.Unpriced {
		return nil
	}
	doc := f.rulesFor(c)
	var out []Reckoning
	var paying []rules.RewardRule
	for _, rule := range doc.Rewards {
		if !triggered(rule, c, &qualifying) {
			continue
		}
		why := f.unpaidBy(rule, c, &qualifying)
		if why == "" {
			paying = append(paying, rule)
		}
		out = append(out, Reckoning{Rule: rule, Reason: why})
	}
	f.Reached = nil
	gross := c.base(c.Amount)
	dues := f.owed(paying, doc, cause{id: c.ID, conversion: true, at: c.OccurredAt, gross: gross, net: gross, group: c.Group, upline: c.Upline})
	for i := range out {
		r := &out[i]
		at := slices.IndexFunc(dues, func(d Due) bool { return d.Rule.Key == r.Rule.Key && d.Level == levelOf(r.Rule) })
		switch {
		case at >= 0:
			r.Base, r.Amount, r.Granted = dues[at].Base, dues[at].Amount, dues[at].Granted
		case r.Reason == "" && levelOf(r.Rule)-2 < len(ancestors(c.Upline, doc.Levels.Ineligible)):
			r.Reason = reason.GroupNotEligible
		default:
			r.Nobody = r.Reason == ""
		}
	}
	return out
}
