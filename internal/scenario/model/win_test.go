package model

import (
	"fmt"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// lose takes back the milestones of somebody that are not reached any more.
func (b *book) lose(c company, who string) {
	for _, e := range b.entries {
		for _, goal := range b.rules.Milestones {
			if e.to == who && e.of == "" && e.rule == goal.Key && goal.Reversible && !b.reached(c, e, goal) {
				e.reversed, e.why = e.granted, "MILESTONE_LOST"
			}
		}
	}
}

func (b *book) reached(c company, e *entry, goal rules.Milestone) bool {
	at := slices.IndexFunc(b.facts, func(f fact) bool { return f.kind == "conversion" && goalOf(b.life, goal, f) == e.cause })
	return at >= 0 && c.reached(e.to, goal.Measure, goal.Period, b.facts[at].at) >= goal.Threshold
}

func goalOf(l life, goal rules.Milestone, f fact) string {
	return fmt.Sprint(goal.Key, " in ", l.period(goal.Period, f.at))
}

// win pays milestones, each once in a period, and gives back what was lost of them. Their time is that of the last conversion in the
// period of the referral that reached them.
func (b *book) win(c company, m *machine) {
	for _, f := range m.conversions {
		for _, goal := range b.rules.Milestones {
			if c.reached(m.by, goal.Measure, goal.Period, f.at) < goal.Threshold {
				continue
			}
			last := f
			for _, o := range m.conversions {
				if o.at > last.at && goalOf(b.life, goal, o) == goalOf(b.life, goal, f) {
					last = o
				}
			}
			b.give("", due{
				RewardRule: rules.RewardRule{Key: goal.Key, Kind: goal.Kind, ExpiresAfterSeconds: goal.ExpiresAfterSeconds}, to: m.by, cause: fact{ref: goalOf(b.life, goal, f), at: last.at},
				gross: goal.Amount, left: goal.Amount, why: "REINSTATED",
			})
		}
	}
}

// arrives tells a fact, or something that somebody does, and says whether it is refused.
func (b *book) arrives(f fact, now time.Duration) (refused bool) {
	b.now = now
	b.until = now
	b.lapse()
	defer b.lapse()
	switch f.kind {
	case "run":
		b.run()
	case "redeem":
		return !b.redeem(f)
	case "void":
		return !b.void(f)
	case "signup", "conversion", "reversal", "churn", "return":
		b.facts = append(b.facts, f)
		b.settle(f.who)
	case "rate":
		b.facts = append(b.facts, f)
		seen := map[string]bool{}
		for _, c := range b.facts {
			if c.kind == "conversion" && c.currency == f.ref && b.priced(c) && !seen[c.who] {
				seen[c.who] = true
				b.settle(c.who)
			}
		}
	default:
		return !b.act(f)
	}
	return false
}
