package money_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

func ExampleBasisPoints() {
	fmt.Println(money.BasisPoints(9_999, 2_000))                          // 20 % of 99.99: 1999.8
	fmt.Println(money.BasisPoints(50, 100))                               // 1 % of 0.50: half a minor unit goes up
	fmt.Println(money.BasisPoints(49, 100))                               // 1 % of 0.49
	fmt.Println(money.BasisPoints(1, 5_000), money.BasisPoints(1, 5_000)) // two halves of 0.01 are more than it
	// Output:
	// 2000
	// 1
	// 0
	// 1 1
}

func ExampleDigits() {
	for _, currency := range []string{"USD", "JPY", "KWD", "XAU"} {
		fmt.Println(money.Digits(currency))
	}
	// Output:
	// 2 true
	// 0 true
	// 3 true
	// 0 false
}

func ExampleParseRate() {
	rate, err := money.ParseRate("0.006543210")
	fmt.Println(rate, err)
	_, err = money.ParseRate("1e-3")
	fmt.Println(err)
	// Output:
	// 0.00654321 <nil>
	// a rate is a decimal number over zero, with at most 12 digits before and 9 after the point
}

func ExampleRate_String() {
	rate, _ := money.ParseRate("1.10")
	fmt.Println(rate.String())
	// Output: 1.1
}

// 100.00 EUR at 1.0835 are 108.35 USD; 15000 JPY, which has no minor unit, at 0.0066665 are 99.9975 USD; 1.000 KWD has three digits.
func ExampleConvert() {
	for _, c := range []struct {
		amount         int64
		from, to, rate string
	}{{10_000, "EUR", "USD", "1.0835"}, {15_000, "JPY", "USD", "0.0066665"}, {1_000, "KWD", "JPY", "480.5"}, {1, "USD", "XXX", "1"}} {
		rate, _ := money.ParseRate(c.rate)
		fmt.Println(money.Convert(c.amount, c.from, c.to, rate))
	}
	// Output:
	// 10835 <nil>
	// 10000 <nil>
	// 481 <nil>
	// 0 the currency is none of ISO 4217 with a minor unit
}

// A sale of 33.33 EUR in a program in USD, with a third refunded, and then the rest: each refund takes the difference.
func ExampleExchange_Of() {
	rate, _ := money.ParseRate("1.0835")
	x := money.Exchange{From: "EUR", To: "USD", Rate: rate}
	sale, left := x.Of(3_333), x.Of(2_222)
	fmt.Println(sale, sale-left, left-x.Of(0))
	// Output: 3611 1203 2408
}

func ExampleText() {
	fmt.Println(money.Text(123_456, "USD"))
	fmt.Println(money.Text(-5, "KWD"))
	fmt.Println(money.Text(500, "JPY"))
	fmt.Println(money.Text(500, money.NoCurrency))
	// Output:
	// 1234.56 USD
	// -0.005 KWD
	// 500 JPY
	// 500 XXX
}

func ExampleDecimal() {
	fmt.Println(money.Decimal(123_456, "USD"), money.Decimal(500, "JPY"))
	// Output: 1234.56 500
}

func ExamplePercent() {
	fmt.Println(money.Percent(2_000), money.Percent(1_250), money.Percent(1))
	// Output: 20 % 12.5 % 0.01 %
}

func ExampleKind_Currency() {
	fmt.Println(money.KindCredit.Currency("EUR"), money.KindPoints.Currency("EUR"))
	// Output: EUR XXX
}
