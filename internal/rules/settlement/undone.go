package settlement

import (
	"cmp"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// undone lists what was owed for conversions once, and is not any more: it walks through the times at which something changed.
func (f Facts) undone(now []Due, q *Conversion, all []Conversion) []Due {
	var out []Due
	var then []Conversion
	var before time.Time
	churns, last := f.Churns, ""
	for _, t := range f.moments(all, q) {
		then = advance(then, all, before, t)
		before = t
		qualifying := ""
		f.Churns = slices.DeleteFunc(slices.Clone(churns), func(c Churn) bool { return c.OccurredAt.After(t) })
		q, life := f.qualifying(then), f.life(then)
		if q != nil {
			qualifying = q.ID
		}
		for i := range then {
			c := &then[i]
			news := qualifying != last || c.OccurredAt.Equal(t) || c.undo == reason.DisputeWon || len(churns) > 0
			if !news || !c.left() {
				continue
			}
			for _, d := range f.dues(*c, q, life, then) {
				if (d.Net > 0 || f.unrated(d)) && !d.Denied && !d.Unpriced && !slices.ContainsFunc(out, d.is) {
					out = appendUndone(out, d, now, all[i])
				}
			}
		}
		last = qualifying
	}
	return out
}

// unrated reports whether a due comes to nothing only as long as its step is not looked at.
func (f Facts) unrated(d Due) bool { return f.Reached == nil && d.Rule.Tiers != nil && d.Granted == 0 }

// appendUndone appends a due that is not owed any more, with the reason why.
func appendUndone(out []Due, d Due, now []Due, c Conversion) []Due {
	why := cmp.Or(c.undo, reason.NotQualified)
	if i := slices.IndexFunc(now, d.is); i >= 0 {
		if now[i].Net > 0 {
			return out
		}
		why = now[i].Reason
	}
	d.Net, d.Reason = 0, why
	return append(out, d)
}

// moments are the times at which something may have been owed that is not owed now. When the referral was qualified by q ever since, and
// nobody left, those are the times of conversions that were undone at least in part; else of everything that occurred.
func (f Facts) moments(ordered []Conversion, q *Conversion) []time.Time {
	steady := len(f.Churns) == 0
	for _, c := range ordered {
		steady = steady && len(c.Reversals) == 0
		if q != nil && c.ID == q.ID {
			break
		}
	}
	var out []time.Time
	for _, c := range ordered {
		if !steady || len(c.Reversals) > 0 {
			out = append(out, c.OccurredAt)
		}
		for _, r := range c.Reversals {
			if !steady {
				out = append(out, r.OccurredAt)
			}
		}
	}
	for _, c := range f.Churns {
		out = append(out, c.OccurredAt)
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// advance makes of the conversions as they were known before a time those that are known at the time.
func advance(then, all []Conversion, before, t time.Time) []Conversion {
	for i := range then {
		if slices.ContainsFunc(all[i].Reversals, func(r Reversal) bool { return r.OccurredAt.After(before) && !r.OccurredAt.After(t) }) {
			then[i] = all[i].asOf(t)
		}
	}
	for len(then) < len(all) && !all[len(then)].OccurredAt.After(t) {
		then = append(then, all[len(then)].asOf(t))
	}
	return then
}

// asOf is a conversion as it was known at a time.
func (c Conversion) asOf(t time.Time) Conversion {
	if len(c.Reversals) > 0 {
		c.taken, _, c.undo = Net(c.Amount, slices.DeleteFunc(slices.Clone(c.Reversals), func(r Reversal) bool { return r.OccurredAt.After(t) }))
	}
	return c
}

// asOf are the conversions, in their order, as they were known at a time.
func asOf(ordered []Conversion, t time.Time) []Conversion {
	return advance(nil, ordered, t, t)
}
