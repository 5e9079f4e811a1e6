package server

import (
	"strconv"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// rate records what a unit of a currency is worth in dollars from a moment on.
func (c caller) rate(from, rate string, at time.Time) client.ExchangeRate {
	c.w.Helper()
	res := must[*client.RecordExchangeRateResult](c.w)(c.sendRate(from, "USD", rate, "ecb", &at))
	if res.JSON200 != nil {
		return *res.JSON200
	}
	return *res.JSON201
}

func (c caller) sendRate(from, to, rate, source string, at *time.Time) (*client.RecordExchangeRateResult, error) {
	return c.RecordExchangeRateWithResponse(c.w.Context(), &client.RecordExchangeRateParams{}, client.NewExchangeRate{
		FromCurrency: from, ToCurrency: to, Rate: rate, Source: &source, EffectiveAt: at,
	})
}

func TestExchangeRatesAreStoredOnce(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	first := must[*client.RecordExchangeRateResult](t)(c.sendRate("EUR", "USD", "1.10", "ecb", &at)).JSON201
	if first == nil || first.Rate != "1.10" || !first.EffectiveAt.Equal(at) || first.Source != "ecb" {
		t.Fatalf("stored %+v", first)
	}
	again := must[*client.RecordExchangeRateResult](t)(c.sendRate("EUR", "USD", "1.1", "ecb", &at)).JSON200
	if again == nil || again.ID != first.ID || again.Rate != "1.10" {
		t.Errorf("the same rate again is %+v", again)
	}
	refused[*client.RecordExchangeRateResult](t, "conflict", "/rate")(c.sendRate("EUR", "USD", "1.11", "ecb", &at))
	for pointer, n := range map[string][3]string{
		"/rate": {"EUR", "USD", "0.000"}, "/from_currency": {"XXX", "USD", "1"}, "/to_currency": {"EUR", "EUR", "1"},
	} {
		refused[*client.RecordExchangeRateResult](t, "validation_failed", pointer)(c.sendRate(n[0], n[1], n[2], "ecb", &at))
	}
	if other := must[*client.RecordExchangeRateResult](t)(c.sendRate("EUR", "USD", "1.11", "bank", nil)).JSON201; other == nil {
		t.Error("another source has no rate of its own")
	}
	if n := w.number("SELECT count(*) FROM events WHERE type = 'exchange_rate.recorded'"); n != 2 {
		t.Errorf("%d events", n)
	}
	if page := w.live().rates(client.ListExchangeRatesParams{}); len(page) != 0 {
		t.Errorf("the live workspace has %v", page)
	}
}

// rates lists exchange rates, page by page.
func (c caller) rates(p client.ListExchangeRatesParams) []string {
	c.w.Helper()
	var out []string
	for {
		page := must[*client.ListExchangeRatesResult](c.w)(c.ListExchangeRatesWithResponse(c.w.Context(), &p)).JSON200
		for _, r := range page.Data {
			out = append(out, r.FromCurrency+r.ToCurrency+" "+r.Rate)
		}
		next, err := page.NextCursor.Get()
		if err != nil {
			return out
		}
		p.Cursor = &next
	}
}

func TestExchangeRatesAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).test()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, day := range []int{3, 1, 4, 2, 4} { // of the two of one day, the one recorded last comes first
		source, on := "s"+strconv.Itoa(i), at.AddDate(0, 0, day)
		must[*client.RecordExchangeRateResult](t)(c.sendRate("EUR", "USD", strconv.Itoa(i+1), source, &on))
	}
	must[*client.RecordExchangeRateResult](t)(c.sendRate("USD", "EUR", "0.9", "ecb", &at))
	for _, list := range []struct {
		p    client.ListExchangeRatesParams
		want []string
	}{
		{client.ListExchangeRatesParams{Limit: ptr[int64](2)}, []string{"EURUSD 5", "EURUSD 3", "EURUSD 1", "EURUSD 4", "EURUSD 2", "USDEUR 0.9"}},
		{client.ListExchangeRatesParams{FromCurrency: ptr("USD")}, []string{"USDEUR 0.9"}},
		{client.ListExchangeRatesParams{ToCurrency: ptr("USD"), Limit: ptr[int64](4)}, []string{"EURUSD 5", "EURUSD 3", "EURUSD 1", "EURUSD 4", "EURUSD 2"}},
		{client.ListExchangeRatesParams{FromCurrency: ptr("GBP"), ToCurrency: ptr("USD")}, nil},
	} {
		got := c.rates(list.p)
		if len(got) != len(list.want) {
			t.Errorf("got %q, want %q", got, list.want)
			continue
		}
		for i := range got {
			if got[i] != list.want[i] {
				t.Errorf("got %q, want %q", got, list.want)
				break
			}
		}
	}
}
