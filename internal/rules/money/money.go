// Package money does the arithmetic of minor units: shares of an amount, and amounts of one currency in another. There is no float in it.
package money

import "math/bits"

// MaxAmount is the largest amount of the contract, in minor units: it stays exact in every client language.
const MaxAmount = 999_999_999_999

// MaxBasisPoints is a hundred per cent.
const MaxBasisPoints = 10_000

// BasisPoints returns bp ten-thousandths of an amount of minor units, rounded half up on the minor unit: 20 % of 99.99 is 20.00. Both
// are at least zero, and bp at most MaxBasisPoints; the product is taken in 128 bits, so that it cannot overflow. A share can be half a
// minor unit more than the exact one, so that shares of one amount can come to more than their sum of it: two halves of 1 are 1 and 1.
func BasisPoints(amount, bp int64) int64 {
	hi, lo := bits.Mul64(uint64(amount), uint64(bp))
	lo, carry := bits.Add64(lo, MaxBasisPoints/2, 0)
	q, _ := bits.Div64(hi+carry, lo, MaxBasisPoints)
	return int64(q)
}
