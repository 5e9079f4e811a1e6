package model

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// policy says which payments wait for a person: those over an amount.
type policy struct{ minimum, over int64 }

// payment is one payout.
type payment struct {
	to, state string
	amount    int64
	attempt   int
	attempts  int // that were handed over
}

// spending is what a redemption took of entries; nil when it was given back.
type spending map[*entry]int64

func (b *book) matured(e *entry) bool { return e.availableAt <= b.now }

// left is what can be paid or spent of an entry; below zero it is owed back.
func (e *entry) left() int64 { return e.granted - e.reversed - e.redeemed }

// free says whether an entry is there to be paid or spent.
func (b *book) free(e *entry) bool {
	return b.matured(e) && !e.expired && e.payment == nil && e.left() > 0
}

// lapse ends what has expired by now.
func (b *book) lapse() {
	for _, e := range b.entries {
		if e.expiresAt != nil && *e.expiresAt <= b.now && b.free(e) {
			e.expired, e.why = true, "REWARD_EXPIRED"
		}
	}
}

// available is what somebody has; what is owed back of one entry makes the others less.
func (b *book) available(to, kind string) (sum int64) {
	for _, e := range b.entries {
		switch {
		case e.to != to || e.kind != kind || !b.matured(e):
		case e.expired:
			sum += min(e.left(), 0)
		default:
			sum += e.left()
		}
	}
	for _, p := range b.payments {
		if p.to == to && kind == "money" && p.state != "cancelled" {
			sum -= p.amount
		}
	}
	return sum
}

// run pays everybody who has enough.
func (b *book) run() {
	due := map[string][]*entry{}
	for _, e := range b.entries {
		if e.kind == "money" && b.free(e) {
			due[e.to] = append(due[e.to], e)
		}
	}
	for _, to := range slices.Sorted(maps.Keys(due)) {
		amount := b.available(to, "money")
		if amount < max(b.policy.minimum, 1) {
			continue
		}
		p := &payment{to: to, amount: amount, state: "approved", attempt: 1}
		if amount > b.policy.over {
			p.state = "draft"
		}
		for _, e := range due[to] {
			e.payment = p
		}
		b.payments = append(b.payments, p)
	}
}

// steps are what can be done with a payment, by its state.
var steps = map[string]map[string]string{
	"approve": {"draft": "approved"},
	"submit":  {"approved": "submitted"},
	"cancel":  {"draft": "cancelled", "approved": "cancelled"},
	"pay":     {"submitted": "paid"},
	"fail":    {"submitted": "failed"},
	"bounce":  {"paid": "returned"},
	"retry":   {"failed": "draft", "returned": "draft"},
	"late":    {"draft": "paid", "approved": "paid", "failed": "paid"}, // by the first attempt
}

// act does something with a payment, if it can be done.
func (b *book) act(f fact) bool {
	p := b.payments[f.asks%int64(len(b.payments))]
	next, ok := steps[f.kind][p.state]
	if f.kind == "late" {
		ok = ok && p.attempts > 0 || p.state == "submitted" && p.attempt == 1
		next = "paid"
	}
	if !ok {
		return false
	}
	switch f.kind {
	case "submit":
		if b.available(p.to, "money") < 0 {
			next = "cancelled"
		} else {
			p.attempts = p.attempt
		}
	case "retry":
		p.attempt++
	}
	if p.state = next; next != "cancelled" {
		return true
	}
	for _, e := range b.entries {
		if e.payment == p {
			e.payment = nil
		}
	}
	return true
}

// redeem spends what expires first, and then what is oldest.
func (b *book) redeem(f fact) bool {
	var from []*entry
	for _, e := range b.entries {
		if e.to == f.who && e.kind == f.sort && b.free(e) {
			from = append(from, e)
		}
	}
	expiry := func(e *entry) time.Duration {
		if e.expiresAt == nil {
			return math.MaxInt64
		}
		return *e.expiresAt
	}
	slices.SortStableFunc(from, func(a, b *entry) int { return cmp.Compare(expiry(a), expiry(b)) })
	took, need := spending{}, f.asks
	for _, e := range from {
		took[e] = min(need, e.left())
		need -= took[e]
	}
	if need > 0 || f.asks > b.available(f.who, f.sort) {
		return false
	}
	for e, amount := range took {
		if amount > 0 {
			e.redeemed, e.why = e.redeemed+amount, "REDEEMED"
		}
	}
	b.spent = append(b.spent, took)
	return true
}

// void gives back what a redemption took, once.
func (b *book) void(f fact) bool {
	took := &b.spent[f.asks%int64(len(b.spent))]
	if *took == nil {
		return false
	}
	for e, amount := range *took {
		if amount == 0 {
			continue
		}
		if e.redeemed, e.why = e.redeemed-amount, "REDEMPTION_VOIDED"; e.expired {
			e.why = "REWARD_EXPIRED" // and so has what comes back
		}
	}
	*took = nil
	return true
}
