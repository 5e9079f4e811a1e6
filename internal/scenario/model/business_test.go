package model

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// TestTheBooksFollowTheOrderOfArrival tells the model in which order facts arrived: who comes first gets what a limit leaves. In between
// people are paid and spend their credit.
func TestTheBooksFollowTheOrderOfArrival(t *testing.T) {
	d := dbtest.New(t)
	e := engine.New(slog.New(slog.DiscardHandler))
	check(t, 4, func(t *rapid.T) {
		l, p := someBusiness(t)
		w := newWorkspace(t, d.Store, e, l)
		w.must(0, func(ctx context.Context, tx *store.Tx) error {
			_, _, _, err := e.SetPayoutPolicy(ctx, tx, w.scope, engine.NewPayoutPolicy{
				Currency: "USD", MinimumAmount: p.minimum, Approval: payable.OverAmount, ApprovalAmount: &p.over, Provider: payable.ByHand,
			})
			return err
		})
		got := w.live(0, someOrder(t, l, rapid.IntRange(0, 1).Draw(t, "order")))
		w.readBook(got)
		b := book{life: l, policy: p}
		b.facts = nil
		for _, h := range w.heard {
			if refused := b.arrives(h.fact, h.now); refused != h.refused {
				t.Fatalf("%+v is refused: %v, the model says %v\nrules %s\nheard %v", h.fact, h.refused, refused, l.terms(), w.heard)
			}
		}
		if want := b.told(l.until); !maps.Equal(got, want) {
			t.Fatalf("%s\nrules %s\nheard %v", differences(got, want), l.terms(), w.heard)
		}
		w.stop()
	})
	examine(t, d, e)
}

// someBusiness is a company with limits, whose people are paid and spend.
func someBusiness(t *rapid.T) (life, policy) {
	l := someCompany(t)
	l.strict = true
	for i := range l.rules.Rewards {
		someLimits(t, &l.rules.Rewards[i])
	}
	for i := range l.rules.Milestones {
		m := &l.rules.Milestones[i]
		if m.Reversible = rapid.Bool().Draw(t, "reversible"); m.Kind == "credit" && rapid.Bool().Draw(t, "expires") {
			seconds := int64(3 * day / time.Second)
			m.ExpiresAfterSeconds = &seconds
		}
	}
	if rapid.Bool().Draw(t, "budget") {
		l.rules.Budget = &rules.Cap{
			Amount: rapid.SampledFrom([]int64{700, 2000, 6000}).Draw(t, "budget"),
			Period: rapid.SampledFrom([]rules.Period{rules.Lifetime, rules.Month}).Draw(t, "budget period"),
		}
	}
	for i := range l.facts {
		if at := slices.Index([]string{"F", "R", "B0"}, l.facts[i].who); l.facts[i].kind == "signup" && at >= 0 {
			l.facts[i].at = time.Duration(at) * time.Minute // before everything
		}
	}
	l.someActs(t)
	last := slices.MaxFunc(l.facts, func(a, b fact) int { return cmp.Compare(a.at, b.at) })
	l.until = last.at + rapid.SampledFrom([]time.Duration{time.Minute, 30 * day}).Draw(t, "until")
	return l, policy{rapid.SampledFrom([]int64{0, 300}).Draw(t, "minimum payout"), rapid.SampledFrom([]int64{0, 900}).Draw(t, "waits over")}
}

// careers are what becomes of payouts; some of it is refused, as things stand.
var careers = []string{
	"approve submit pay", "approve submit fail retry approve submit pay", "approve submit fail retry approve submit fail late bounce retry submit",
	"approve submit pay bounce retry cancel", "approve submit fail late bounce late retry approve submit late", "cancel approve", "approve cancel retry",
}

// someActs has people paid, and spend what they have.
func (l *life) someActs(t *rapid.T) {
	facts := slices.Clone(l.facts)
	add := func(f fact, after time.Duration) {
		f.ref = fmt.Sprint("act", len(l.facts))
		f.at = rapid.SampledFrom(facts).Draw(t, "since").at + after
		l.facts = append(l.facts, f)
	}
	for i := range rapid.SampledFrom([]int64{3, 1, 5}).Draw(t, "payouts") {
		add(fact{kind: "run"}, 10*day)
		at := l.facts[len(l.facts)-1].at
		for j, step := range strings.Fields(rapid.SampledFrom(careers).Draw(t, "career")) {
			l.facts = append(l.facts, fact{kind: step, ref: fmt.Sprint("act", i, "-", j), at: at + time.Duration(j+1)*8*time.Hour, asks: i})
		}
	}
	for range rapid.SampledFrom([]int{4, 0, 8}).Draw(t, "spends") {
		f := fact{kind: "redeem", sort: rapid.SampledFrom([]string{"credit", "credit", "points"}).Draw(t, "kind")}
		if f.who = "R"; f.sort == "credit" && rapid.Bool().Draw(t, "referee") {
			f.who = rapid.SampledFrom(slices.Sorted(maps.Keys(joins))).Draw(t, "who")
		}
		f.asks = rapid.SampledFrom([]int64{1, 9, 50, 80, 300, 500}).Draw(t, "spends")
		add(f, time.Hour)
		if rapid.Bool().Draw(t, "void") {
			add(fact{kind: "void", asks: rapid.Int64Range(0, 3).Draw(t, "which")}, day)
		}
	}
}

// someLimits gives a rule what depends on the order of arrival.
func someLimits(t *rapid.T, r *rules.RewardRule) {
	if r.Tiers != nil {
		r.Tiers.Mode = rules.Frozen
		r.Tiers.Period = rapid.SampledFrom([]rules.Period{rules.Lifetime, rules.Month, rules.Quarter}).Draw(t, "frozen period")
	}
	if rapid.IntRange(0, 2).Draw(t, "cap") > 0 {
		r.Cap = &rules.Cap{
			Amount: rapid.SampledFrom([]int64{50, 600, 1500, 4000}).Draw(t, "cap"),
			Period: rapid.SampledFrom([]rules.Period{rules.Lifetime, rules.Month, rules.Week, rules.Day}).Draw(t, "cap period"),
		}
	}
	if r.Key == "joined" && rapid.Bool().Draw(t, "credit") {
		r.Kind = "credit" // of which a referrer gets several
	}
	if r.Kind == "credit" && rapid.Bool().Draw(t, "expires") {
		seconds := int64(rapid.SampledFrom([]time.Duration{time.Hour, 7 * day}).Draw(t, "after") / time.Second)
		r.ExpiresAfterSeconds = &seconds
	}
}

// told is what must be in the books at the end.
func (b *book) told(until time.Duration) map[string]string {
	out := map[string]string{}
	b.now, b.until = until, until
	b.lapse()
	for _, m := range b.meeting() {
		m.describe(out)
	}
	sums := map[string]int64{}
	for _, e := range b.entries {
		if sums[e.to+" "+e.kind+" available"] = b.available(e.to, e.kind); !b.matured(e) {
			sums[e.to+" "+e.kind+" pending"] += e.left()
		}
		if e.of != "" && e.granted > 0 {
			out[e.to+" "+e.rule+" "+e.cause] = fmt.Sprintf("%s %d of %d capped %d redeemed %d %s", b.stateOf(e), e.granted-e.reversed, e.granted, e.capped, e.redeemed, e.why)
		}
	}
	for i, p := range b.payments {
		out[fmt.Sprint("payout ", i, " to ", p.to)] = fmt.Sprint(p.state, " ", p.amount, " by attempt ", p.attempt)
		if p.state != "paid" && p.state != "cancelled" {
			sums[p.to+" money reserved"] += p.amount
		}
	}
	for account, sum := range sums {
		if sum != 0 {
			out[account] = fmt.Sprint(sum)
		}
	}
	return out
}

func (b *book) stateOf(e *entry) string {
	switch {
	case e.payment != nil && e.payment.state == "paid":
		return "paid"
	case e.payment != nil:
		return "reserved"
	case !b.matured(e) && e.left() > 0:
		return "pending"
	case e.expired:
		return "expired"
	case e.redeemed > 0 && e.left() <= 0:
		return "redeemed"
	case e.granted == e.reversed:
		return "cancelled"
	}
	return "available"
}
