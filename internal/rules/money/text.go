package money

import (
	"strconv"
	"strings"
)

// Text writes an amount of minor units for people to read: 123456 USD is "1234.56 USD", 500 JPY is "500 JPY". Nothing is rounded. A
// currency that ISO 4217 does not list is written with two places.
func Text(amount int64, currency string) string {
	places, ok := Digits(currency)
	if !ok && currency != NoCurrency {
		places = 2
	}
	sign, text := "", strconv.FormatInt(amount, 10)
	if amount < 0 {
		sign, text = "-", text[1:]
	}
	if missing := places + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	if places > 0 {
		text = text[:len(text)-places] + "." + text[len(text)-places:]
	}
	return sign + text + " " + currency
}

// Percent writes basis points, at least zero, as a percentage: 2000 is "20 %", 1250 is "12.5 %". Nothing is rounded.
func Percent(bp int64) string {
	text := strconv.FormatInt(bp/100, 10)
	if rest := bp % 100; rest > 0 {
		text += "." + strings.TrimRight(strconv.FormatInt(100+rest, 10)[1:], "0")
	}
	return text + " %"
}
