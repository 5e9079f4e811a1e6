package money

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// What a rate may have before and after its point.
const (
	rateWhole    = 12
	rateFraction = 9
	billion      = 1_000_000_000
)

// Rate says how many whole units of one currency one whole unit of another is worth: exactly (units + billionths / 10^9), no float.
// The zero Rate is none.
type Rate struct {
	units      int64
	billionths int64
}

// Errors of rates.
var (
	ErrRate     = errors.New("a rate is a decimal number over zero, with at most 12 digits before and 9 after the point")
	ErrCurrency = errors.New("the currency is none of ISO 4217 with a minor unit")
	ErrTooLarge = errors.New("the converted amount is too large")
)

// ParseRate reads a rate: digits, and after a point at most nine more. No sign, no exponent, no leading zeros, not zero. Error:
// ErrRate.
func ParseRate(text string) (Rate, error) {
	whole, fraction, point := strings.Cut(text, ".")
	units, ok := decimal(whole, rateWhole)
	if !ok || len(whole) > 1 && whole[0] == '0' {
		return Rate{}, ErrRate
	}
	var billionths int64
	if point {
		if billionths, ok = decimal(fraction, rateFraction); !ok {
			return Rate{}, ErrRate
		}
		for range rateFraction - len(fraction) {
			billionths *= 10
		}
	}
	if units == 0 && billionths == 0 {
		return Rate{}, ErrRate
	}
	return Rate{units, billionths}, nil
}

// decimal reads one to most digits.
func decimal(text string, most int) (n int64, ok bool) {
	if text == "" || len(text) > most {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// String writes the rate without zeros that say nothing: 1.10 is "1.1".
func (r Rate) String() string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%09d", r.units, r.billionths), "0"), ".")
}

// Convert turns an amount of minor units of one currency into minor units of another, at a rate between their whole units: amount *
// rate * 10^(digits of to - digits of from), rounded half up on the minor unit of to, with all digits kept until then. amount is at
// least zero. More is never less: of two amounts, the larger one does not convert to the smaller result. Errors: ErrRate for the zero
// Rate, ErrCurrency, and ErrTooLarge for more than MaxAmount.
func Convert(amount int64, from, to string, r Rate) (int64, error) {
	if r == (Rate{}) {
		return 0, ErrRate
	}
	f, known := Digits(from)
	t, also := Digits(to)
	if !known || !also {
		return 0, ErrCurrency
	}
	rate := new(big.Int).Mul(big.NewInt(r.units), big.NewInt(billion))
	rate.Add(rate, big.NewInt(r.billionths))
	n := rate.Mul(rate, big.NewInt(amount))
	n.Mul(n, powerOfTen(t))
	d := powerOfTen(rateFraction + f)
	n.Add(n, new(big.Int).Rsh(d, 1)) // half of it, which is whole
	n.Div(n, d)
	if n.Cmp(big.NewInt(MaxAmount)) > 0 {
		return 0, ErrTooLarge
	}
	return n.Int64(), nil
}

// Exchange turns amounts of a sale into another currency, always at the rate of the sale.
type Exchange struct {
	From, To string
	Rate     Rate
}

// Of converts an amount of minor units that is not larger than the sale, whose own conversion succeeded: then this one cannot fail, as
// any other could, with a panic. It is rounded half up like the whole, so that what refunds take, always the difference of two such
// amounts, adds up to the whole.
func (x Exchange) Of(amount int64) int64 {
	converted, err := Convert(amount, x.From, x.To, x.Rate)
	if err != nil {
		panic(err) // the sale was converted when it was stored
	}
	return converted
}

func powerOfTen(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}
