package money_test

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

func TestDigits(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"USD": 2, "EUR": 2, "JPY": 0, "KRW": 0, "ISK": 0, "KWD": 3, "TND": 3, "CLF": 4, "UYW": 4, "HUF": 2} {
		if got, ok := money.Digits(code); !ok || got != want {
			t.Errorf("%s: %d, %t, want %d", code, got, ok, want)
		}
	}
	for _, code := range []string{"", "usd", "US", "USDT", "ABC", "XXX", "XTS", "XAU", "XDR", "BTC", "DEM"} {
		if got, ok := money.Digits(code); ok {
			t.Errorf("%q has %d digits", code, got)
		}
	}
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1": "1", "1.10": "1.1", "0.5": "0.5", "0.000000001": "0.000000001", "999999999999.999999999": "999999999999.999999999",
		"100": "100", "10.0": "10", "157.3300": "157.33",
	} {
		if r, err := money.ParseRate(text); err != nil || r.String() != want {
			t.Errorf("%q: %q, %v, want %q", text, r, err, want)
		}
	}
	for _, text := range []string{
		"", "0", "0.0", "0.000000000", "-1", "+1", "1e5", "1E5", "NaN", "Inf", "Infinity", ".5", "1.", ".", "1..2", "1.2.3", "01.5", "00", "1,5", " 1", "1 ",
		"1_000", "0x10", "1000000000000", "1.0000000000", "0.0000000001", strings.Repeat("9", 400), "1." + strings.Repeat("0", 400), "١", "1\x00", "½",
	} {
		if r, err := money.ParseRate(text); !errors.Is(err, money.ErrRate) {
			t.Errorf("%q is %v, %v", text, r, err)
		}
	}
}

func rate(t testing.TB, text string) money.Rate {
	t.Helper()
	r, err := money.ParseRate(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return r
}

func TestConvert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		amount   int64
		from, to string
		rate     string
		want     int64
		err      error
	}{
		{"100.00 EUR at 1.10 are 110.00 USD", 10_000, "EUR", "USD", "1.10", 11_000, nil},
		{"nothing is nothing", 0, "EUR", "USD", "1.10", 0, nil},
		{"one whole yen at a cent each", 1, "JPY", "USD", "0.01", 1, nil},
		{"500 JPY are 3.33 USD", 500, "JPY", "USD", "0.00665", 333, nil},
		{"3.33 USD are 501 JPY, rounded up from 500.7...", 333, "USD", "JPY", "150.37", 501, nil},
		{"half a yen is rounded up", 50, "USD", "JPY", "1", 1, nil},
		{"just below half a yen is rounded down", 49, "USD", "JPY", "1", 0, nil},
		{"1.500 KWD are 4.88 USD", 1_500, "KWD", "USD", "3.25", 488, nil},
		{"4.88 USD are 1.502 KWD", 488, "USD", "KWD", "0.307692308", 1_502, nil},
		{"1 JPY in thousandths of a dinar", 1, "JPY", "KWD", "0.002", 2, nil},
		{"1.0000 CLF is 38000 CLP", 10_000, "CLF", "CLP", "38000.4", 38_000, nil},
		{"the smallest rate", 10_000, "EUR", "USD", "0.000000001", 0, nil},
		{"the largest amount at one to one", money.MaxAmount, "EUR", "USD", "1", money.MaxAmount, nil},
		{"above the largest amount", money.MaxAmount, "EUR", "USD", "1.000000001", 0, money.ErrTooLarge},
		{"the largest amount at the largest rate", money.MaxAmount, "JPY", "UYW", "999999999999.999999999", 0, money.ErrTooLarge},
		{"an unknown currency", 1, "ABC", "USD", "1", 0, money.ErrCurrency},
		{"into an unknown currency", 1, "USD", "XXX", "1", 0, money.ErrCurrency},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := money.Convert(c.amount, c.from, c.to, rate(t, c.rate))
			if c.err == nil && got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %d, %v, want %d, %v", got, err, c.want, c.err)
			}
		})
	}
	if _, err := money.Convert(1, "EUR", "USD", money.Rate{}); !errors.Is(err, money.ErrRate) {
		t.Errorf("the zero rate converts: %v", err)
	}
}

var currencies = []string{"USD", "EUR", "JPY", "KRW", "KWD", "TND", "CLF", "UYW"}

// FuzzConvert compares with the same formula over fractions, for every text that is a rate.
func FuzzConvert(f *testing.F) {
	f.Add("1.10", int64(10_000), uint8(1))
	f.Add("0.000000001", int64(money.MaxAmount), uint8(2*8+6))
	f.Add("1e5", int64(1), uint8(0))
	shape := regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,9})?$`)
	f.Fuzz(func(t *testing.T, text string, amount int64, pair uint8) {
		r, err := money.ParseRate(text)
		if ok := shape.MatchString(text) && strings.ContainsAny(text, "123456789"); ok != (err == nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil || amount < 0 {
			return
		}
		if again, err := money.ParseRate(r.String()); err != nil || again != r {
			t.Fatalf("%q is written %q: %v, %v", text, r, again, err)
		}
		from, to := currencies[pair/8%8], currencies[pair%8]
		got, err := money.Convert(amount, from, to, r)
		if want := fraction(t, amount, from, to, text); want == nil != (err != nil) || err == nil && got != want.Int64() {
			t.Errorf("%d %s at %s: %d %s, %v, want %v", amount, from, text, got, to, err, want)
		}
	})
}

// fraction is the formula over fractions, nil above the largest amount.
func fraction(t testing.TB, amount int64, from, to, text string) *big.Int {
	t.Helper()
	x, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no fraction", text)
	}
	x.Mul(x, new(big.Rat).SetInt64(amount))
	f, _ := money.Digits(from)
	for range f {
		x.Quo(x, big.NewRat(10, 1))
	}
	d, _ := money.Digits(to)
	for range d {
		x.Mul(x, big.NewRat(10, 1))
	}
	x.Add(x, big.NewRat(1, 2))
	n := new(big.Int).Div(x.Num(), x.Denom())
	if n.Cmp(big.NewInt(money.MaxAmount)) > 0 {
		return nil
	}
	return n
}

// TestConvertIsMonotonic is why a refund can never take more than its sale brought, whatever the rate.
func TestConvertIsMonotonic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		more := rapid.Int64Range(0, money.MaxAmount).Draw(t, "more")
		less := rapid.Int64Range(0, more).Draw(t, "less")
		r, err := money.ParseRate(fmt.Sprintf("%d.%09d", rapid.Int64Range(0, 200).Draw(t, "units"), rapid.Int64Range(1, 999_999_999).Draw(t, "billionths")))
		if err != nil {
			t.Fatal(err)
		}
		from, to := rapid.SampledFrom(currencies).Draw(t, "from"), rapid.SampledFrom(currencies).Draw(t, "to")
		large, err := money.Convert(more, from, to, r)
		if err != nil {
			return
		}
		if small, err := money.Convert(less, from, to, r); err != nil || small > large {
			t.Fatalf("%d %s are %d %s, and %d are %d, %v", more, from, large, to, less, small, err)
		}
	})
}
