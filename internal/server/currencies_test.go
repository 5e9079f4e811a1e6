package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// inCurrency buys in another currency than the program's.
func (p *play) inCurrency(referee, order string, amount int64, currency string, at time.Time) client.ConversionResult {
	p.w.Helper()
	return p.buy(referee, order, amount, func(n *client.NewConversion) { n.Currency, n.OccurredAt = currency, &at })
}

// bill is what a conversion is worth and what it earns: "counted COUNTED 11000 USD of 10000 EUR, referrer_share pending 2200-0 GRANTED".
func (p *play) bill(order string) string {
	p.w.Helper()
	page := must[*client.ListConversionsResult](p.w)(p.ListConversionsWithResponse(p.w.Context(), &client.ListConversionsParams{}))
	i := slices.IndexFunc(page.JSON200.Data, func(c client.Conversion) bool { return c.ExternalID == order })
	if i < 0 {
		p.w.Fatalf("there is no %s", order)
	}
	c := page.JSON200.Data[i]
	net := "no rate"
	if n, err := c.BaseNetAmount.Get(); err == nil {
		net = fmt.Sprint(n, " ", c.BaseCurrency)
	}
	lines := []string{fmt.Sprintf("%s %s %s of %d %s", c.State, c.Reason, net, c.NetAmount, c.Currency)}
	for _, w := range p.rewardsOf(c) {
		lines = append(lines, fmt.Sprintf("%s %s %d-%d %s", w.RuleKey, w.State, w.Granted, w.Reversed, w.Reason))
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, ", ")
}

func (p *play) rewardsOf(c client.Conversion) []client.Reward {
	p.w.Helper()
	return must[*client.ListRewardsResult](p.w)(p.ListRewardsWithResponse(p.w.Context(), &client.ListRewardsParams{ConversionID: &c.ID})).JSON200.Data
}

func (p *play) bills(order, want string) {
	p.w.Helper()
	if got := p.bill(order); got != want {
		p.w.Errorf("%s is\n%s\nwant\n%s", order, got, want)
	}
}

func (p *play) referralOf(referee string) client.Referral {
	p.w.Helper()
	id := p.participant(referee).ID
	page := must[*client.ListReferralsResult](p.w)(p.ListReferralsWithResponse(p.w.Context(), &client.ListReferralsParams{RefereeID: &id}))
	return page.JSON200.Data[0]
}

func byCode(value string) func(*client.NewSignup) {
	return func(n *client.NewSignup) { n.Code = &value }
}

const welcome = ", welcome_credit pending 1000-0 GRANTED"

func TestASaleInAnotherCurrencyKeepsItsRate(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	now := time.Now().UTC().Add(time.Hour)
	p.rate("EUR", "1.10", now.AddDate(0, 0, -3))
	p.rate("EUR", "9.99", now.AddDate(0, 0, 1)) // of a day that has not come
	p.join("bob", byCode("ALICE-9"))
	p.moveClock(now)
	got := p.inCurrency("bob", "o1", 10_000, "EUR", now)
	if c := got.Conversion; c.ExchangeRate == nil || c.ExchangeRate.Rate != "1.10" || c.ExchangeRate.Source != "ecb" || c.Amount != 10_000 || c.Currency != "EUR" {
		t.Errorf("the conversion is %+v", c)
	}
	p.bills("o1", "counted COUNTED 11000 USD of 10000 EUR, referrer_share pending 2200-0 GRANTED"+welcome)
	p.rate("EUR", "1.20", now) // the rate of the refund's day
	p.refund("o1", "r1", 5_000)
	p.bills("o1", "partially_reversed REVERSED_REFUND 5500 USD of 5000 EUR, referrer_share pending 2200-1100 REVERSED_REFUND"+welcome)
	p.refund("o1", "r2", 5_000)
	p.bills("o1", "reversed REVERSED_REFUND 0 USD of 0 EUR, referrer_share cancelled 2200-2200 REVERSED_REFUND, welcome_credit cancelled 1000-1000 REVERSED_REFUND")
	refused[*client.RecordReversalResult](t, "currency_mismatch", "/currency")(p.RecordReversalWithResponse(t.Context(), &client.RecordReversalParams{},
		client.NewReversal{ConversionExternalID: "o1", ConversionType: "purchase", ExternalID: "r3", Kind: "refund", Amount: ptr[int64](1), Currency: ptr("USD")}))
}

func TestASaleWithoutARateWaits(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	now := time.Now().UTC().Add(time.Hour)
	p.join("bob", byCode("ALICE-9"))
	p.moveClock(now)
	p.inCurrency("bob", "o1", 10_000, "EUR", now)
	waits := "counted FX_RATE_MISSING no rate of 10000 EUR, referrer_share pending_fx 0-0 FX_RATE_MISSING, welcome_credit pending_fx 0-0 FX_RATE_MISSING"
	p.bills("o1", waits)
	if r := p.referralOf("bob"); r.State != "attributed" {
		t.Errorf("the referral is %s", r.State)
	}
	if n := p.w.number("SELECT count(*) FROM ledger_transfers"); n != 0 {
		t.Errorf("%d transfers", n)
	}
	p.rate("EUR", "1.15", now.Add(time.Hour)) // begins after the sale
	p.bills("o1", waits)
	p.rate("EUR", "1.10", now.AddDate(0, 0, -1))
	paid := "counted COUNTED 11000 USD of 10000 EUR, referrer_share pending 2200-0 GRANTED" + welcome
	p.bills("o1", paid)
	if r := p.referralOf("bob"); r.State != "qualified" {
		t.Errorf("the referral is %s", r.State)
	}
	p.rate("EUR", "1.30", now.Add(-time.Hour)) // newer, but too late
	p.bills("o1", paid)
}

func TestRatesAreExplained(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	now := time.Now().UTC().Add(time.Hour)
	p.join("bob", byCode("ALICE-9"))
	p.moveClock(now)
	sale := p.inCurrency("bob", "o1", 10_000, "EUR", now)
	share := sale.Rewards[slices.IndexFunc(sale.Rewards, func(w client.Reward) bool { return w.RuleKey == "referrer_share" })].ID
	explained := func() client.Explanation {
		return *must[*client.ExplainRewardResult](t)(p.ExplainRewardWithResponse(t.Context(), share)).JSON200
	}
	if got := explained().Summary; got != "alice gets something as soon as there is an exchange rate for the purchase o1 of 100.00 EUR." {
		t.Errorf("while it waits: %s", got)
	}
	p.rate("EUR", "1.10", now)
	e := explained()
	if want := "20 %) of the purchase o1 of 100.00 EUR (110.00 USD at 1.10), that is 22.00 USD"; !strings.Contains(e.Summary, want) {
		t.Errorf("with its rate: %s", e.Summary)
	}
	var told []string
	for _, s := range e.Steps {
		told = append(told, s.Title)
	}
	if want := "Attributed, Conversion recorded, Reward waits, Exchange rate applied, Qualified, Reward granted"; strings.Join(told, ", ") != want {
		t.Errorf("told %q, want %q", told, want)
	}
}
