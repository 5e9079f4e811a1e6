package money

import "strings"

// Decimal writes an amount of minor units as a decimal number of its currency: 123456 USD is "1234.56", 500 JPY is "500". Nothing
// is rounded.
func Decimal(amount int64, currency string) string {
	number, _, _ := strings.Cut(Text(amount, currency), " ")
	return number
}
