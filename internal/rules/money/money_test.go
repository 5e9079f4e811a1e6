package money_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

func TestBasisPoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		amount, bp, want int64
	}{
		{"20 % of 100.00", 10_000, 2_000, 2_000},
		{"20 % of 99.99 is rounded up from 1,999.8", 9_999, 2_000, 2_000},
		{"20 % of 66.66 is rounded down from 1,333.2", 6_666, 2_000, 1_333},
		{"20 % of 33.33 is rounded up from 666.6", 3_333, 2_000, 667},
		{"a half is rounded up", 1, 5_000, 1},
		{"just below a half is rounded down", 1, 4_999, 0},
		{"two and a half is rounded up, not to even", 5, 5_000, 3},
		{"one basis point of a cent is nothing", 1, 1, 0},
		{"one basis point of 50.00 is half a cent, rounded up", 5_000, 1, 1},
		{"one basis point of 49.99 is nothing", 4_999, 1, 0},
		{"nothing of something", 10_000, 0, 0},
		{"something of nothing", 0, 2_000, 0},
		{"everything of the largest amount", money.MaxAmount, money.MaxBasisPoints, money.MaxAmount},
		{"a third of the largest amount", money.MaxAmount, 3_333, 333_300_000_000},
		{"everything of the largest number that fits", 1<<63 - 1, money.MaxBasisPoints, 1<<63 - 1},
		{"all but a basis point of the largest number that fits", 1<<63 - 1, 9_999, 9_222_449_699_651_090_329},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := money.BasisPoints(c.amount, c.bp); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// exact is the formula in arbitrary precision: floor((amount * bp + 5000) / 10000).
func exact(amount, bp int64) int64 {
	n := new(big.Int).Mul(big.NewInt(amount), big.NewInt(bp))
	n.Add(n, big.NewInt(money.MaxBasisPoints/2))
	return n.Div(n, big.NewInt(money.MaxBasisPoints)).Int64()
}

func FuzzBasisPoints(f *testing.F) {
	f.Add(int64(9_999), int64(2_000))
	f.Add(int64(1<<63-1), int64(10_000))
	f.Fuzz(func(t *testing.T, amount, bp int64) {
		if amount < 0 || bp < 0 || bp > money.MaxBasisPoints {
			return // outside what the function promises
		}
		if got, want := money.BasisPoints(amount, bp), exact(amount, bp); got != want {
			t.Errorf("BasisPoints(%d, %d) = %d, want %d", amount, bp, got, want)
		}
	})
}

func TestBasisPointsAgreesWithArbitraryPrecision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1<<63-1).Draw(t, "amount")
		bp := rapid.Int64Range(0, money.MaxBasisPoints).Draw(t, "bp")
		got := money.BasisPoints(amount, bp)
		if want := exact(amount, bp); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
		if got < 0 || got > amount {
			t.Fatalf("a share of %d is %d", amount, got)
		}
	})
}

// TestBasisPointsIsMonotonic is why a reversal can never take more than was granted: less of a sale is never a larger share.
func TestBasisPointsIsMonotonic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		more := rapid.Int64Range(0, money.MaxAmount).Draw(t, "more")
		less := rapid.Int64Range(0, more).Draw(t, "less")
		bp := rapid.Int64Range(0, money.MaxBasisPoints).Draw(t, "bp")
		if money.BasisPoints(less, bp) > money.BasisPoints(more, bp) {
			t.Fatalf("%d bp of %d is more than of %d", bp, less, more)
		}
	})
}
