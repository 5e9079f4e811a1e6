package money

// Kind is what a reward is made of. Kinds are never added up with each other: money is paid out, the others are redeemed.
type Kind string

// The kinds.
const (
	KindMoney  Kind = "money"
	KindCredit Kind = "credit"
	KindPoints Kind = "points"
	KindCoupon Kind = "coupon"
	KindCustom Kind = "custom"
)

// NoCurrency is ISO 4217 for what is counted in no currency. It has no minor unit: 500 XXX are 500 points.
const NoCurrency = "XXX"

// Currency is what a kind is counted in, in a program with a currency: money and credit in the minor units of that, everything else in
// whole units of none.
func (k Kind) Currency(program string) string {
	if k == KindMoney || k == KindCredit {
		return program
	}
	return NoCurrency
}
