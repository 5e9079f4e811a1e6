package engine_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/engine"
)

func ExampleYearOf() {
	fmt.Println(engine.YearOf(2026))
	// Output: 2026-01-01 00:00:00 +0000 UTC 2027-01-01 00:00:00 +0000 UTC
}

func ExampleDifference_Change() {
	fmt.Println(engine.Difference{Old: 2_000, New: 1_500}.Change())
	// Output: 500
}
