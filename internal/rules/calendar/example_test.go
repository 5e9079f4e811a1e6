package calendar_test

import (
	"fmt"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
)

// newYork is five hours behind UTC in winter and four in summer.
var newYork = func() *time.Location {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	return loc
}()

// The evening of 31 January in New York, which is February in UTC already.
var evening = time.Date(2026, 2, 1, 1, 30, 0, 0, time.UTC)

func ExampleAddMonths() {
	fmt.Println(calendar.AddMonths(evening, 1, time.UTC))
	fmt.Println(calendar.AddMonths(evening, 1, newYork)) // the evening of 28 February
	fmt.Println(calendar.AddMonths(evening, 6, newYork)) // the evening of 31 July, in summer time
	// Output:
	// 2026-03-01 01:30:00 +0000 UTC
	// 2026-03-01 01:30:00 +0000 UTC
	// 2026-08-01 00:30:00 +0000 UTC
}

func ExampleDay() {
	fmt.Println(calendar.Day(evening, newYork).Format(time.DateOnly))
	// Output: 2026-01-31
}

func ExampleStart() {
	for _, p := range []rules.Period{rules.Day, rules.Week, rules.Month, rules.Quarter, rules.Year, rules.Lifetime} {
		fmt.Println(p, calendar.Start(p, evening, newYork).Format(time.DateOnly))
	}
	// Output:
	// day 2026-01-31
	// week 2026-01-26
	// month 2026-01-01
	// quarter 2026-01-01
	// year 2026-01-01
	// lifetime 1970-01-01
}

func ExampleEnd() {
	quarter := calendar.Start(rules.Quarter, evening, newYork)
	fmt.Println(calendar.End(rules.Quarter, quarter).Format(time.DateOnly))
	fmt.Println(calendar.End(rules.Lifetime, calendar.Start(rules.Lifetime, evening, newYork)).IsZero())
	// Output:
	// 2026-04-01
	// true
}

func ExampleInstant() {
	fmt.Println(calendar.Instant(calendar.Start(rules.Month, evening, newYork), newYork))
	// Output: 2026-01-01 05:00:00 +0000 UTC
}
