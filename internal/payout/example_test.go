package payout_test

import (
	"fmt"

	"github.com/grapevine-referrals/grapevine/internal/payout"
)

// A receiver makes the same of the headers webhook-id and webhook-timestamp and of the body as it came.
func ExampleSign() {
	fmt.Println(payout.Sign([]byte("a secret of thirty-two bytes...."), "01a202b0_1", "1768046400", []byte(`{"amount":4500}`)))
	// Output: v1,fmCTJm1khqE5ed3hYdCtkPZE92JBphY+zwh6L7QQyqY=
}
