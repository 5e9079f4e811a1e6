package settlement_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// someTime draws one of few moments, so that ties and edges are common.
func someTime(t *rapid.T, label string) time.Duration {
	return rapid.SampledFrom([]time.Duration{
		-instant, 0, time.Hour, time.Hour, day, 20 * day, 60 * day, 60*day + time.Hour, 90*day - instant, 90 * day, 366 * day,
	}).Draw(t, label)
}

func someReversals(t *rapid.T, amount int64) []settlement.Reversal {
	var out []settlement.Reversal
	var chargebacks []string
	for i := range rapid.IntRange(0, 5).Draw(t, "reversals") {
		id := string(rune('a' + i))
		after := someTime(t, "reversed")
		kind := rapid.SampledFrom([]settlement.Kind{
			settlement.Refund, settlement.Refund, settlement.Chargeback, settlement.Fraud, settlement.ManualUndo, settlement.DisputeWon,
		}).Draw(t, "kind")
		switch {
		case kind != settlement.DisputeWon:
			r := undo(id, kind, 0, after)
			if rapid.IntRange(0, 3).Draw(t, "all") > 0 {
				r.Amount = ptr(rapid.Int64Range(1, amount+amount/4+1).Draw(t, "asked"))
			}
			out = append(out, r)
			if kind == settlement.Chargeback {
				chargebacks = append(chargebacks, id)
			}
		case len(chargebacks) > 0:
			out = append(out, won(id, rapid.SampledFrom(chargebacks).Draw(t, "dispute"), after))
		}
	}
	return out
}

func someDocument(t *rapid.T) rules.Document {
	d := program()
	d.Qualification.RevokeOnReversal = rapid.Bool().Draw(t, "revoke")
	d.Qualification.MinimumAmount = rapid.SampledFrom([]int64{0, 2_000}).Draw(t, "minimum")
	d.Rewards[0].Amount.Value = rapid.Int64Range(1, money.MaxBasisPoints).Draw(t, "bp")
	d.Rewards[0].MinimumAmount = rapid.SampledFrom([]int64{0, 3_000}).Draw(t, "order value")
	if rapid.Bool().Draw(t, "for ever") {
		d.Rewards[0].DurationMonths = nil
	}
	if rapid.Bool().Draw(t, "churn") {
		churns(&d)
		d.Churn.ReinstateOnReactivation = rapid.Bool().Draw(t, "reinstate")
	}
	if rapid.Bool().Draw(t, "joining") {
		joining(&d)
	}
	return d
}

func someFacts(t *rapid.T) settlement.Facts {
	f := story(someDocument(t))
	for i := range rapid.IntRange(0, 6).Draw(t, "conversions") {
		amount := rapid.Int64Range(1, 10_000).Draw(t, "amount")
		kind := rapid.SampledFrom([]string{"purchase", "purchase", "renewal", "other"}).Draw(t, "type")
		c := conversion(fmt.Sprintf("c%d", i), kind, amount, someTime(t, "converted"), someReversals(t, amount)...)
		c.Stored = rapid.SampledFrom([]state.Conversion{"", "", "unmatched", "counted", "counted", "reversed", "disqualified"}).Draw(t, "on record")
		switch rapid.IntRange(0, 3).Draw(t, "rate") {
		case 0:
			c = euros(c, rapid.SampledFrom([]string{"1.1", "0.9", "0.001"}).Draw(t, "into dollars"))
		case 1:
			c.Unpriced = true
		}
		f.Conversions = append(f.Conversions, c)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "churns") {
		c := left(fmt.Sprintf("l%d", i), someTime(t, "left"))
		c.Back = rapid.Bool().Draw(t, "back")
		f.Churns = append(f.Churns, c)
	}
	if rapid.IntRange(0, 3).Draw(t, "ended") == 0 {
		honored(someTime(t, "honored"))(&f)
	}
	f.Stored = rapid.SampledFrom([]state.Referral{
		state.ReferralAttributed, state.ReferralAttributed, state.ReferralQualified, state.ReferralChurned, state.ReferralExpired,
		state.ReferralRejected, state.ReferralSuperseded, state.ReferralUnderReview,
	}).Draw(t, "stored")
	f.Now = joined.Add(someTime(t, "now"))
	return f
}

// shuffled draws another order of a slice.
func shuffled[T any](t *rapid.T, s []T) []T {
	out := slices.Clone(s)
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
	random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestArrivalDoesNotMatter: whatever the order of the facts, the outcome is the same, to the order of its parts.
func TestArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts(t)
		want := settlement.Settle(f)
		g := f
		g.Conversions, g.Churns = shuffled(t, f.Conversions), shuffled(t, f.Churns)
		if got := settlement.Settle(g); !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", bill(got), bill(want))
		}
	})
}

// TestWhatEveryOutcomePromises holds for any facts.
func TestWhatEveryOutcomePromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts(t)
		o := settlement.Settle(f)
		if o.Reason == "" || (o.QualifiedAt == nil) != (o.QualifyingID == "") {
			t.Fatalf("%+v", o)
		}
		if (o.State == state.ReferralChurned) != (o.ChurnedAt != nil) || o.State == state.ReferralQualified && o.QualifiedAt == nil {
			t.Fatalf("%+v", o)
		}
		verdicts := map[string]settlement.Verdict{}
		for _, v := range o.Conversions {
			verdicts[v.ID] = v
			if v.Reason == "" || v.State == "" || v.State == state.ConversionUnmatched {
				t.Fatalf("%+v", v)
			}
		}
		paid := map[string]bool{}
		for _, d := range o.Rewards {
			key := d.Rule.Key + " for " + d.CauseID
			if paid[key] {
				t.Fatalf("%s is owed twice", key)
			}
			paid[key] = true
			if _, judged := verdicts[d.ConversionID]; !judged && d.ConversionID != "" {
				t.Fatalf("%s has no verdict", key)
			}
			if d.Net < 0 || d.Net > d.Granted || d.Reason == "" {
				t.Fatalf("%s: %d of %d for %q", key, d.Net, d.Granted, d.Reason)
			}
			if v := verdicts[d.ConversionID].State; v == state.ConversionReversed || v == state.ConversionDisqualified {
				t.Fatalf("%s is owed for a conversion that is %s", key, v)
			}
			if d.Net > 0 && (f.Stored == state.ReferralRejected || f.Stored == state.ReferralSuperseded) && f.StoredReason != reason.ReferrerIneligible {
				t.Fatalf("%s is owed by a %s referral", key, f.Stored)
			}
		}
		arrivesByArrows(t, f, o)
	})
}

// arrivesByArrows checks that every conversion but the disqualified has a verdict, and can move to it from where it is on record.
func arrivesByArrows(t *rapid.T, f settlement.Facts, o settlement.Outcome) {
	for _, c := range f.Conversions {
		i := slices.IndexFunc(o.Conversions, func(v settlement.Verdict) bool { return v.ID == c.ID })
		if (i < 0) != (c.Stored == state.ConversionDisqualified) {
			t.Fatalf("%s is %s and has verdict %d", c.ID, c.Stored, i)
		}
		if i < 0 {
			continue
		}
		if to := o.Conversions[i].State; c.Stored != "" && c.Stored != to && !state.Conversions.Allows(c.Stored, to) && !unmatchedAndUndone(c, to) {
			t.Fatalf("%s would move from %s to %s", c.ID, c.Stored, to)
		}
	}
}

// unmatchedAndUndone is a conversion that passes through counted: its reversals came before its referral.
func unmatchedAndUndone(c settlement.Conversion, to state.Conversion) bool {
	return c.Stored == state.ConversionUnmatched && state.Conversions.Allows(state.ConversionCounted, to)
}

// TestSettlingAgainChangesNothing: an outcome that is on record is the outcome of the same facts.
func TestSettlingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts(t)
		once := settlement.Settle(f)
		g := f
		g.Stored, g.StoredReason = once.State, once.Reason
		g.Conversions = slices.Clone(f.Conversions)
		for i, c := range g.Conversions {
			for _, v := range once.Conversions {
				if v.ID == c.ID && v.State != state.ConversionDisqualified { // which would leave the bill
					g.Conversions[i].Stored = v.State
				}
			}
		}
		if got := settlement.Settle(g); bill(got) != bill(once) {
			t.Fatalf("got\n%s\nafter\n%s", bill(got), bill(once))
		}
	})
}

// TestUndoneIsWhatWasOwedOnTheWay: who settles the facts one by one as they occur grants what who settles them all at once finds owed or
// undone, and nothing else.
func TestUndoneIsWhatWasOwedOnTheWay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts(t)
		f.Stored, f.HonoredUntil, f.Now = state.ReferralAttributed, nil, joined.Add(400*day)
		granted := map[string]bool{}
		for _, m := range oneByOne(&f) {
			for _, d := range settlement.Settle(until(f, m)).Rewards {
				if d.Net > 0 {
					granted[d.Rule.Key+" for "+d.CauseID] = true
				}
			}
		}
		told := map[string]bool{}
		o := settlement.Settle(f)
		for _, d := range o.Rewards {
			if d.Net > 0 || d.ConversionID == "" {
				told[d.Rule.Key+" for "+d.CauseID] = true
			}
		}
		for _, d := range o.Undone {
			if d.Granted > 0 {
				told[d.Rule.Key+" for "+d.CauseID] = true
			}
		}
		if !maps.Equal(told, granted) {
			t.Fatalf("told %v, granted %v\n%s", told, granted, bill(o))
		}
	})
}

// oneByOne makes facts of which no two occur at once and no conversion is undone before it occurs, and gives their times.
func oneByOne(f *settlement.Facts) []time.Time {
	moments := []time.Time{joined}
	at := func(t time.Time) time.Time {
		moments = append(moments, t.Add(time.Duration(len(moments))*time.Nanosecond))
		return moments[len(moments)-1]
	}
	for i := range f.Conversions {
		c := &f.Conversions[i]
		c.Stored, c.Unpriced, c.OccurredAt = "", false, at(c.OccurredAt)
		c.Reversals = slices.DeleteFunc(c.Reversals, func(r settlement.Reversal) bool { return r.OccurredAt.Before(c.OccurredAt) })
		for j := range c.Reversals {
			c.Reversals[j].OccurredAt = at(c.Reversals[j].OccurredAt)
		}
	}
	for i := range f.Churns {
		f.Churns[i].OccurredAt = at(f.Churns[i].OccurredAt)
	}
	return moments
}

// until is what had occurred by a time.
func until(f settlement.Facts, m time.Time) settlement.Facts {
	f.Conversions = slices.DeleteFunc(slices.Clone(f.Conversions), func(c settlement.Conversion) bool { return c.OccurredAt.After(m) })
	for i := range f.Conversions {
		c := &f.Conversions[i]
		c.Reversals = slices.DeleteFunc(slices.Clone(c.Reversals), func(r settlement.Reversal) bool { return r.OccurredAt.After(m) })
	}
	f.Churns = slices.DeleteFunc(slices.Clone(f.Churns), func(c settlement.Churn) bool { return c.OccurredAt.After(m) })
	return f
}

// TestRefundsAddUp: however a sale is refunded, what the refunds take of the reward adds up to what was granted, and no
// single step takes what it should not.
func TestRefundsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(1, money.MaxAmount).Draw(t, "amount")
		bp := rapid.Int64Range(1, money.MaxBasisPoints).Draw(t, "bp")
		d := program(func(d *rules.Document) { d.Qualification.MinimumAmount, d.Rewards[0].Amount.Value = 0, bp })
		granted := money.BasisPoints(amount, bp)
		owed, left := granted, amount
		var refunds []settlement.Reversal
		for i := 0; left > 0; i++ {
			part := left
			if i < 20 {
				part = rapid.Int64Range(1, left).Draw(t, "part")
			}
			left -= part
			refunds = append(refunds, refund(fmt.Sprintf("r%02d", i), part, time.Duration(i+2)*time.Hour))
			var net int64
			for _, due := range settlement.Settle(story(d, purchase("c1", amount, time.Hour, refunds...))).Rewards {
				if due.Rule.Key == "referrer" && due.Granted != granted {
					t.Fatalf("a refund changed what was granted from %d to %d", granted, due.Granted)
				}
				if due.Rule.Key == "referrer" {
					net = due.Net
				}
			}
			if net != money.BasisPoints(left, bp) || net > owed {
				t.Fatalf("with %d of %d left, %d is owed after %d", left, amount, net, owed)
			}
			// One part of the sale takes its share, rounded down or up.
			if took, share := owed-net, money.BasisPoints(part, bp); took < share-1 || took > share+1 {
				t.Fatalf("a refund of %d took %d of the reward", part, took)
			}
			owed = net
		}
		if owed != 0 {
			t.Fatalf("%d is left of a sale that was refunded", owed)
		}
	})
}
