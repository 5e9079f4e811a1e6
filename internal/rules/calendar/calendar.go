// Package calendar does the arithmetic of durations and days in a program's time zone.
package calendar

import "time"

// AddMonths adds calendar months in the zone of loc, in which the time of day stays, and clamps to the end of the month: one month
// after 31 January is the last day of February. Months are at least zero. A time of day that a change of the clock leaves out is
// as much later. The answer is in UTC.
func AddMonths(t time.Time, months int, loc *time.Location) time.Time {
	l := t.In(loc)
	y, m, d := l.Date()
	// In UTC, because the midnight that begins the last day may not exist in loc (Azores, 31 March 2019).
	last := time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if d > last {
		d = last
	}
	return moment(time.Date(y, m+time.Month(months), d, l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC), loc)
}

// moment is when clocks in loc show what wall says. What they leave out is as much later as they are put on, where time.Date may go
// back: to the day before, when it is midnight that does not exist.
func moment(wall time.Time, loc *time.Location) time.Time {
	y, m, d := wall.Date()
	t := time.Date(y, m, d, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), loc)
	_, offset := t.Zone()
	shown := t.UTC().Add(time.Duration(offset) * time.Second)
	return t.UTC().Add(max(0, wall.Sub(shown)))
}

// Day returns the calendar day of t in loc, as midnight UTC of that date.
func Day(t time.Time, loc *time.Location) time.Time {
	y, m, d := t.In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
