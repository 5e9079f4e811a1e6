package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// book is what a company was granted, by facts in the order in which they arrived: who comes first gets what a cap or a budget leaves, and
// a frozen step is the one that was reached then.
type book struct {
	life    // with the facts that have arrived
	now     time.Duration
	entries []*entry

	policy   policy
	payments []*payment
	spent    []spending
}

// entry is one reward.
type entry struct {
	of, to, rule, kind, cause           string // of: whose referral it is for, nobody's for a milestone
	amount                              rules.Amount
	granted, reversed, capped, redeemed int64
	limits                              []limit
	availableAt                         time.Duration
	expiresAt                           *time.Duration
	expired                             bool
	payment                             *payment
	why                                 string
}

// limit is the most that entries of one name may come to.
type limit struct {
	name string
	most int64
}

// due is what a rule owes to somebody: for all of its cause, and for what is left of it.
type due struct {
	rules.RewardRule
	to          string
	cause       fact
	amount      rules.Amount
	gross, left int64
	why         string
}

// settle brings the entries of a referral to what is owed: what is taken back makes room for what is granted.
func (b *book) settle(who string) {
	c := b.meeting()
	m := c[slices.IndexFunc(c, func(m *machine) bool { return m.who == who })]
	if m.by == "" {
		return
	}
	m.rated = b.rater(c, m)
	dues := m.dues()
	for _, e := range b.entries {
		if e.of != who {
			continue
		}
		d := due{why: m.lost(e.cause)}
		if i := slices.IndexFunc(dues, e.is); i >= 0 {
			d = dues[i]
		}
		if kept := e.keeps(d); e.granted-kept > e.reversed {
			e.reversed, e.why = e.granted-kept, d.why
		}
	}
	b.lose(c, m.by)
	for _, d := range dues {
		b.give(who, d)
	}
	b.undone(c, m, dues)
	for _, d := range dues { // a share that comes to nothing has its step
		if d.gross == 0 && !slices.ContainsFunc(b.entries, func(e *entry) bool { return e.is(d) }) {
			b.grant(who, d)
		}
	}
	b.win(c, m)
}

func (e *entry) is(d due) bool { return e.to == d.to && e.rule == d.Key && e.cause == d.cause.ref }

// keeps is how much of an entry a due leaves, within what a limit left of it.
func (e *entry) keeps(d due) int64 { return max(0, min(d.left, d.gross-e.capped, e.granted)) }

// give grants a due, or gives back what was taken of it, as far as its limits leave room.
func (b *book) give(who string, d due) {
	i := slices.IndexFunc(b.entries, func(e *entry) bool { return e.is(d) })
	if i < 0 {
		if d.left > 0 {
			b.grant(who, d)
		}
		return
	}
	e := b.entries[i]
	back := e.keeps(d) - (e.granted - e.reversed)
	if back <= 0 {
		return
	}
	room, limited := b.room(e.limits, back)
	e.capped += back - room
	e.reversed -= room
	if e.why = d.why; room == 0 {
		e.why = limited
	}
}

func (b *book) grant(who string, d due) {
	e := &entry{of: who, to: d.to, rule: d.Key, kind: d.Kind, cause: d.cause.ref, amount: d.amount, limits: b.limits(d), why: d.why}
	e.availableAt = d.cause.at + time.Duration(d.HoldSeconds)*time.Second
	if d.ExpiresAfterSeconds != nil {
		at := e.availableAt + time.Duration(*d.ExpiresAfterSeconds)*time.Second
		e.expiresAt = &at
	}
	room, why := b.room(e.limits, d.gross)
	e.granted, e.capped = room, d.gross-room
	kept := e.keeps(d)
	if e.reversed = e.granted - kept; e.reversed == 0 {
		e.why = cmp.Or(why, e.why)
	}
	b.entries = append(b.entries, e)
}

func (b *book) limits(d due) (out []limit) {
	if d.Cap != nil {
		out = append(out, limit{fmt.Sprint("cap of ", d.Key, " for ", d.to, " in ", b.period(d.Cap.Period, d.cause.at)), d.Cap.Amount})
	}
	if budget := b.rules.Budget; budget != nil && (d.Kind == "money" || d.Kind == "credit") {
		out = append(out, limit{"budget in " + b.period(budget.Period, d.cause.at), budget.Amount})
	}
	return out
}

// room is how much of an amount the limits let through, and why not all of it.
func (b *book) room(limits []limit, amount int64) (granted int64, why string) {
	granted = amount
	for _, l := range limits {
		left := l.most
		for _, e := range b.entries {
			if slices.Contains(e.limits, l) {
				left -= e.granted - e.reversed
			}
		}
		if left >= granted {
			continue
		}
		switch granted = left; {
		case l.name[0] == 'b':
			why = "BUDGET_EXHAUSTED"
		case left == 0:
			why = "CAP_REACHED"
		default:
			why = "CAP_PARTIAL"
		}
	}
	return granted, why
}

// dues are what the rules owe for one life, in the order in which the causes occurred.
func (m *machine) dues() (out []due) {
	q := m.qualifying(m.until)
	var causes []fact
	causes = append(append(causes, m.conversions...), fact{kind: "signup", ref: "signup of " + m.who, at: m.signup})
	for _, c := range causes {
		for _, r := range m.rules.Rewards {
			to := m.earns(r, c.at)
			if to == "" || !m.priced(c) || !m.applies(r, c, q) {
				continue
			}
			d := due{RewardRule: r, to: to, cause: c, amount: r.Amount, gross: m.pays(r, c, q, c.amount), why: "GRANTED"}
			if r.Tiers != nil {
				d.amount = m.rated(r, to, c)
			}
			net, why := m.net(c, m.until)
			d.left = m.pays(r, c, q, net)
			switch {
			case m.taken(c.at):
				d.left, d.why = 0, "REVERSED_CHURN"
			case d.left < d.gross || why == "DISPUTE_WON":
				d.why = why
			case slices.ContainsFunc(m.away, func(s span) bool { return c.at <= s.from }):
				d.why = "REINSTATED"
			}
			if d.gross > 0 || r.Tiers != nil {
				out = append(out, d)
			}
		}
	}
	return out
}

// lost says why nothing is owed any more for what was.
func (m *machine) lost(ref string) string {
	for _, c := range m.conversions {
		if _, why := m.net(c, m.until); c.ref == ref && why != "" {
			return why
		}
	}
	return "NOT_QUALIFIED"
}

// rater rates what is new by what has been reached with it, and everything else as it was.
func (b *book) rater(c company, m *machine) func(rules.RewardRule, string, fact) rules.Amount {
	return func(r rules.RewardRule, to string, f fact) rules.Amount {
		for _, e := range b.entries {
			if e.to == to && e.rule == r.Key && e.cause == f.ref {
				return e.amount
			}
		}
		var reached int64
		for _, other := range c {
			if other.by == to && other.who != m.who {
				reached += other.counts(r.Tiers.Measure, r.Tiers.Period, f.at)
			}
		}
		if r.Beneficiary == rules.Referrer {
			own := *m
			own.state = "qualified"
			own.conversions = slices.DeleteFunc(slices.Clone(m.conversions), func(o fact) bool { return o.at > f.at || o.at == f.at && o.ref > f.ref })
			reached += own.counts(r.Tiers.Measure, r.Tiers.Period, f.at)
		}
		return step(r, reached)
	}
}

// undone grants, and takes back at once, what was owed on the way, at any time at which something occurred, and is not any more.
func (b *book) undone(c company, m *machine, now []due) {
	for _, f := range m.facts { // as they occurred
		then := m.life
		then.until = f.at
		then.facts = slices.DeleteFunc(slices.Clone(m.facts), func(o fact) bool { return o.at > f.at && o.kind != "rate" })
		past := then.lived()
		past.rated = b.rater(c, past)
		for _, d := range past.dues() {
			i := slices.IndexFunc(now, func(n due) bool { return n.to == d.to && n.Key == d.Key && n.cause.ref == d.cause.ref })
			told := slices.ContainsFunc(b.entries, func(e *entry) bool { return e.is(d) })
			if d.left == 0 || told || i >= 0 && now[i].left > 0 || d.cause.kind == "signup" {
				continue
			}
			d.left, d.why = 0, m.lost(d.cause.ref)
			if i >= 0 {
				d.why = now[i].why
			}
			b.grant(m.who, d)
		}
	}
}
