package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// told is what must have become of a life, one line for each thing that can be asked: who has what, and what each conversion is.
func (l life) told() map[string]string {
	out := map[string]string{}
	m := l.lived()
	m.describe(out)
	for account, amount := range m.owing() {
		out[account] = fmt.Sprint(amount)
	}
	if m.state == "qualified" && len(m.rules.Milestones) > 0 {
		out[m.by+" points available"] = "9"
	}
	for who, above := range l.tree {
		out["referral of "+who] = "attributed by " + above.by
	}
	return out
}

// lived goes through a life.
func (l life) lived() *machine {
	m := &machine{life: l, by: l.referrer()}
	for _, f := range l.facts {
		if f.kind == "conversion" {
			m.conversions = append(m.conversions, f)
		}
	}
	slices.SortFunc(m.conversions, func(a, b fact) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ref, b.ref)) })
	if m.by != "" {
		m.run()
	}
	return m
}

// describe says what became of the referral and of the conversions.
func (m *machine) describe(out map[string]string) {
	q := m.qualifying(m.until)
	for _, c := range m.conversions {
		net, why := m.net(c, m.until)
		out[c.ref] = fmt.Sprintf("%s %d", m.became(c, q, net, why), net)
	}
	if m.by != "" {
		out["referral of "+m.who] = m.state + " by " + m.by
	}
}

// referrer says who gets the referee: a signup in a running program, by the touch that the policy prefers among those in their window.
func (l life) referrer() string {
	if l.ends != nil && l.signup >= *l.ends {
		return ""
	}
	var typed, clicked string
	var best time.Duration
	window := time.Duration(l.rules.Attribution.WindowSeconds) * time.Second
	for _, f := range l.facts {
		switch {
		case f.kind == "signup":
			typed = f.code
		case f.kind != "click" || f.at > l.signup || l.signup >= f.at+window:
		case clicked == "", l.rules.Attribution.Model == rules.FirstTouch && f.at < best, l.rules.Attribution.Model == rules.LastTouch && f.at > best:
			clicked, best = f.code, f.at
		}
	}
	if l.rules.Attribution.CodePrecedence == rules.CodeFirst {
		return cmp.Or(typed, clicked)
	}
	return cmp.Or(clicked, typed)
}

// net is what is left of a conversion at a time, and the reason of the last undo that took or gave something.
func (l life) net(c fact, at time.Duration) (net int64, why string) {
	reasons := map[string]string{"refund": "REVERSED_REFUND", "chargeback": "REVERSED_CHARGEBACK", "manual": "REVERSED_MANUAL", "dispute_won": "DISPUTE_WON"}
	net = c.amount
	took := map[string]int64{}
	for _, r := range l.facts { // as they occurred, because they were made so
		if r.kind != "reversal" || r.of != c.ref || r.at > at {
			continue
		}
		takes := min(net, cmp.Or(r.asks, net))
		if r.undo == "dispute_won" {
			takes = -took[r.restores]
		}
		took[r.ref] = takes
		if net -= takes; takes != 0 {
			why = reasons[string(r.undo)]
		}
	}
	return net, why
}

// machine goes through a life as it occurred. It has no state as long as nobody referred the referee.
type machine struct {
	life
	by          string // who referred the referee
	conversions []fact
	state       string
	away        []span
	rated       func(r rules.RewardRule, to string, c fact) rules.Amount // nil where no rule has tiers
}

// span is a time away; to is zero while it lasts.
type span struct{ from, to time.Duration }

func (m *machine) run() {
	m.state = "attributed"
	events := append(slices.Clone(m.facts), fact{at: min(m.qualifyBy, m.until)})
	slices.SortFunc(events, func(a, b fact) int { return cmp.Compare(a.at, b.at) })
	for _, f := range events {
		q := m.qualifying(f.at)
		gone := len(m.away) > 0 && m.away[len(m.away)-1].to == 0
		switch {
		case f.kind == "churn" && m.rules.Churn != nil && q != nil && !gone && f.at < q.at+time.Duration(m.rules.Churn.WindowSeconds)*time.Second:
			m.away, m.state = append(m.away, span{from: f.at}), "churned"
		case f.kind == "return" && gone && q != nil:
			m.away[len(m.away)-1].to, m.state = f.at, "qualified"
		case f.kind == "return" && gone:
			m.away[len(m.away)-1].to = f.at
		case gone:
		case q != nil:
			m.state = "qualified"
		case m.state == "churned": // back, to nothing that qualifies
		case f.at >= m.qualifyBy:
			m.state = "expired"
		default:
			m.state = "attributed"
		}
	}
}

// qualifying is the first conversion that qualifies the referral, by what was known at a time.
func (m *machine) qualifying(now time.Duration) *fact {
	for i, c := range m.conversions {
		net, _ := m.net(c, now)
		value := net
		if !m.rules.Qualification.RevokeOnReversal {
			value = c.amount
		}
		value, priced := m.base(c, value)
		if c.at <= now && net > 0 && c.sort == "purchase" && priced && value >= m.rules.Qualification.MinimumAmount && m.outside(c) == "" && c.at < m.qualifyBy {
			return &m.conversions[i]
		}
	}
	return nil
}

// outside says why a conversion is none of the referral.
func (m *machine) outside(c fact) string {
	switch {
	case c.at < m.signup:
		return "OCCURRED_BEFORE_SIGNUP"
	case m.ends != nil && c.at >= *m.ends+m.honor:
		return "PROGRAM_NOT_ACTIVE"
	}
	return ""
}

// became is the state of a conversion, and why it counts or does not.
func (m *machine) became(c fact, q *fact, net int64, why string) string {
	state := "counted"
	switch {
	case m.state == "":
		return "unmatched NO_REFERRAL"
	case m.outside(c) != "":
		return "disqualified " + m.outside(c)
	case net == 0:
		state = "reversed"
	case net < c.amount:
		state = "partially_reversed"
	}
	switch {
	case why != "":
	case !m.priced(c):
		why = "FX_RATE_MISSING"
	case !since(c, q) && c.at >= m.qualifyBy:
		why = "QUALIFICATION_WINDOW_EXPIRED"
	case !since(c, q) && c.sort != "purchase":
		why = "NOT_QUALIFIED"
	case !since(c, q):
		why = "BELOW_MINIMUM"
	default:
		why = m.paid(c, q)
	}
	return state + " " + why
}
