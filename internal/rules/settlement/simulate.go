package settlement

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// Holding is what simulated rewards add up to: those of one participant and one kind.
type Holding struct{ ParticipantID, Kind string }

// Simulate says what the referrals of a program would be owed if one document had rated all of them from the beginning. Everything
// happens in the order in which it occurred, with what is left of it: tiers and milestones count the facts up to a sale, or all of a
// period that is over where its close rates again; caps and the budget go to what was earlier. The facts carry the document; what is on
// record of their rewards is not looked at. The sums are net, in minor units, or in whole ones for other kinds than money and credit;
// those that come to nothing are left out.
func Simulate(doc rules.Document, facts []Facts) map[Holding]int64 {
	var steps []step
	for i := range facts {
		facts[i].Rules, facts[i].Rated, facts[i].Reached = doc, nil, nil
		steps = append(steps, stepsOf(i, facts[i], Settle(facts[i]))...)
	}
	reached := newTrack(steps)
	var dues []Due
	for i, f := range facts {
		f.Reached = func(participant string, t rules.Tiers, at time.Time) int64 {
			start := calendar.Start(t.Period, at, f.Zone)
			if f.closed(t, start) {
				at = calendar.Instant(calendar.End(t.Period, start), f.Zone).Add(-1)
			}
			return reached.sum(participant, t.Measure, calendar.Instant(start, f.Zone), at, i)
		}
		dues = append(dues, Settle(f).Rewards...)
	}
	out, used := map[Holding]int64{}, map[Bound]int64{}
	if len(facts) == 0 {
		return out
	}
	zone := facts[0].Zone
	dues = append(dues, reached.milestones(doc, zone)...)
	slices.SortFunc(dues, func(a, b Due) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.CauseID, b.CauseID), cmp.Compare(a.Level, b.Level),
			strings.Compare(a.Rule.Key, b.Rule.Key), strings.Compare(a.ParticipantID, b.ParticipantID))
	})
	for _, d := range dues {
		granted, bounds := d.Granted, Bounds(doc, d, zone)
		for _, b := range bounds {
			granted = min(granted, b.Most-used[b])
		}
		net := min(d.Net, granted)
		for _, b := range bounds {
			used[b] += net
		}
		if net > 0 {
			out[Holding{d.ParticipantID, d.Rule.Kind}] += net
		}
	}
	return out
}

// step is what one fact of a referral adds to what its referrer has reached.
type step struct {
	referral    int
	participant string
	at          time.Time
	by          map[rules.Measure]int64
}

func stepsOf(referral int, f Facts, o Outcome) []step {
	var out []step
	if o.State == state.ReferralRejected || o.State == state.ReferralSuperseded {
		return nil
	}
	if o.State == state.ReferralQualified && o.QualifiedAt != nil {
		out = append(out, step{referral, f.ReferrerID, *o.QualifiedAt, map[rules.Measure]int64{rules.MeasureQualified: 1}})
	}
	for _, v := range o.Conversions {
		if v.State != state.ConversionCounted && v.State != state.ConversionPartiallyReversed {
			continue
		}
		at := slices.IndexFunc(f.Conversions, func(c Conversion) bool { return c.ID == v.ID })
		c := f.Conversions[at]
		if c.Unpriced {
			continue
		}
		taken, _, _ := Net(c.Amount, c.Reversals)
		out = append(out, step{referral, f.ReferrerID, c.OccurredAt, map[rules.Measure]int64{
			rules.MeasureConversions: 1, rules.MeasureRevenue: c.base(c.Amount - taken),
		}})
	}
	return out
}

// track finds what somebody had reached at a moment without walking over everything before it.
type track struct {
	steps map[string][]step                    // by participant, oldest first
	of    map[int][]step                       // by referral
	sums  map[string]map[rules.Measure][]int64 // up to each of them
}

func newTrack(steps []step) track {
	t := track{map[string][]step{}, map[int][]step{}, map[string]map[rules.Measure][]int64{}}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	for _, s := range steps {
		t.steps[s.participant] = append(t.steps[s.participant], s)
		t.of[s.referral] = append(t.of[s.referral], s)
		sums := t.sums[s.participant]
		if sums == nil {
			sums = map[rules.Measure][]int64{}
			t.sums[s.participant] = sums
		}
		for _, m := range []rules.Measure{rules.MeasureQualified, rules.MeasureConversions, rules.MeasureRevenue} {
			var before int64
			if n := len(sums[m]); n > 0 {
				before = sums[m][n-1]
			}
			sums[m] = append(sums[m], before+s.by[m])
		}
	}
	return t
}

// sum is what a participant reached in [from, to], without one referral. Of others at the last moment those before it count.
func (t track) sum(participant string, m rules.Measure, from, to time.Time, without int) int64 {
	steps, sums := t.steps[participant], t.sums[participant][m]
	first := sort.Search(len(steps), func(i int) bool { return !steps[i].at.Before(from) })
	last := sort.Search(len(steps), func(i int) bool {
		return steps[i].at.After(to) || steps[i].at.Equal(to) && steps[i].referral >= without
	})
	if last <= first {
		return 0
	}
	n := sums[last-1]
	if first > 0 {
		n -= sums[first-1]
	}
	for _, s := range t.of[without] {
		if s.participant == participant && !s.at.Before(from) && s.at.Before(to) {
			n -= s.by[m]
		}
	}
	return n
}

// milestones are what was reached in the end, each at the moment at which it was, in no order.
func (t track) milestones(doc rules.Document, zone *time.Location) []Due {
	var out []Due
	for _, m := range doc.Milestones {
		for participant, steps := range t.steps {
			sums := map[time.Time]int64{}
			for _, s := range steps {
				start := calendar.Start(m.Period, s.at, zone)
				before := sums[start]
				sums[start] += s.by[m.Measure]
				if before < m.Threshold && sums[start] >= m.Threshold {
					out = append(out, Due{
						CauseID: m.Key, ParticipantID: participant, Level: 1, Granted: m.Amount, Net: m.Amount, OccurredAt: s.at,
						Rule: rules.RewardRule{Key: m.Key, Beneficiary: rules.Referrer, Kind: m.Kind},
					})
				}
			}
		}
	}
	return out
}
