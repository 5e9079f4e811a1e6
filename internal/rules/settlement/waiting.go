package settlement

import (
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// waiting lists what a conversion without a rate may earn, in amounts that are not known: what its rules would owe if it reached every
// minimum. When the rate comes the facts are settled again, and it earns what it would have earned if the rate had been there.
func (f Facts) waiting(c Conversion, l life, all []Conversion) []Due {
	ended := f.Stored == state.ReferralRejected || f.Stored == state.ReferralSuperseded
	q := f.couldQualify(all)
	if q == nil || ended || l.took(c.OccurredAt) {
		return nil
	}
	doc := f.rulesFor(c)
	var paying []rules.RewardRule
	for _, rule := range doc.Rewards {
		if f.pays(rule, c, q) {
			paying = append(paying, rule)
		}
	}
	f.Reached = nil // no tier is looked at before there is an amount
	var out []Due
	for _, d := range f.owed(paying, doc, cause{id: c.ID, conversion: true, version: c.VersionID, at: c.OccurredAt, group: c.Group, upline: c.Upline}) {
		if d.Denied {
			continue
		}
		d.Unpriced, d.Granted, d.Net, d.Reason = true, 0, 0, reason.FXRateMissing
		out = append(out, d)
	}
	return out
}
