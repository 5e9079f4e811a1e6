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
	var conversions []fact
	for _, f := range l.facts {
		if f.kind == "conversion" {
			conversions = append(conversions, f)
		}
	}
	slices.SortFunc(conversions, func(a, b fact) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ref, b.ref)) })
	m, referrer := machine{life: l, conversions: conversions}, l.referrer()
	if referrer != "" {
		m.run()
	}
	q := m.qualifying(l.until)
	for _, c := range conversions {
		net, why := l.net(c, l.until)
		out[c.ref] = fmt.Sprintf("%s %d", m.became(c, q, net, why), net)
	}
	if out["referral"] = m.state + " by " + referrer; referrer == "" {
		out["referral"] = "none"
		return out
	}
	for account, amount := range m.owedTo(referrer, q) {
		out[account] = fmt.Sprint(amount)
	}
	if m.state == "qualified" && len(m.rules.Milestones) > 0 {
		out[referrer+" points available"] = "9"
	}
	return out
}

// tree is who referred those who can refer B: A has two levels above, C nobody.
var tree = map[string]string{"A": "F", "F": "G"}

// earns is who gets what a rule pays, nobody when the tree ends below.
func earns(r rules.RewardRule, referrer string) string {
	who := referrer
	switch r.Beneficiary {
	case rules.Referee:
		return "B"
	case rules.Upline:
		for range *r.Level - 1 {
			who = tree[who]
		}
	}
	return who
}

// owedTo is what lies in whose account: pending until a hold is over.
func (m *machine) owedTo(referrer string, q *fact) map[string]int64 {
	out := map[string]int64{}
	for _, r := range m.rules.Rewards {
		causes := m.conversions
		if r.Triggers[0] == "signup" {
			causes = []fact{{kind: "signup", at: m.signup}}
		}
		for _, c := range causes {
			account := earns(r, referrer) + " " + r.Kind + " available"
			if c.at+time.Duration(r.HoldSeconds)*time.Second > m.until {
				account = earns(r, referrer) + " " + r.Kind + " pending"
			}
			if amount := m.owed(r, c, q); amount > 0 && earns(r, referrer) != "" {
				out[account] += amount
			}
		}
	}
	return out
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
	conversions []fact
	state       string
	away        []span
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
		if c.at <= now && net > 0 && c.sort == "purchase" && value >= m.rules.Qualification.MinimumAmount && m.outside(c) == "" && c.at < m.qualifyBy {
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
	switch {
	case c.amount < r.MinimumAmount:
		return "BELOW_MINIMUM"
	case r.Occurrence == rules.FirstOccurrence && c.ref != q.ref, r.Occurrence == rules.LaterOccurrence && c.ref == q.ref:
		return "NOT_FIRST_PURCHASE"
	case r.DurationMonths != nil && !m.began.Add(c.at).Before(addMonth(m.began.Add(q.at))):
		return "DURATION_ENDED"
	}
	return ""
}

func since(c fact, q *fact) bool { return q != nil && (c.at > q.at || c.at == q.at && c.ref >= q.ref) }

// owed is what a rule owes for a conversion.
func (m *machine) owed(r rules.RewardRule, c fact, q *fact) int64 {
	net, _ := m.net(c, m.until)
	applies := slices.Contains(r.Triggers, c.sort) || q != nil && c.ref == q.ref && r.Triggers[0] == "qualified"
	switch {
	case m.taken(c.at), c.kind != "signup" && (!since(c, q) || !applies || net == 0 || m.outside(c) != "" || m.missed(r, c, q) != ""):
		return 0
	case r.Amount.Type == rules.Fixed:
		return r.Amount.Value
	case r.Amount.Type == rules.CommissionPoints:
		net = m.commission(*r.Level-1, c, q)
	}
	return (net*r.Amount.Value + 5000) / 10_000
}

// commission is what the shares of a level come to.
func (m *machine) commission(level int, c fact, q *fact) (sum int64) {
	for _, r := range m.rules.Rewards {
		at := 0
		switch r.Beneficiary {
		case rules.Referrer:
			at = 1
		case rules.Upline:
			at = *r.Level
		}
		if at == level && r.Amount.Type != rules.Fixed {
			sum += m.owed(r, c, q)
		}
	}
	return sum
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
		for _, s := range m.away {
			if c.at > s.from && (s.to == 0 || c.at < s.to) && m.taken(c.at) {
				return "REVERSED_CHURN"
			}
		}
		return "COUNTED"
	}
	return why
}
