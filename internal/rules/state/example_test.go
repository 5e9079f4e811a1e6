package state_test

import (
	"fmt"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func june(day int) time.Time { return time.Date(2026, 6, day, 0, 0, 0, 0, time.UTC) }

func ExampleArrows_Allows() {
	fmt.Println(state.Payouts.Allows(state.PayoutSubmitted, state.PayoutPaid), state.Payouts.Allows(state.PayoutPaid, state.PayoutFailed))
	// Output: true false
}

// A code from 1 June on, disabled on the 10th: periods are half-open, and the first reaches back.
func ExampleTimeline_At() {
	code := state.Timeline{{At: june(1), State: "active"}, {At: june(10), State: "disabled", Reason: "rotation"}}
	for _, day := range []int{1, 9, 10} {
		p, known := code.At(june(day))
		fmt.Println(day, p.State, known)
	}
	before, known := code.At(june(1).AddDate(-1, 0, 0))
	fmt.Println(before.State, known)
	// Output:
	// 1 active true
	// 9 active true
	// 10 disabled true
	// active true
}

func ExampleTimeline_Last() {
	fmt.Println(state.Timeline{{At: june(1), State: "active"}, {At: june(10), State: "retired"}}.Last().State)
	// Output: retired
}

func ExampleGroups_At() {
	groups := state.Groups{{At: june(1)}, {At: june(10), Group: "partners"}}
	fmt.Printf("%q %q\n", groups.At(june(9)), groups.At(june(10)))
	// Output: "" "partners"
}

// Entered on 1 June without a group, a partner from the 10th on.
func ExampleGroups_With() {
	for _, m := range (state.Groups{}).With(june(1), june(10), "partners") {
		fmt.Printf("%s %q\n", m.At.Format(time.DateOnly), m.Group)
	}
	// Output:
	// 2026-06-01 ""
	// 2026-06-10 "partners"
}
