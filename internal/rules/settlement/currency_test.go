package settlement_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

// euros gives a conversion in euros a rate into the program's dollars.
func euros(c settlement.Conversion, rate string) settlement.Conversion {
	r, err := money.ParseRate(rate)
	if err != nil {
		panic(err)
	}
	c.Exchange = &money.Exchange{From: "EUR", To: "USD", Rate: r}
	return c
}

func unpriced(c settlement.Conversion) settlement.Conversion {
	c.Unpriced = true
	return c
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	tell(t, []tale{
		{"a sale in euros pays by what it is worth in dollars", story(program(), euros(purchase("c1", 10_000, time.Hour), "1.10")), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2200 of 2200 GRANTED`},
		{"a refund takes by the rate of the sale", story(program(), euros(purchase("c1", 10_000, time.Hour, refund("r1", 5_000, day)), "1.10")), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 1100 of 2200 REVERSED_REFUND`},
		{"minimums are in the program's currency", story(program(), euros(purchase("c1", 1_900, time.Hour), "1.10"), euros(purchase("c2", 1_800, 2*time.Hour), "1.10")), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 418 of 418 GRANTED
			referrer for c2: 396 of 396 GRANTED`},
		{"a rate below one takes a sale below the minimum", story(program(), euros(purchase("c1", 2_000, time.Hour), "0.999")), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 counted BELOW_MINIMUM`},
		{"without a rate everything waits", story(program(), unpriced(purchase("c1", 10_000, time.Hour))), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 counted FX_RATE_MISSING
			referee for c1: 0 of 0 FX_RATE_MISSING
			referrer for c1: 0 of 0 FX_RATE_MISSING`},
		{"what follows a sale without a rate is not paid before it", story(program(), unpriced(purchase("c1", 10_000, time.Hour)), renewal("c2", 5_000, 30*day)), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 counted FX_RATE_MISSING
			c2 counted NOT_QUALIFIED
			referee for c1: 0 of 0 FX_RATE_MISSING
			referrer for c1: 0 of 0 FX_RATE_MISSING`},
		{"a later sale qualifies meanwhile", story(program(), unpriced(purchase("c1", 10_000, time.Hour)), purchase("c2", 5_000, 2*time.Hour)), `
			qualified COUNTED by c2
			c1 counted FX_RATE_MISSING
			c2 counted COUNTED
			referee for c1: 0 of 0 FX_RATE_MISSING
			referee for c2: 1000 of 1000 GRANTED
			referrer for c1: 0 of 0 FX_RATE_MISSING
			referrer for c2: 1000 of 1000 GRANTED`},
		{"an earlier sale qualified: only the share waits", story(program(), purchase("c1", 5_000, time.Hour), unpriced(renewal("c2", 10_000, 30*day))), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 counted FX_RATE_MISSING
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 1000 of 1000 GRANTED
			referrer for c2: 0 of 0 FX_RATE_MISSING`},
		{"a renewal alone qualifies nothing, rate or none", story(program(), unpriced(renewal("c1", 10_000, time.Hour))), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 counted FX_RATE_MISSING`},
		{"after the window nothing waits", story(program(), unpriced(purchase("c1", 10_000, 90*day))), `
			expired QUALIFICATION_WINDOW_EXPIRED
			c1 counted FX_RATE_MISSING`},
		{"what was refunded as a whole waits for nothing", story(program(), unpriced(purchase("c1", 10_000, time.Hour, refund("r1", 0, day)))), `
			attributed ATTRIBUTED_LAST_TOUCH
			c1 reversed REVERSED_REFUND`},
		{"a rejected referral waits for nothing", with(story(program(), onRecord(unpriced(purchase("c1", 10_000, time.Hour)), "counted")), stored("rejected", "REFERRAL_REJECTED")), `
			rejected REFERRAL_REJECTED
			c1 counted FX_RATE_MISSING`},
	})
}

// TestALateRateTellsWhatWasUndone: a sale whose rate comes after its refund was owed something and lost it, like one that had a rate.
func TestALateRateTellsWhatWasUndone(t *testing.T) {
	t.Parallel()
	late := onRecord(euros(purchase("c1", 10_000, time.Hour, refund("r1", 0, day)), "1.10"), "reversed")
	undone := settlement.Settle(story(program(), late)).Undone
	for _, d := range undone {
		if want := map[string]int64{"referrer": 2_200, "referee": 1_000}[d.Rule.Key]; d.Granted != want || d.Net != 0 || d.Reason != "REVERSED_REFUND" {
			t.Errorf("%s: %d of %d for %s, want 0 of %d", d.Rule.Key, d.Net, d.Granted, d.Reason, want)
		}
	}
	if len(undone) != 2 {
		t.Errorf("%d rewards were undone", len(undone))
	}
}

// TestRefundsInAnotherCurrencyAddUp: however a sale is refunded, at its rate the parts add up to what was granted.
func TestRefundsInAnotherCurrencyAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(1, 1_000_000).Draw(t, "amount")
		rate := fmt.Sprintf("%d.%09d", rapid.Int64Range(0, 200).Draw(t, "units"), rapid.Int64Range(1, 999_999_999).Draw(t, "billionths"))
		d := program(func(d *rules.Document) { d.Qualification.MinimumAmount = 0 })
		owed, granted := int64(-1), int64(0)
		var refunds []settlement.Reversal
		for left := amount; left > 0; {
			part := rapid.Int64Range(1, left).Draw(t, "part")
			if len(refunds) > 20 {
				part = left
			}
			left -= part
			refunds = append(refunds, refund(fmt.Sprintf("r%02d", len(refunds)), part, time.Duration(len(refunds)+2)*time.Hour))
			var net int64
			for _, due := range settlement.Settle(story(d, euros(purchase("c1", amount, time.Hour, refunds...), rate))).Rewards {
				if due.Rule.Key == "referrer" {
					net, granted = due.Net, due.Granted
				}
			}
			if owed >= 0 && net > owed || net > granted {
				t.Fatalf("%d is owed after %d of %d", net, owed, granted)
			}
			owed = net
		}
		if owed != 0 {
			t.Fatalf("%d is left of a sale that was refunded", owed)
		}
	})
}
