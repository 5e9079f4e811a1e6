package attribution_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
)

// Alice's click is inside the window of 30 days by a microsecond, and Carol's, the later one, was made by a machine.
func ExampleDecide() {
	robot := func(t *attribution.Touch) { t.Classification = "bot" }
	answer := attribution.Decide(signup(clickTime.Add(window-time.Microsecond), click("1", "alice", clickTime), click("2", "carol", clickTime.Add(day), robot)))
	fmt.Println(answer.Attributed, answer.ReferrerID, answer.Reason)
	for _, c := range answer.Candidates {
		fmt.Println(c.ReferrerID, c.Eligible, c.Reason)
	}
	fmt.Println(attribution.Decide(signup(clickTime.Add(window), click("1", "alice", clickTime))).Reason)
	// Output:
	// true alice ATTRIBUTED_LAST_TOUCH
	// alice true ATTRIBUTED_LAST_TOUCH
	// carol false BOT_TOUCH_ONLY
	// WINDOW_EXPIRED
}

func ExampleEncode() {
	fmt.Printf("%s\n", attribution.Encode(attribution.Decide(signup(clickTime))))
	// Output: {"attributed":false,"reason":"NO_TOUCH","candidates":[]}
}

func ExampleReplay() {
	in := signup(clickTime.Add(day), click("1", "alice", clickTime))
	stored := attribution.Encode(attribution.Decide(in))
	again, err := attribution.Replay(attribution.Encode(in))
	fmt.Println(bytes.Equal(again, stored), err)
	// Output: true <nil>
}
