package money_test

import (
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount   int64
		currency string
		want     string
	}{
		{123456, "USD", "1234.56 USD"}, {5, "USD", "0.05 USD"}, {0, "EUR", "0.00 EUR"}, {-667, "USD", "-6.67 USD"}, {-5, "USD", "-0.05 USD"},
		{500, "JPY", "500 JPY"}, {0, "JPY", "0 JPY"}, {1500, "KWD", "1.500 KWD"}, {7, "CLF", "0.0007 CLF"},
		{999_999_999_999, "USD", "9999999999.99 USD"},
	} {
		if got := money.Text(c.amount, c.currency); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.amount, c.currency, got, c.want)
		}
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for bp, want := range map[int64]string{2000: "20 %", 1250: "12.5 %", 5: "0.05 %", 10000: "100 %", 0: "0 %", 110: "1.1 %"} {
		if got := money.Percent(bp); got != want {
			t.Errorf("%d: %q, want %q", bp, got, want)
		}
	}
}
