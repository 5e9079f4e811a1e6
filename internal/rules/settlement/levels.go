package settlement

import (
	"cmp"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// Ancestor is somebody above the referrer when a fact occurred.
type Ancestor struct {
	ID       string
	Eligible bool
	Group    string
}

// cause is what rules pay for: a conversion or the signup. own is what the referral itself adds to what its referrer has reached.
type cause struct {
	id, version string
	conversion  bool
	at          time.Time
	gross, net  int64
	group       string
	upline      []Ancestor
	own         func(rules.Tiers) int64
}

// commission is what a level earns as a share, before caps: the base of the level above it.
type commission struct{ gross, net int64 }

// owed applies rules to a cause, the lower levels first. The commission of a level is what its shares come to before caps, also where
// an ancestor who may not earn is skipped.
func (f Facts) owed(paying []rules.RewardRule, doc rules.Document, c cause) []Due {
	paying = slices.Clone(paying)
	slices.SortStableFunc(paying, func(a, b rules.RewardRule) int { return cmp.Compare(uplineLevel(a), uplineLevel(b)) })
	earned := map[int]commission{}
	var out []Due
	for _, rule := range paying {
		d := Due{
			CauseID: c.id, VersionID: c.version, Rule: rule, Level: levelOf(rule), OccurredAt: c.at, Reason: reason.Granted,
			AvailableAt: c.at.Add(time.Duration(rule.HoldSeconds) * time.Second),
		}
		if c.conversion {
			d.ConversionID = c.id
		}
		if !f.assign(&d, c, doc.Levels.Ineligible) {
			continue
		}
		f.rate(&d, c)
		base := commission{c.gross, c.net}
		if rule.Amount.Type == rules.CommissionPoints {
			base = earned[levelOf(rule)-1]
		}
		d.Base = base.gross
		share := commission{Amount(d.Amount, base.gross), Amount(d.Amount, base.net)}
		if d.Amount.Type != rules.Fixed && rule.Beneficiary != rules.Referee {
			sum := earned[levelOf(rule)]
			earned[levelOf(rule)] = commission{sum.gross + share.gross, sum.net + share.net}
		}
		if !d.Denied {
			d.Granted, d.Net = share.gross, share.net
		}
		out = append(out, d)
	}
	return append(out, tooDeep(out, c, doc.Levels.Ineligible)...)
}

// levelOf is the level that a rule pays: 0 for the referee, 1 for the referrer.
func levelOf(rule rules.RewardRule) int {
	switch {
	case rule.Beneficiary == rules.Upline && rule.Level != nil:
		return *rule.Level
	case rule.Beneficiary == rules.Referrer:
		return 1
	}
	return 0
}

// uplineLevel orders rules: those of the upline after the others, by level.
func uplineLevel(rule rules.RewardRule) int {
	if rule.Beneficiary != rules.Upline {
		return 0
	}
	return levelOf(rule)
}

// assign finds who gets a due, and reports whether anybody of the right group is there.
func (f Facts) assign(d *Due, c cause, ineligible rules.Ineligible) bool {
	group := c.group
	switch d.Rule.Beneficiary {
	case rules.Referee:
		d.ParticipantID = f.RefereeID
	case rules.Upline:
		above := ancestors(c.upline, ineligible)
		if d.Level-2 >= len(above) {
			return false
		}
		a := above[d.Level-2]
		switch {
		case !a.Eligible:
			d.Denied, d.Reason = true, reason.LevelIneligibleSkipped
		case a.ID != c.upline[d.Level-2].ID:
			d.Reason = reason.LevelCompressed
		}
		d.ParticipantID, group = a.ID, a.Group
	default:
		d.ParticipantID = f.ReferrerID
	}
	return d.Rule.For(group)
}

// ancestors are those who take the levels from the second on.
func ancestors(upline []Ancestor, ineligible rules.Ineligible) []Ancestor {
	if ineligible != rules.Compress {
		return upline
	}
	return slices.DeleteFunc(slices.Clone(upline), func(a Ancestor) bool { return !a.Eligible })
}

// rate finds the amount that a due is rated by: what it was on record, or the step that the beneficiary has reached with this fact.
func (f Facts) rate(d *Due, c cause) {
	d.Amount = d.Rule.Amount
	if f.Rated != nil {
		if amount, tier, known := f.Rated(*d); known {
			d.Amount, d.Tier = amount, tier
			return
		}
	}
	if t := d.Rule.Tiers; t != nil && f.Reached != nil && !d.Denied {
		n := f.Reached(d.ParticipantID, *t, c.at)
		if d.Level == 1 {
			n += c.own(*t)
		}
		d.Amount, d.Tier = d.Rule.RatedAt(n)
	}
}

// closed reports whether a period is over and rated by all that was reached in it.
func (f Facts) closed(t rules.Tiers, start time.Time) bool {
	return t.Mode == rules.Recompute && !f.Now.Before(calendar.Instant(calendar.End(t.Period, start), f.Zone))
}

// own is what a referral adds to what its referrer has reached, up to and with a conversion, in the period in which that occurred; all
// of a period that is closed.
func (f Facts) own(t rules.Tiers, at Conversion, q *Conversion, all []Conversion) (n int64) {
	start := calendar.Start(t.Period, at.OccurredAt, f.Zone)
	for _, c := range all {
		if later := c.OccurredAt.After(at.OccurredAt) || c.OccurredAt.Equal(at.OccurredAt) && c.Key > at.Key; later && !f.closed(t, start) {
			continue
		}
		if !calendar.Start(t.Period, c.OccurredAt, f.Zone).Equal(start) || f.outside(c) != "" || !c.left() || c.Unpriced {
			continue
		}
		switch t.Measure {
		case rules.MeasureQualified:
			if q != nil && q.ID == c.ID {
				n++
			}
		case rules.MeasureConversions:
			n++
		case rules.MeasureRevenue:
			n += c.base(c.Amount - c.taken)
		}
	}
	return n
}

// tooDeep tells the ancestor above the last level that earns that the level is too deep for the program.
func tooDeep(dues []Due, c cause, ineligible rules.Ineligible) []Due {
	var last *Due
	for i, d := range dues {
		if d.Rule.Beneficiary == rules.Upline && (last == nil || levelOf(d.Rule) > levelOf(last.Rule)) {
			last = &dues[i]
		}
	}
	if last == nil {
		return nil
	}
	above := ancestors(c.upline, ineligible)
	if levelOf(last.Rule)-1 >= len(above) {
		return nil
	}
	d := *last
	d.ParticipantID, d.Level = above[levelOf(last.Rule)-1].ID, d.Level+1
	d.Denied, d.Reason, d.Granted, d.Net = true, reason.LevelDepthExceeded, 0, 0
	d.Amount, d.Tier = d.Rule.Amount, 0
	return []Due{d}
}
