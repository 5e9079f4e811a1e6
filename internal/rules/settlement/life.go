package settlement

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// life is when the referee was away. leftAt is set while churned. adrift is set for a referee who came back to nothing that
// qualifies, and has not bought anything since that does: the referral stays churned until then.
type life struct {
	leftAt, adrift *time.Time
	spells         []spell
	reinstates     bool
}

// spell is a time away that ended.
type spell struct{ from, until time.Time }

// life walks the departures. One counts when the referral was qualified then, by what had occurred by then, and the churn
// window of that qualification was open: a refund from after it neither unmakes it nor makes one of it.
func (f Facts) life(conversions []Conversion) life {
	var l life
	if f.Rules.Churn == nil {
		return l
	}
	l.reinstates = f.Rules.Churn.ReinstateOnReactivation
	window := time.Duration(f.Rules.Churn.WindowSeconds) * time.Second
	churns := slices.Clone(f.Churns)
	slices.SortStableFunc(churns, func(a, b Churn) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
	})
	for _, c := range churns {
		switch {
		case !c.Back && l.leftAt == nil:
			if q := f.qualifying(asOf(conversions, c.OccurredAt)); q != nil && c.OccurredAt.Before(q.OccurredAt.Add(window)) {
				at := c.OccurredAt
				l.leftAt = &at
			}
		case c.Back && l.leftAt != nil:
			l.spells = append(l.spells, spell{*l.leftAt, c.OccurredAt})
			l.leftAt = nil
		}
	}
	if n := len(l.spells); n > 0 && !f.qualifiedFrom(l.spells[n-1].until, conversions) {
		l.adrift = &l.spells[n-1].from
	}
	return l
}

// qualifiedFrom reports whether the referral was qualified at a moment or at any time after it.
func (f Facts) qualifiedFrom(t time.Time, conversions []Conversion) bool {
	moments := []time.Time{t}
	for _, c := range conversions {
		moments = append(moments, c.OccurredAt)
		for _, r := range c.Reversals {
			moments = append(moments, r.OccurredAt)
		}
	}
	return slices.ContainsFunc(moments, func(m time.Time) bool {
		return !m.Before(t) && f.qualifying(asOf(conversions, m)) != nil
	})
}

// took reports whether churn has taken what occurred at t.
func (l life) took(t time.Time) bool {
	return l.leftAt != nil || !l.reinstates && slices.ContainsFunc(l.spells, func(s spell) bool { return t.Before(s.until) })
}

// gaveBack reports whether churn had taken what occurred at t, and a return brought it back.
func (l life) gaveBack(t time.Time) bool {
	return !l.took(t) && slices.ContainsFunc(l.spells, func(s spell) bool { return !t.After(s.from) })
}

// away reports whether the referee was away at t, and what occurred then earns nothing.
func (l life) away(t time.Time) bool {
	if l.leftAt != nil && t.After(*l.leftAt) {
		return true
	}
	return l.took(t) && slices.ContainsFunc(l.spells, func(s spell) bool { return t.After(s.from) && t.Before(s.until) })
}
