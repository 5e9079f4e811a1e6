package code_test

import (
	"fmt"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func ExampleFold() {
	fmt.Println(code.Fold("alice 20-26"))
	// Output: ALICE2026
}

func ExampleCheck() {
	fmt.Println(code.Check("Alice-2026"))
	fmt.Println(code.Check("A-1"))
	// Output:
	// <nil>
	// a code has 3 to 40 letters and digits
}

// With bytes that are no dice, so that the code is the same every time.
func ExampleGenerate() {
	n := byte(0)
	fmt.Println(code.Generate(func(p []byte) (int, error) {
		for i := range p {
			n += 29
			p[i] = n
		}
		return len(p), nil
	}))
	// Output: 468B-DGJM-79C <nil>
}

// A code for June that can be used twice: from the first of June on, and before the first of July.
func ExampleEffective() {
	june, july, twice := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), int64(2)
	limits := code.Limits{StartsAt: &june, ExpiresAt: &july, MaxUses: &twice, Uses: 1}
	fmt.Println(code.Effective(state.CodeActive, limits, june.Add(-time.Microsecond)))
	fmt.Println(code.Effective(state.CodeActive, limits, june))
	fmt.Println(code.Effective(state.CodeActive, limits, july))
	limits.Uses = 2
	fmt.Println(code.Effective(state.CodeActive, limits, june))
	fmt.Println(code.Effective(state.CodeRetired, limits, june))
	// Output:
	// not_started
	// active
	// expired
	// exhausted
	// retired
}

func ExampleErased() {
	fmt.Println(code.Erased([]byte("the key of the workspace"), "ALICE2026"))
	// Output: ~6b8c4fc664ffcf2f0ad64aaa3061313a
}
