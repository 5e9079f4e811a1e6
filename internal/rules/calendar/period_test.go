package calendar_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
)

func TestPeriods(t *testing.T) {
	t.Parallel()
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		p          rules.Period
		at         string
		zone       *time.Location
		start, end string
	}{
		{"a day", rules.Day, "2026-03-29T23:59:59Z", time.UTC, "2026-03-29", "2026-03-30"},
		{"a day of the program's zone", rules.Day, "2026-03-28T23:30:00Z", vienna, "2026-03-29", "2026-03-30"},
		{"a week begins on Monday", rules.Week, "2026-11-22T12:00:00Z", time.UTC, "2026-11-16", "2026-11-23"},
		{"Monday itself", rules.Week, "2026-11-16T00:00:00Z", time.UTC, "2026-11-16", "2026-11-23"},
		{"a month", rules.Month, "2026-02-28T23:59:59Z", time.UTC, "2026-02-01", "2026-03-01"},
		{"a month of the zone", rules.Month, "2026-02-28T23:00:00Z", vienna, "2026-03-01", "2026-04-01"},
		{"a quarter", rules.Quarter, "2026-06-30T00:00:00Z", time.UTC, "2026-04-01", "2026-07-01"},
		{"the last quarter", rules.Quarter, "2026-12-31T00:00:00Z", time.UTC, "2026-10-01", "2027-01-01"},
		{"a year", rules.Year, "2026-12-31T23:30:00Z", vienna, "2027-01-01", "2028-01-01"},
		{"a lifetime", rules.Lifetime, "2026-12-31T23:30:00Z", time.UTC, "1970-01-01", "0001-01-01"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		start := calendar.Start(c.p, at, c.zone)
		if got := start.Format(time.DateOnly); got != c.start {
			t.Errorf("%s: begins %s, want %s", c.name, got, c.start)
		}
		if got := calendar.End(c.p, start).Format(time.DateOnly); got != c.end {
			t.Errorf("%s: ends %s, want %s", c.name, got, c.end)
		}
	}
}
