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

// TestDaysBeginWhereMidnightIsLeftOut: clocks are put on at midnight in these zones, for one of them on the first of a quarter.
func TestDaysBeginWhereMidnightIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, begins string }{
		{"America/Asuncion", "2023-10-01", "2023-10-01T04:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		{"America/Havana", "2024-03-10", "2024-03-10T05:00:00Z"},
		{"Atlantic/Azores", "2019-03-31", "2019-03-31T01:00:00Z"},
		{"Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00Z"},
	} {
		loc := zone(t, c.zone)
		day := at(t, c.day+"T00:00:00Z")
		begins := calendar.Instant(day, loc)
		if !begins.Equal(at(t, c.begins)) {
			t.Errorf("%s begins at %s in %s, want %s", c.day, begins, c.zone, c.begins)
		}
		if before := calendar.Day(begins.Add(-time.Microsecond), loc); !calendar.Day(begins, loc).Equal(day) || !before.Equal(day.AddDate(0, 0, -1)) {
			t.Errorf("%s in %s: a microsecond before is %s", c.day, c.zone, before)
		}
		// A duration that ends then ends with the day before.
		if got := calendar.AddMonths(calendar.Instant(day.AddDate(0, -1, 0), loc), 1, loc); day.Day() < 29 && !got.Equal(begins) {
			t.Errorf("%s in %s: a month after the same day of the month before is %s", c.day, c.zone, got)
		}
	}
}
