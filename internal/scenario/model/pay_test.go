package model

import (
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// branch is who referred somebody, and since when.
type branch struct {
	by string
	at time.Duration
}

// earns is who gets what a rule pays for what occurred at a time, nobody when the tree ends below.
func (m *machine) earns(r rules.RewardRule, at time.Duration) string {
	who := m.by
	switch r.Beneficiary {
	case rules.Referee:
		return m.who
	case rules.Upline:
		for range *r.Level - 1 {
			above := m.tree[who]
			if who = above.by; above.at > at {
				return ""
			}
		}
	}
	return who
}

// rates are what currencies are worth in the program's: so many cents for so many minor units.
var rates = map[string]struct {
	text         string
	cents, units int64
}{"EUR": {"1.1", 11, 10}, "JPY": {"0.0067", 67, 100}, "KWD": {"3.25", 325, 1000}}

func (l life) priced(c fact) bool {
	return c.currency == "" || slices.ContainsFunc(l.facts, func(f fact) bool { return f.kind == "rate" && f.ref == c.currency && f.at <= c.at })
}

// base is an amount of a conversion in the program's currency, if there is a rate.
func (l life) base(c fact, amount int64) (int64, bool) {
	if rate, foreign := rates[c.currency]; foreign {
		return (2*amount*rate.cents + rate.units) / (2 * rate.units), l.priced(c)
	}
	return amount, true
}

// owing is what lies in whose account: pending until a hold is over.
func (m *machine) owing() map[string]int64 {
	out := map[string]int64{}
	q := m.qualifying(m.until)
	for _, r := range m.rules.Rewards {
		for _, c := range m.causes(r) {
			account := m.earns(r, c.at) + " " + r.Kind + " available"
			if c.at+time.Duration(r.HoldSeconds)*time.Second > m.until {
				account = m.earns(r, c.at) + " " + r.Kind + " pending"
			}
			if amount := m.owed(r, c, q); amount > 0 {
				out[account] += amount
			}
		}
	}
	return out
}

// causes are what a rule may pay for: the signup, or conversions.
func (m *machine) causes(r rules.RewardRule) []fact {
	switch {
	case m.by == "":
		return nil
	case r.Triggers[0] == "signup":
		return []fact{{kind: "signup", ref: "signup of " + m.who, at: m.signup}}
	}
	return m.conversions
}

// taken says whether a departure took what occurred at a time.
func (m *machine) taken(at time.Duration) bool {
	for _, s := range m.away {
		if s.to == 0 || !m.rules.Churn.ReinstateOnReactivation && at < s.to {
			return true
		}
	}
	return false
}

// missed says why a rule pays nothing for a conversion from the qualifying one on.
func (m *machine) missed(r rules.RewardRule, c fact, q *fact) string {
	value, _ := m.base(c, c.amount)
	switch {
	case value < r.MinimumAmount:
		return "BELOW_MINIMUM"
	case r.Occurrence == rules.FirstOccurrence && c.ref != q.ref, r.Occurrence == rules.LaterOccurrence && c.ref == q.ref:
		return "NOT_FIRST_PURCHASE"
	case r.DurationMonths != nil && !m.began.Add(c.at).Before(addMonth(m.began.Add(q.at))):
		return "DURATION_ENDED"
	}
	return ""
}

func since(c fact, q *fact) bool { return q != nil && (c.at > q.at || c.at == q.at && c.ref >= q.ref) }

// owed is what a rule owes for what is left of a conversion.
func (m *machine) owed(r rules.RewardRule, c fact, q *fact) int64 {
	if m.taken(c.at) || !m.applies(r, c, q) {
		return 0
	}
	net, _ := m.net(c, m.until)
	return m.pays(r, c, q, net)
}

// applies says whether a rule pays for a cause.
func (m *machine) applies(r rules.RewardRule, c fact, q *fact) bool {
	if r.Triggers[0] == "signup" || c.kind == "signup" {
		return r.Triggers[0] == c.kind
	}
	net, _ := m.net(c, m.until)
	triggered := slices.Contains(r.Triggers, c.sort) || q != nil && c.ref == q.ref && r.Triggers[0] == "qualified"
	return since(c, q) && triggered && net > 0 && m.outside(c) == "" && m.missed(r, c, q) == ""
}

// pays is what a rule that applies pays for so much of a conversion: for what is left of it, or for all of it.
func (m *machine) pays(r rules.RewardRule, c fact, q *fact, part int64) int64 {
	amount := r.Amount
	to := m.earns(r, c.at)
	if r.Tiers != nil && to != "" {
		amount = m.rated(r, to, c)
	}
	value, priced := m.base(c, part)
	switch {
	case to == "" || !priced:
		return 0
	case amount.Type == rules.Fixed:
		return amount.Value
	case amount.Type == rules.CommissionPoints:
		value = m.commission(*r.Level-1, c, q, part)
	}
	return (value*amount.Value + 5000) / 10_000
}

// commission is what the shares of a level come to.
func (m *machine) commission(level int, c fact, q *fact, part int64) (sum int64) {
	for _, r := range m.rules.Rewards {
		at := 0
		switch r.Beneficiary {
		case rules.Referrer:
			at = 1
		case rules.Upline:
			at = *r.Level
		}
		if at == level && r.Amount.Type != rules.Fixed && m.applies(r, c, q) {
			sum += m.pays(r, c, q, part)
		}
	}
	return sum
}

// paid is the reason of a conversion that the rules look at: it counted, unless each rule for it had one not to pay.
func (m *machine) paid(c fact, q *fact) string {
	why := "COUNTED"
	for _, r := range m.rules.Rewards {
		if !slices.Contains(r.Triggers, c.sort) {
			continue
		}
		if why = m.missed(r, c, q); why != "" {
			continue
		}
		if m.missing(c.at) && m.taken(c.at) {
			return "REVERSED_CHURN"
		}
		return "COUNTED"
	}
	return why
}

// missing says whether the referee was away at a time.
func (m *machine) missing(at time.Duration) bool {
	return slices.ContainsFunc(m.away, func(s span) bool { return at > s.from && (s.to == 0 || at < s.to) })
}
