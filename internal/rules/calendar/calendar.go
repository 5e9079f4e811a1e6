// Package calendar does the arithmetic of durations and days in a program's time zone.
package calendar

import "time"

// AddMonths adds calendar months in the zone of loc and clamps to the end of the month: one month after 31 January is
// the last day of February.
func AddMonths(t time.Time, months int, loc *time.Location) time.Time {
	l := t.In(loc)
	y, m, d := l.Date()
	// In UTC, because the midnight that begins the last day may not exist in loc (Azores, 31 March 2019).
	last := time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if d > last {
		d = last
	}
	return time.Date(y, m+time.Month(months), d, l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), loc).UTC()
}

// Day returns the calendar day of t in loc, as midnight UTC of that date.
func Day(t time.Time, loc *time.Location) time.Time {
	y, m, d := t.In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
