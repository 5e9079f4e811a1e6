package settlement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

const (
	day     = 24 * time.Hour
	hold    = 14 * day
	instant = time.Microsecond // the resolution of a stored time
)

// joined is when the referee signed up; everything counts from it.
var joined = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

// program is what most stories are told about: 20 % to the referrer for twelve months, 10.00 of credit to the referee once,
// from 20.00 within 90 days on.
func program(changes ...func(*rules.Document)) rules.Document {
	twelve := 12
	d := rules.Default()
	d.Qualification.MinimumAmount = 2_000
	d.Rewards = []rules.RewardRule{
		{Key: "referrer", Triggers: []string{"purchase", "renewal"}, Beneficiary: rules.Referrer, Kind: "money",
			Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_000}, HoldSeconds: int64(hold / time.Second), DurationMonths: &twelve},
		{Key: "referee", Triggers: []string{rules.TriggerQualified}, Beneficiary: rules.Referee, Kind: "credit",
			Amount: rules.Amount{Type: rules.Fixed, Value: 1_000}, HoldSeconds: int64(hold / time.Second)},
	}
	for _, change := range changes {
		change(&d)
	}
	return d
}

// churns takes everything back from those who leave within 60 days.
func churns(d *rules.Document) { d.Churn = &rules.Churn{WindowSeconds: int64(60 * day / time.Second)} }

func reinstates(d *rules.Document) { d.Churn.ReinstateOnReactivation = true }

// joining pays both for the signup.
func joining(d *rules.Document) {
	for _, b := range []rules.Beneficiary{rules.Referrer, rules.Referee} {
		d.Rewards = append(d.Rewards, rules.RewardRule{
			Key: "join-" + string(b), Triggers: []string{rules.TriggerSignup}, Beneficiary: b, Kind: "credit",
			Amount: rules.Amount{Type: rules.Fixed, Value: 300}, HoldSeconds: int64(day / time.Second),
		})
	}
}

// story is a referral with what happened to it, seen a day after the referee joined.
func story(d rules.Document, conversions ...settlement.Conversion) settlement.Facts {
	return settlement.Facts{
		ReferralID: "R", Stored: state.ReferralAttributed, StoredReason: reason.AttributedLastTouch, SignupAt: joined,
		QualifyBy: joined.Add(time.Duration(d.Qualification.WindowSeconds) * time.Second), Zone: time.UTC, Rules: d,
		Conversions: conversions, Now: joined.Add(day),
	}
}

// conversion is one of the referee, with the reversals that it suffered.
func conversion(id, kind string, amount int64, after time.Duration, reversals ...settlement.Reversal) settlement.Conversion {
	return settlement.Conversion{ID: id, Key: id, Type: kind, Amount: amount, Reversals: reversals, OccurredAt: joined.Add(after)}
}

func purchase(id string, amount int64, after time.Duration, reversals ...settlement.Reversal) settlement.Conversion {
	return conversion(id, "purchase", amount, after, reversals...)
}

func renewal(id string, amount int64, after time.Duration, reversals ...settlement.Reversal) settlement.Conversion {
	return conversion(id, "renewal", amount, after, reversals...)
}

// undo is a reversal of an amount, or with nothing of all that is left.
func undo(id string, kind settlement.Kind, amount int64, after time.Duration) settlement.Reversal {
	r := settlement.Reversal{ID: id, Kind: kind, OccurredAt: joined.Add(after)}
	if amount > 0 {
		r.Amount = &amount
	}
	return r
}

func refund(id string, amount int64, after time.Duration) settlement.Reversal {
	return undo(id, settlement.Refund, amount, after)
}

func won(id, chargeback string, after time.Duration) settlement.Reversal {
	return settlement.Reversal{ID: id, Kind: settlement.DisputeWon, Restores: chargeback, OccurredAt: joined.Add(after)}
}

func left(id string, after time.Duration) settlement.Churn {
	return settlement.Churn{ID: id, OccurredAt: joined.Add(after)}
}

func returned(id string, after time.Duration) settlement.Churn {
	return settlement.Churn{ID: id, Back: true, OccurredAt: joined.Add(after)}
}

// with changes facts.
func with(f settlement.Facts, changes ...func(*settlement.Facts)) settlement.Facts {
	for _, change := range changes {
		change(&f)
	}
	return f
}

func churned(cs ...settlement.Churn) func(*settlement.Facts) {
	return func(f *settlement.Facts) { f.Churns = slices.Clone(cs) }
}

func seen(after time.Duration) func(*settlement.Facts) {
	return func(f *settlement.Facts) { f.Now = joined.Add(after) }
}

func honored(until time.Duration) func(*settlement.Facts) {
	t := joined.Add(until)
	return func(f *settlement.Facts) { f.HonoredUntil = &t }
}

func stored(s state.Referral, why reason.Code) func(*settlement.Facts) {
	return func(f *settlement.Facts) { f.Stored, f.StoredReason = s, why }
}

func in(zone *time.Location) func(*settlement.Facts) {
	return func(f *settlement.Facts) { f.Zone = zone }
}

// bill writes an outcome so that it can be compared and read: the referral, then its conversions, then what is owed.
func bill(o settlement.Outcome) string {
	lines := []string{fmt.Sprintf("%s %s", o.State, o.Reason)}
	if o.QualifyingID != "" {
		lines[0] += " by " + o.QualifyingID
	}
	for _, v := range o.Conversions {
		lines = append(lines, fmt.Sprintf("%s %s %s", v.ID, v.State, v.Reason))
	}
	var dues []string
	for _, d := range o.Rewards {
		dues = append(dues, fmt.Sprintf("%s for %s: %d of %d %s", d.Rule.Key, d.CauseID, d.Net, d.Granted, d.Reason))
	}
	slices.Sort(dues)
	return strings.Join(append(lines, dues...), "\n")
}

// tale is one story and the bill that must come out.
type tale struct {
	name string
	f    settlement.Facts
	want string
}

func tell(t *testing.T, tales []tale) {
	t.Helper()
	for _, c := range tales {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for line := range strings.Lines(c.want) {
				if line = strings.TrimSpace(line); line != "" {
					want = append(want, line)
				}
			}
			for range 2 { // as told, and with every fact arriving in the opposite order
				if got := bill(settlement.Settle(c.f)); got != strings.Join(want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
				}
				slices.Reverse(c.f.Conversions)
				slices.Reverse(c.f.Churns)
			}
		})
	}
}
