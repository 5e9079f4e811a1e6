package settlement

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
)

// Holding is what simulated rewards add up to: those of one participant and one kind.
type Holding struct{ ParticipantID, Kind string }

// Simulate says what the referrals of a program would be owed if one document had rated all of them from the beginning. Everything is
// settled in the moment in which it occurred, by what had occurred until then: a tier counts what had been reached, a limit grants what
// was left of it, what is undone gives its room back to what comes later, and periods that are over by Facts.Now are rated again where
// the rules say so. The facts carry the document; what is on record of their rewards is not looked at, except
// through decided, if that is not nil: the most that a decision of a person leaves of a due. The sums are net, in minor units, or in whole
// ones for other kinds than money and credit; those that come to nothing are left out.
func Simulate(doc rules.Document, facts []Facts, decided func(Due) (most int64, ok bool)) map[Holding]int64 {
	s := simulation{
		doc: doc, facts: facts, decided: decided, rewards: make([]map[dueKey]*simulated, len(facts)), own: make([]months, len(facts)),
		all: map[string]months{}, used: map[Bound]int64{}, goals: map[goalOf]*simulated{}, rated: map[ratedIn][]int{},
	}
	for i := range facts {
		facts[i].Rules, s.rewards[i] = doc, map[dueKey]*simulated{}
	}
	for _, m := range s.moments() {
		if m.referral < 0 {
			s.closePeriods(m.at)
		} else {
			s.settle(m.referral, m.at)
		}
	}
	out := map[Holding]int64{}
	add := func(w *simulated) {
		if w.net > 0 {
			out[Holding{w.ParticipantID, w.Rule.Kind}] += w.net
		}
	}
	for _, rewards := range s.rewards {
		for _, w := range rewards {
			add(w)
		}
	}
	for _, w := range s.goals {
		add(w)
	}
	return out
}

// simulation is the state of a simulated program at one moment.
type simulation struct {
	doc     rules.Document
	facts   []Facts
	decided func(Due) (int64, bool)
	rewards []map[dueKey]*simulated // by referral
	own     []months                // what a referral adds to what its referrer has reached
	all     map[string]months       // what participants have reached
	used    map[Bound]int64
	goals   map[goalOf]*simulated
	rated   map[ratedIn][]int // the referrals with rewards that the close of a period rates again
}

type dueKey struct {
	cause, rule, participant string
	level                    int
}

// simulated is a reward: what was granted of its due, what limits kept of it, and what is still owed.
type simulated struct {
	Due
	granted, capped, net int64
}

type goalOf struct {
	milestone, participant string
	start                  time.Time
}

type ratedIn struct {
	participant, rule string
	start             time.Time
}

// moment is when something occurred to a referral, or without one when a period closed.
type moment struct {
	at       time.Time
	referral int
}

// moments are all of them, in order: a period closes before what occurs in the next one. Where nothing depends on the order, the end is
// enough.
func (s *simulation) moments() []moment {
	ordered := s.doc.Budget != nil || len(s.doc.Milestones) > 0
	closes := map[time.Time]bool{}
	recomputed := slices.DeleteFunc(slices.Clone(s.doc.Rewards), func(r rules.RewardRule) bool { return !recomputes(r) })
	for _, rule := range s.doc.Rewards {
		ordered = ordered || rule.Cap != nil || rule.Tiers != nil
	}
	var out []moment
	for i, f := range s.facts {
		times := f.times()
		if !ordered {
			times = times[len(times)-1:]
		}
		for _, t := range times {
			out = append(out, moment{t, i})
			for _, rule := range recomputed {
				if end := closing(rule, t, f.Zone); !end.After(f.Now) {
					closes[end] = true
				}
			}
		}
	}
	for end := range closes {
		out = append(out, moment{end, -1})
	}
	slices.SortFunc(out, func(a, b moment) int {
		id := func(m moment) string {
			if m.referral < 0 {
				return ""
			}
			return s.facts[m.referral].ReferralID
		}
		return cmp.Or(a.at.Compare(b.at), strings.Compare(id(a), id(b)), cmp.Compare(a.referral, b.referral))
	})
	return out
}

// times are the signup and every time after it at which something occurred, in order.
func (f Facts) times() []time.Time {
	out := []time.Time{f.SignupAt}
	add := func(t time.Time) {
		if t.After(f.SignupAt) {
			out = append(out, t)
		}
	}
	for _, c := range f.Conversions {
		add(c.OccurredAt)
		for _, r := range c.Reversals {
			add(r.OccurredAt)
		}
	}
	for _, c := range f.Churns {
		add(c.OccurredAt)
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// until are the facts as they were known at a moment.
func (f Facts) until(t time.Time) Facts {
	f.Now = t
	f.Conversions = slices.DeleteFunc(slices.Clone(f.Conversions), func(c Conversion) bool { return c.OccurredAt.After(t) })
	for i := range f.Conversions {
		c := &f.Conversions[i]
		c.Reversals = slices.DeleteFunc(slices.Clone(c.Reversals), func(r Reversal) bool { return r.OccurredAt.After(t) })
	}
	f.Churns = slices.DeleteFunc(slices.Clone(f.Churns), func(c Churn) bool { return c.OccurredAt.After(t) })
	return f
}

func recomputes(r rules.RewardRule) bool { return r.Tiers != nil && r.Tiers.Mode == rules.Recompute }

// closing is when the period of a rule's tiers ends in which a moment lies.
func closing(r rules.RewardRule, t time.Time, zone *time.Location) time.Time {
	return calendar.Instant(calendar.End(r.Tiers.Period, calendar.Start(r.Tiers.Period, t, zone)), zone)
}
