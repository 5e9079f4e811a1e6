package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// joins says with whose code people join a company: five levels, and somebody in the middle who refers several.
var joins = map[string]string{"F": "G", "R": "F", "B0": "R", "B1": "R", "B2": "R", "B3": "B0"}

// someCompany makes lives that meet: what one of them does counts toward the tiers and milestones of those above.
func someCompany(t *rapid.T) life {
	l := someBeginning(t, someRules(t))
	l.patient = true
	l.rules.Qualification.WindowSeconds *= 40
	l.someTiers(t)
	l.someMilestones(t)
	for _, currency := range slices.Sorted(maps.Keys(rates)) {
		if at := rapid.SampledFrom([]time.Duration{0, 6 * day, 9 * day}).Draw(t, "rate"); rapid.IntRange(0, 4).Draw(t, "known") > 0 {
			l.facts = append(l.facts, fact{kind: "rate", ref: currency, at: at})
		}
	}
	for _, who := range slices.Sorted(maps.Keys(joins)) {
		l.facts = append(l.facts, l.someMember(t, who)...)
	}
	last := slices.MaxFunc(l.facts, func(a, b fact) int { return cmp.Compare(a.at, b.at) })
	l.until = last.at + 100*day // every month and quarter is over
	return l
}

// someMember makes what one of them does; some never join.
func (l life) someMember(t *rapid.T, who string) []fact {
	one := l
	one.facts = nil
	one.signup = rapid.SampledFrom([]time.Duration{time.Hour, 5 * day, 5*day + time.Hour, 8 * day}).Draw(t, "joins")
	one.qualifyBy = one.signup + one.window()
	if rapid.IntRange(0, 9).Draw(t, "member") > 0 {
		one.facts = append(one.facts, fact{kind: "signup", ref: "s", at: one.signup, code: joins[who]})
	}
	one.convert(t)
	if len(one.facts) > 0 {
		one.leave(t)
	}
	for i := range one.facts {
		f := &one.facts[i]
		f.who, f.ref = who, who+f.ref
		for _, ref := range []*string{&f.of, &f.restores} {
			if *ref != "" {
				*ref = who + *ref
			}
		}
	}
	return one.facts
}

// someTiers gives a rule steps, which are rated again when their period closes: only that does not depend on who came first.
func (l *life) someTiers(t *rapid.T) {
	tiered := rapid.IntRange(0, len(l.rules.Rewards)-1).Draw(t, "tiered")
	r := &l.rules.Rewards[tiered]
	if r.Triggers[0] == "signup" {
		return
	}
	r.Tiers = &rules.Tiers{
		Measure: rapid.SampledFrom([]rules.Measure{rules.MeasureQualified, rules.MeasureConversions, rules.MeasureRevenue}).Draw(t, "measure"),
		Period:  rapid.SampledFrom([]rules.Period{rules.Month, rules.Quarter}).Draw(t, "tier period"), Mode: rules.Recompute,
	}
	for from := range slices.Values([]int64{2, 4}) {
		if r.Tiers.Measure == rules.MeasureRevenue {
			from *= 5000
		}
		step := rules.Tier{From: from, Amount: r.Amount}
		step.Amount.Value = rapid.Int64Range(1, 1600).Draw(t, "step")
		r.Tiers.Steps = append(r.Tiers.Steps, step)
	}
	if len(l.rules.Validate()) > 0 { // the shares are more than the sale
		r.Tiers = nil
	}
}

func (l *life) someMilestones(t *rapid.T) {
	l.rules.Milestones = []rules.Milestone{
		{Key: "two", Measure: rules.MeasureQualified, Period: rules.Lifetime, Threshold: 2, Kind: "points", Amount: 9, Reversible: true},
		{Key: "three", Measure: rules.MeasureConversions, Period: rules.Month, Threshold: 3, Kind: "money", Amount: 40, Reversible: true},
		{Key: "sum", Measure: rules.MeasureRevenue, Period: rules.Quarter, Threshold: 12_000, Kind: "credit", Amount: 300, Reversible: true},
	}[rapid.IntRange(0, 3).Draw(t, "milestones"):]
}

// company is all lives of one, gone through.
type company []*machine

// meeting goes through the lives of a company, each with what is above it.
func (l life) meeting() company {
	var c company
	l.tree = map[string]branch{}
	for _, f := range l.facts {
		if f.kind == "signup" {
			l.tree[f.who] = branch{f.code, f.at}
		}
	}
	for _, who := range slices.Sorted(maps.Keys(joins)) {
		one := l
		one.who, one.signup = who, l.tree[who].at
		one.qualifyBy = one.signup + one.window()
		one.facts = slices.DeleteFunc(slices.Clone(l.facts), func(f fact) bool { return f.who != who && f.kind != "rate" })
		slices.SortStableFunc(one.facts, func(a, b fact) int { return cmp.Compare(a.at, b.at) })
		c = append(c, one.lived())
	}
	return c
}

// toldTogether is what must have become of a company.
func (l life) toldTogether() map[string]string {
	out, sums := map[string]string{}, map[string]int64{}
	c := l.meeting()
	for _, m := range c {
		m.rated = func(r rules.RewardRule, to string, f fact) rules.Amount {
			return step(r, c.reached(to, r.Tiers.Measure, r.Tiers.Period, f.at))
		}
		m.describe(out)
		for account, amount := range m.owing() {
			sums[account] += amount
		}
	}
	c.celebrate(sums)
	for account, amount := range sums {
		out[account] = fmt.Sprint(amount)
	}
	return out
}

// step is what a rule pays to who has reached so much.
func step(r rules.RewardRule, reached int64) rules.Amount {
	amount := r.Amount
	for _, s := range r.Tiers.Steps {
		if reached >= s.From {
			amount = s.Amount
		}
	}
	return amount
}

// reached is what those whom somebody referred came to in the period of a time.
func (c company) reached(who string, what rules.Measure, p rules.Period, at time.Duration) (sum int64) {
	for _, m := range c {
		if m.by == who {
			sum += m.counts(what, p, at)
		}
	}
	return sum
}

// counts is what one of them came to.
func (m *machine) counts(what rules.Measure, p rules.Period, at time.Duration) (sum int64) {
	if q := m.qualifying(m.until); what == rules.MeasureQualified && m.state == "qualified" && m.period(p, q.at) == m.period(p, at) {
		return 1
	}
	for _, c := range m.conversions {
		net, _ := m.net(c, m.until)
		value, priced := m.base(c, net)
		switch {
		case net == 0 || !priced || m.outside(c) != "" || m.period(p, c.at) != m.period(p, at):
		case what == rules.MeasureConversions:
			sum++
		case what == rules.MeasureRevenue:
			sum += value
		}
	}
	return sum
}

// celebrate pays every milestone that is reached, once in each of its periods.
func (c company) celebrate(sums map[string]int64) {
	paid := map[string]bool{}
	for _, m := range c {
		for _, goal := range m.rules.Milestones {
			for _, f := range m.conversions {
				once := fmt.Sprint(goal.Key, m.by, m.period(goal.Period, f.at))
				if m.by != "" && !paid[once] && c.reached(m.by, goal.Measure, goal.Period, f.at) >= goal.Threshold {
					paid[once] = true
					sums[m.by+" "+goal.Kind+" available"] += goal.Amount
				}
			}
		}
	}
}

// period names the period of a time.
func (l life) period(p rules.Period, at time.Duration) string {
	t := l.began.Add(at)
	switch p {
	case rules.Day:
		return t.Format(time.DateOnly)
	case rules.Week:
		year, week := t.ISOWeek()
		return fmt.Sprint(year, "w", week)
	case rules.Month:
		return t.Format("2006-01")
	case rules.Quarter:
		return fmt.Sprint(t.Year(), "q", (t.Month()-1)/3)
	}
	return ""
}
