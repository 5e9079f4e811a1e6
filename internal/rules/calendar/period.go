package calendar

import (
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// Start returns the first day of the period in which t lies in loc, as midnight UTC of that date. Weeks begin on Monday, quarters in
// January, April, July and October. A lifetime begins in 1970: it has one period.
func Start(p rules.Period, t time.Time, loc *time.Location) time.Time {
	d := Day(t, loc)
	y, m, day := d.Date()
	switch p {
	case rules.Day:
	case rules.Week:
		d = d.AddDate(0, 0, -(int(d.Weekday())+6)%7)
	case rules.Month:
		d = d.AddDate(0, 0, 1-day)
	case rules.Quarter:
		d = time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	case rules.Year:
		d = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	default:
		d = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return d
}

// End returns the first day after a period that begins on start; the zero time for a lifetime, which has no end.
func End(p rules.Period, start time.Time) time.Time {
	switch p {
	case rules.Day:
		return start.AddDate(0, 0, 1)
	case rules.Week:
		return start.AddDate(0, 0, 7)
	case rules.Month:
		return start.AddDate(0, 1, 0)
	case rules.Quarter:
		return start.AddDate(0, 3, 0)
	case rules.Year:
		return start.AddDate(1, 0, 0)
	}
	return time.Time{}
}

// Instant returns the moment at which a day, given as midnight UTC of its date, begins in loc. Where clocks leave midnight out it begins
// when they do.
func Instant(day time.Time, loc *time.Location) time.Time { return moment(day, loc) }
