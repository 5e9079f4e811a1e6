package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// orders gives every order of n things.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var out [][]int
	for _, o := range orders(n - 1) {
		for at := range n {
			out = append(out, append(append(append([]int{}, o[:at]...), n-1), o[at:]...))
		}
	}
	return out
}

// TestTheOrderOfARateDoesNotMatter lets signup, sale, refund and rate arrive in every order; each order has a currency of its own.
func TestTheOrderOfARateDoesNotMatter(t *testing.T) {
	t.Parallel()
	currencies := []string{
		"AED", "ALL", "AUD", "BAM", "BBD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EGP", "EUR", "GBP", "GEL", "HKD", "HUF", "ILS", "INR", "KES", "MAD",
		"MXN", "NOK", "NZD",
	}
	for refund, want := range map[int64]string{
		5_000: "partially_reversed REVERSED_REFUND 5500 USD of 5000 %s, referrer_share pending 2200-1100 REVERSED_REFUND" + welcome,
		10_000: "reversed REVERSED_REFUND 0 USD of 0 %s, referrer_share cancelled 2200-2200 REVERSED_REFUND, " +
			"welcome_credit cancelled 1000-1000 REVERSED_REFUND",
	} {
		t.Run(fmt.Sprint("a refund of ", refund), func(t *testing.T) {
			t.Parallel()
			p := startPlay(t, nil)
			joined := time.Now().UTC()
			bought := joined.Add(time.Hour)
			p.moveClock(bought.Add(time.Hour))
			for i, order := range orders(4) {
				who := fmt.Sprint("bob-", i)
				for _, step := range order {
					switch step {
					case 0:
						p.join(who, func(n *client.NewSignup) { n.Code, n.OccurredAt = ptr("ALICE-9"), &joined })
					case 1:
						p.inCurrency(who, "o-"+who, 10_000, currencies[i], bought)
					case 2:
						p.refund("o-"+who, "r-"+who, refund)
					case 3:
						p.rate(currencies[i], "1.10", joined)
					}
				}
				p.bills("o-"+who, fmt.Sprintf(want, currencies[i]))
			}
		})
	}
}

func TestCurrenciesOfOtherDigits(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Add(time.Hour)
	for _, c := range []struct {
		program, sale, rate string
		amount              int64
		want                string
	}{
		{"USD", "JPY", "0.00665", 500_000, "counted COUNTED 332500 USD of 500000 JPY, referrer_share pending 66500-0 GRANTED"},
		{"USD", "KWD", "3.25", 1_500_001, "counted COUNTED 487500 USD of 1500001 KWD, referrer_share pending 97500-0 GRANTED"},
		{"JPY", "USD", "150.37", 10_000, "counted COUNTED 15037 JPY of 10000 USD, referrer_share pending 3007-0 GRANTED"},
		{"KWD", "USD", "0.307692308", 10_000, "counted COUNTED 30769 KWD of 10000 USD, referrer_share pending 6154-0 GRANTED"},
	} {
		t.Run(c.sale+" in "+c.program, func(t *testing.T) {
			t.Parallel()
			p := startPlay(t, func(n *client.NewProgram) { n.Currency = c.program })
			p.join("bob", byCode("ALICE-9"))
			p.moveClock(now)
			before := now.AddDate(0, 0, -1)
			must[*client.RecordExchangeRateResult](t)(p.sendRate(c.sale, c.program, c.rate, "ecb", &before))
			p.inCurrency("bob", "o1", c.amount, c.sale, now)
			p.bills("o1", c.want+welcome)
		})
	}
}

func TestSalesThatCannotBeConverted(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.join("bob", byCode("ALICE-9"))
	p.rate("EUR", "999999999999.999999999", time.Now().AddDate(0, 0, -1))
	sale := func(amount int64, currency string) (*client.RecordConversionResult, error) {
		return p.RecordConversionWithResponse(t.Context(), &client.RecordConversionParams{}, client.NewConversion{
			ProgramID: p.program.ID, RefereeExternalID: "bob", ExternalID: "o1", Type: "purchase", Amount: amount, Currency: currency,
		})
	}
	for _, currency := range []string{"ABC", "XXX", "XAU"} {
		refused[*client.RecordConversionResult](t, "currency_mismatch", "/currency")(sale(100, currency))
	}
	refused[*client.RecordConversionResult](t, "amount_not_allowed", "/amount")(sale(100, "EUR"))
}

// TestARateThatRacesWithItsSales: each sale is settled once, by whoever comes last.
func TestARateThatRacesWithItsSales(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	const sales = 64
	now := time.Now().UTC().Add(time.Hour)
	for i := range sales {
		p.join(fmt.Sprint("bob-", i), byCode("ALICE-9"))
	}
	p.moveClock(now)
	at := now.AddDate(0, 0, -1)
	sell := func(i int) error {
		_, err := p.RecordConversionWithResponse(t.Context(), &client.RecordConversionParams{}, client.NewConversion{
			ProgramID: p.program.ID, RefereeExternalID: fmt.Sprint("bob-", i), ExternalID: fmt.Sprint("o", i), Type: "purchase", Amount: 10_000,
			Currency: "EUR", OccurredAt: &now,
		})
		return err
	}
	const sellers = 16
	for i, err := range atOnce(sellers, func(seller int) error {
		for i := seller; i < sales; i += sellers {
			if err := sell(i); err != nil {
				return err
			}
			if i == sellers/2 {
				if _, err := p.sendRate("EUR", "USD", "1.10", "ecb", &at); err != nil {
					return err
				}
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	for what, want := range map[string]int64{
		"conversions WHERE base_amount = 11000":                                              sales,
		"rewards WHERE rule_key = 'referrer_share' AND state = 'pending' AND granted = 2200": sales,
		"ledger_transfers WHERE recipe = 'accrue' AND amount = 2200":                         sales,
		"events WHERE type = 'reward.granted' AND data ->> 'rule_key' = 'referrer_share'":    sales,
		"rewards WHERE state = 'pending_fx'":                                                 0,
		"rewards WHERE rule_key = 'welcome_credit' AND state = 'pending' AND granted = 1000": sales,
		"referrals WHERE state = 'qualified'":                                                sales,
	} {
		if n := p.w.number("SELECT count(*) FROM " + what); n != want {
			t.Errorf("%d %s, want %d", n, what, want)
		}
	}
	if n := p.w.number("SELECT sum(revenue) FROM program_days"); n != sales*11_000 {
		t.Errorf("the revenue is %d", n)
	}
	t.Logf("%d of %d waited for the rate", p.w.number("SELECT count(*) FROM events WHERE type = 'conversion.priced'"), sales)
}

func TestManySalesAreSettledInTheBackground(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	now := time.Now().UTC().Add(time.Hour)
	p.moveClock(now)
	for i := range fewConversions + 3 {
		p.inCurrency(fmt.Sprint("bob-", i), fmt.Sprint("o", i), 10_000, "EUR", now)
	}
	waiting := "SELECT count(*) FROM conversions WHERE base_amount IS NULL"
	p.rate("EUR", "1.10", now)
	if n := p.w.number(waiting); n != 3 {
		t.Errorf("%d wait after the rate", n)
	}
	p.moveClock(now.Add(time.Minute))
	if n := p.w.number(waiting); n != 0 {
		t.Errorf("%d wait after the work that was due", n)
	}
}

func TestWhatBecomesOfWaitingRewards(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	joined := time.Now().UTC()
	bought := joined.Add(2 * time.Hour)
	for _, who := range []string{"small", "cancelled", "rejected", "late"} {
		p.join(who, byCode("ALICE-9"))
	}
	p.moveClock(bought)
	for _, who := range []string{"small", "cancelled", "rejected", "late"} {
		p.inCurrency(who, "o-"+who, map[bool]int64{true: 1_500, false: 10_000}[who == "small"], "EUR", bought)
	}
	c := must[*client.ListConversionsResult](t)(p.ListConversionsWithResponse(t.Context(), &client.ListConversionsParams{}))
	for _, row := range c.JSON200.Data {
		if row.ExternalID == "o-cancelled" {
			for _, w := range p.rewardsOf(row) {
				must[*client.CancelRewardResult](t)(p.CancelRewardWithResponse(t.Context(), w.ID, &client.CancelRewardParams{}, client.ActionReason{Reason: "no"}))
			}
		}
	}
	rejected := p.referralOf("rejected").ID
	must[*client.RejectReferralResult](t)(p.RejectReferralWithResponse(t.Context(), rejected, &client.RejectReferralParams{}, client.ActionReason{Reason: "no"}))
	gone := ", referrer_share cancelled 0-0 %[1]s, welcome_credit cancelled 0-0 %[1]s"
	p.bills("o-rejected", "counted FX_RATE_MISSING no rate of 10000 EUR"+fmt.Sprintf(gone, "REFERRAL_REJECTED"))
	p.moveClock(bought.AddDate(0, 0, 91)) // past every window and hold
	if r := p.referralOf("late"); r.State != "expired" {
		t.Errorf("without a rate the referral is %s", r.State)
	}
	p.rate("EUR", "1.10", joined.Add(-time.Hour))
	p.bills("o-cancelled", "counted COUNTED 11000 USD of 10000 EUR"+fmt.Sprintf(gone, "REVERSED_MANUAL"))
	p.bills("o-rejected", "counted COUNTED 11000 USD of 10000 EUR"+fmt.Sprintf(gone, "REFERRAL_REJECTED"))
	p.bills("o-late", "counted COUNTED 11000 USD of 10000 EUR, referrer_share available 2200-0 GRANTED, welcome_credit available 1000-0 GRANTED")
	if r := p.referralOf("late"); r.State != "qualified" {
		t.Errorf("with its rate the referral is %s", r.State)
	}
	p.bills("o-small", "counted BELOW_MINIMUM 1650 USD of 1500 EUR"+fmt.Sprintf(gone, "BELOW_MINIMUM"))
	if n := p.w.number("SELECT count(*) FROM ledger_accounts WHERE balance <> 0 AND kind = 'pending'"); n != 0 {
		t.Errorf("%d accounts hold what was never granted", n)
	}
}

// TestAWaitInVainIsNotForGood: a sale that turned out too small to qualify earns after all, once an earlier one that qualifies arrives.
func TestAWaitInVainIsNotForGood(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.join("bob", byCode("ALICE-9"))
	bought := time.Now().UTC().Add(2 * time.Hour)
	p.moveClock(bought)
	p.inCurrency("bob", "o2", 1_500, "EUR", bought)
	p.rate("EUR", "1.10", bought)
	p.bills("o2", "counted BELOW_MINIMUM 1650 USD of 1500 EUR, referrer_share cancelled 0-0 BELOW_MINIMUM, welcome_credit cancelled 0-0 BELOW_MINIMUM")
	p.inCurrency("bob", "o1", 10_000, "USD", bought.Add(-time.Hour))
	p.bills("o2", "counted COUNTED 1650 USD of 1500 EUR, referrer_share pending 330-0 GRANTED, welcome_credit cancelled 0-0 BELOW_MINIMUM")
}
