package conform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// offset is a stretch of time from the beginning of a story, such as +1h, -30d or +3mo-1s. Months are calendar months in UTC with
// end-of-month clamp, and are added before everything else.
type offset struct {
	months int
	rest   time.Duration
}

var (
	offsetTerm  = regexp.MustCompile(`([+-])(\d+)(ms|s|mo|m|h|d|w|y)`)
	wholeOffset = regexp.MustCompile(`^([+-]\d+(ms|s|mo|m|h|d|w|y))+$`)
	wholeLength = regexp.MustCompile(`^(\d+)(s|m|h|d|w)$`)
)

const day = 24 * time.Hour

var units = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day,
}

func isOffset(s string) bool { return wholeOffset.MatchString(s) }

func parseOffset(s string) (offset, error) {
	if !isOffset(s) {
		return offset{}, fmt.Errorf("%q is no offset such as +1h, -30d or +3mo-1s", s)
	}
	var o offset
	for _, term := range offsetTerm.FindAllStringSubmatch(s, -1) {
		n, err := strconv.Atoi(term[1] + term[2])
		if err != nil || n > 1e6 || n < -1e6 {
			return offset{}, fmt.Errorf("%q is too far away", s)
		}
		switch term[3] {
		case "mo":
			o.months += n
		case "y":
			o.months += 12 * n
		default:
			o.rest += time.Duration(n) * units[term[3]]
		}
	}
	return o, nil
}

// from is the moment that lies at this offset from a beginning.
func (o offset) from(began time.Time) time.Time {
	y, m, d := began.Date()
	last := time.Date(y, m+time.Month(o.months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	hour, minute, second := began.Clock()
	return time.Date(y, m+time.Month(o.months), min(d, last), hour, minute, second, 0, time.UTC).Add(o.rest)
}

// seconds reads a length such as 90d.
func seconds(s string) (int64, bool) {
	part := wholeLength.FindStringSubmatch(s)
	if part == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(part[1], 10, 32)
	return n * int64(units[part[2]]/time.Second), err == nil
}

// beginning is a moment of the calendar: a day of the month, or month and day, or a weekday, and a time in UTC.
type beginning struct {
	month        time.Month // 0: any
	day          int        // 0: any
	weekday      time.Weekday
	byWeekday    bool
	hour, minute int
}

// anyBeginning is where stories begin that do not say: far from the end of a month.
var anyBeginning = beginning{day: 2, hour: 12}

var wholeBeginning = regexp.MustCompile(`^(?:(?:(\d\d)-)?(\d\d)|(Sun|Mon|Tue|Wed|Thu|Fri|Sat)) (\d\d):(\d\d)$`)

func parseBeginning(s string) (beginning, error) {
	part := wholeBeginning.FindStringSubmatch(s)
	if part == nil {
		return beginning{}, fmt.Errorf(`%q is no beginning such as "02 12:00", "01-31 10:00" or "Mon 00:00"`, s)
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n } // two digits or nothing
	b := beginning{month: time.Month(number(part[1])), day: number(part[2]), hour: number(part[4]), minute: number(part[5])}
	if b.byWeekday = part[3] != ""; b.byWeekday {
		b.weekday = time.Weekday(strings.Index("SunMonTueWedThuFriSat", part[3]) / 3)
	}
	if b.month > 12 || !b.byWeekday && (b.day < 1 || b.day > 31) || b.hour > 23 || b.minute > 59 {
		return beginning{}, fmt.Errorf("%q is no moment of a calendar", s)
	}
	return b, nil
}

// next is the first such moment after t.
func (b beginning) next(t time.Time) (time.Time, error) {
	at := time.Date(t.Year(), t.Month(), t.Day(), b.hour, b.minute, 0, 0, time.UTC)
	for range 366 * 9 { // nine years have every day of the calendar
		fits := b.byWeekday && at.Weekday() == b.weekday || !b.byWeekday && at.Day() == b.day && (b.month == 0 || b.month == at.Month())
		if fits && at.After(t) {
			return at, nil
		}
		at = at.AddDate(0, 0, 1)
	}
	return time.Time{}, fmt.Errorf("no year has this beginning")
}
