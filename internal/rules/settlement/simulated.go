package settlement

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// settle settles one referral at a moment, and pays what follows from it.
func (s *simulation) settle(i int, now time.Time) {
	f, out := s.outcome(i, now)
	changed := s.advance(i, reachedBy(f, out))
	for _, month := range changed {
		s.payGoals(f, month, now, false)
	}
	s.pay(i, out.Rewards)
	for _, month := range changed {
		s.payGoals(f, month, now, true)
		s.rateAgain(f, month, now)
	}
}

// outcome settles a referral by what had occurred until a moment, without paying.
func (s *simulation) outcome(i int, now time.Time) (Facts, Outcome) {
	f := s.facts[i].until(now)
	f.Rated = func(d Due) (rules.Amount, int, bool) {
		w, known := s.rewards[i][keyOf(d)]
		if !known || recomputes(d.Rule) && d.ConversionID != "" && f.closed(*d.Rule.Tiers, calendar.Start(d.Rule.Tiers.Period, d.OccurredAt, f.Zone)) {
			return rules.Amount{}, 0, false
		}
		return w.Amount, w.Tier, true
	}
	f.Reached = func(participant string, t rules.Tiers, at time.Time) int64 {
		start := calendar.Start(t.Period, at, f.Zone)
		n := s.all[participant].in(t.Period, start).of(t.Measure)
		if participant == f.ReferrerID {
			n -= s.own[i].in(t.Period, start).of(t.Measure)
		}
		return n
	}
	out, _, _ := f.settle()
	return f, out
}

func keyOf(d Due) dueKey { return dueKey{d.CauseID, d.Rule.Key, d.ParticipantID, d.Level} }

// pay brings the rewards of a referral to what is due: what is taken back first, because it makes room for what is given. A share that is
// rounded to nothing on its step is kept in mind, so that the step stays.
func (s *simulation) pay(i int, dues []Due) {
	owed := map[dueKey]bool{}
	zone := s.facts[i].Zone
	dues = slices.DeleteFunc(slices.Clone(dues), func(d Due) bool { return d.Denied || d.Unpriced })
	for _, d := range dues {
		owed[keyOf(d)] = true
		if w := s.rewards[i][keyOf(d)]; w != nil && s.left(w, d) < w.net {
			s.bring(w, d, zone)
		}
	}
	for k, w := range s.rewards[i] {
		if !owed[k] {
			s.bring(w, w.owing(0), zone)
		}
	}
	for _, d := range dues {
		w := s.rewards[i][keyOf(d)]
		switch {
		case w == nil && d.Net <= 0 && (d.Granted > 0 || d.Rule.Tiers == nil):
			continue
		case w == nil:
			w = &simulated{}
			s.rewards[i][keyOf(d)] = w
			if recomputes(d.Rule) {
				in := ratedIn{d.ParticipantID, d.Rule.Key, calendar.Start(d.Rule.Tiers.Period, d.OccurredAt, zone)}
				if !slices.Contains(s.rated[in], i) {
					s.rated[in] = append(s.rated[in], i)
				}
			}
		}
		s.bring(w, d, zone)
	}
}

// left is what is still owed of a reward by a due.
func (s *simulation) left(w *simulated, d Due) int64 {
	if s.decided != nil {
		if most, ok := s.decided(d); ok {
			d.Net = min(d.Net, most)
		}
	}
	return max(0, min(d.Net, d.Granted-w.capped, w.granted))
}

// owing is the due of a reward with another amount that is owed.
func (w *simulated) owing(net int64) Due {
	d := w.Due
	d.Net = net
	return d
}

// bring grants what a due has more than a reward, as far as the limits leave something, and takes back or gives back what differs.
func (s *simulation) bring(w *simulated, d Due, zone *time.Location) {
	bounds := Bounds(s.doc, d, zone)
	room := func(amount int64) int64 {
		for _, b := range bounds {
			amount = min(amount, b.Most-s.used[b])
		}
		return max(amount, 0)
	}
	w.Due = d
	if more := d.Granted - w.granted - w.capped; more > 0 && d.Net > w.granted {
		granted := room(more)
		w.granted, w.capped = w.granted+granted, w.capped+more-granted
	}
	net := s.left(w, d)
	if back := net - w.net; back > 0 {
		given := room(back)
		w.capped, net = w.capped+back-given, w.net+given
	}
	for _, b := range bounds {
		s.used[b] += net - w.net
	}
	w.net = net
}

// reached is what was reached, and months what was in each month.
type (
	reached struct{ qualified, conversions, revenue int64 }
	months  map[time.Time]reached
)

func (r reached) of(m rules.Measure) int64 {
	switch m {
	case rules.MeasureQualified:
		return r.qualified
	case rules.MeasureConversions:
		return r.conversions
	}
	return r.revenue
}

func (r reached) plus(o reached, sign int64) reached {
	return reached{r.qualified + sign*o.qualified, r.conversions + sign*o.conversions, r.revenue + sign*o.revenue}
}

// in adds up the months of a period.
func (m months) in(p rules.Period, start time.Time) (sum reached) {
	for month, r := range m {
		if calendar.Start(p, month, time.UTC).Equal(start) {
			sum = sum.plus(r, 1)
		}
	}
	return sum
}

// reachedBy is what a referral adds to what its referrer has reached.
func reachedBy(f Facts, o Outcome) months {
	out := months{}
	if o.State == state.ReferralRejected || o.State == state.ReferralSuperseded {
		return out
	}
	add := func(at time.Time, r reached) {
		k := calendar.Start(rules.Month, at, f.Zone)
		out[k] = out[k].plus(r, 1)
	}
	if o.State == state.ReferralQualified && o.QualifiedAt != nil {
		add(*o.QualifiedAt, reached{qualified: 1})
	}
	verdicts := map[string]state.Conversion{}
	for _, v := range o.Conversions {
		verdicts[v.ID] = v.State
	}
	for _, c := range f.Conversions {
		if v := verdicts[c.ID]; (v == state.ConversionCounted || v == state.ConversionPartiallyReversed) && !c.Unpriced {
			taken, _, _ := Net(c.Amount, c.Reversals)
			add(c.OccurredAt, reached{conversions: 1, revenue: c.base(c.Amount - taken)})
		}
	}
	return out
}

// advance replaces what a referral adds to what its referrer has reached, and gives the months in which that changed something, in order.
func (s *simulation) advance(i int, now months) []time.Time {
	who := s.facts[i].ReferrerID
	if s.all[who] == nil {
		s.all[who] = months{}
	}
	var changed []time.Time
	for _, side := range []months{s.own[i], now} {
		for month := range side {
			more := now[month].plus(s.own[i][month], -1)
			if more != (reached{}) && !slices.ContainsFunc(changed, month.Equal) {
				changed = append(changed, month)
				s.all[who][month] = s.all[who][month].plus(more, 1)
			}
		}
	}
	s.own[i] = now
	slices.SortFunc(changed, time.Time.Compare)
	return changed
}

// payGoals grants the milestones that were reached by what changed in a month, once each, or takes back the reversible ones that are not
// reached any more.
func (s *simulation) payGoals(f Facts, month, now time.Time, giving bool) {
	for _, m := range s.doc.Milestones {
		start := calendar.Start(m.Period, month, time.UTC)
		k := goalOf{m.Key, f.ReferrerID, start}
		w, there := s.goals[k], s.all[f.ReferrerID].in(m.Period, start).of(m.Measure) >= m.Threshold
		switch {
		case giving != there, w != nil && !m.Reversible, w == nil && !there:
			continue
		case w == nil:
			w = &simulated{Due: Due{
				CauseID: m.Key, ParticipantID: f.ReferrerID, Level: 1, Granted: m.Amount, OccurredAt: now,
				Rule: rules.RewardRule{Key: m.Key, Beneficiary: rules.Referrer, Kind: m.Kind},
			}}
			s.goals[k] = w
		}
		net := int64(0)
		if there {
			net = m.Amount
		}
		s.bring(w, w.owing(net), f.Zone)
	}
}

// rateAgain rates the rewards of closed periods again in which what was reached has changed.
func (s *simulation) rateAgain(f Facts, month, now time.Time) {
	for _, rule := range s.doc.Rewards {
		if !recomputes(rule) {
			continue
		}
		if start := calendar.Start(rule.Tiers.Period, month, time.UTC); f.closed(*rule.Tiers, start) {
			s.rate(ratedIn{f.ReferrerID, rule.Key, start}, now)
		}
	}
}

// closePeriods rates the rewards of the periods that end at a moment.
func (s *simulation) closePeriods(now time.Time) {
	var over []ratedIn
	for in, referrals := range s.rated {
		at := slices.IndexFunc(s.doc.Rewards, func(r rules.RewardRule) bool { return r.Key == in.rule })
		if end := calendar.End(s.doc.Rewards[at].Tiers.Period, in.start); calendar.Instant(end, s.facts[referrals[0]].Zone).Equal(now) {
			over = append(over, in)
		}
	}
	slices.SortFunc(over, func(a, b ratedIn) int {
		return cmp.Or(strings.Compare(a.participant, b.participant), strings.Compare(a.rule, b.rule))
	})
	for _, in := range over {
		s.rate(in, now)
	}
}

// rate settles the referrals again whose rewards are rated by all that was reached in a period.
func (s *simulation) rate(in ratedIn, now time.Time) {
	for _, i := range s.rated[in] {
		_, out := s.outcome(i, now)
		s.pay(i, out.Rewards)
	}
}
