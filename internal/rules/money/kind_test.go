package money_test

import (
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

func TestWhatHasNoCurrencyIsCountedInUnits(t *testing.T) {
	t.Parallel()
	if got := money.Text(500, money.NoCurrency); got != "500 XXX" {
		t.Errorf("500 points are %s", got)
	}
	for _, k := range []money.Kind{money.KindMoney, money.KindCredit} {
		if got := k.Currency("JPY"); got != "JPY" {
			t.Errorf("%s of a program in JPY is counted in %s", k, got)
		}
	}
	for _, k := range []money.Kind{money.KindPoints, money.KindCoupon, money.KindCustom} {
		if got := k.Currency("JPY"); got != money.NoCurrency {
			t.Errorf("%s of a program in JPY is counted in %s", k, got)
		}
	}
}
