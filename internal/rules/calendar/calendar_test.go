package calendar_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAddMonths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone, from string
		months           int
		want             string
	}{
		{"a year later", "UTC", "2026-01-10T12:00:00Z", 12, "2027-01-10T12:00:00Z"},
		{"a microsecond is kept", "UTC", "2026-01-10T12:00:00.000001Z", 1, "2026-02-10T12:00:00.000001Z"},
		{"over the end of a year", "UTC", "2026-11-30T00:00:00Z", 3, "2027-02-28T00:00:00Z"},
		{"ten years later, the longest duration of the contract", "UTC", "2026-01-31T00:00:00Z", 120, "2036-01-31T00:00:00Z"},
		{"31 January is clamped to the end of February", "UTC", "2026-01-31T09:00:00Z", 1, "2026-02-28T09:00:00Z"},
		{"31 January is clamped to the leap day", "UTC", "2028-01-31T09:00:00Z", 1, "2028-02-29T09:00:00Z"},
		{"29 January is not clamped in a leap year", "UTC", "2028-01-29T09:00:00Z", 1, "2028-02-29T09:00:00Z"},
		{"a leap day is clamped a year later", "UTC", "2028-02-29T09:00:00Z", 12, "2029-02-28T09:00:00Z"},
		{"a leap day is a leap day four years later", "UTC", "2028-02-29T09:00:00Z", 48, "2032-02-29T09:00:00Z"},
		{"31 May is clamped to 30 June", "UTC", "2026-05-31T23:59:59.999999Z", 1, "2026-06-30T23:59:59.999999Z"},
		{"the clamp is for the day only: 28 February stays the 28th", "UTC", "2026-02-28T09:00:00Z", 1, "2026-03-28T09:00:00Z"},

		{"noon stays noon over the start of summer time", "Europe/Berlin", "2026-03-15T11:00:00Z", 1, "2026-04-15T10:00:00Z"},
		{"noon stays noon over the end of summer time", "Europe/Berlin", "2026-10-15T10:00:00Z", 1, "2026-11-15T11:00:00Z"},
		{"noon stays noon over a whole year", "America/New_York", "2026-07-04T16:00:00Z", 12, "2027-07-04T16:00:00Z"},
		{"the day is the zone's, not UTC's, east", "Asia/Tokyo", "2026-01-30T15:00:00Z", 1, "2026-02-27T15:00:00Z"},
		{"the day is the zone's, not UTC's, west", "America/Los_Angeles", "2026-02-01T07:59:59Z", 1, "2026-03-01T07:59:59Z"},
		{"the same instant in UTC is another day", "UTC", "2026-01-30T15:00:00Z", 1, "2026-02-28T15:00:00Z"},
		{"half an hour of summer time", "Australia/Lord_Howe", "2026-03-20T13:00:00Z", 1, "2026-04-20T13:30:00Z"},
		{"fourteen hours ahead", "Pacific/Kiritimati", "2026-01-30T10:00:00Z", 1, "2026-02-27T10:00:00Z"},
		{"a last day of March whose midnight does not exist", "Atlantic/Azores", "2019-01-31T13:00:00Z", 2, "2019-03-31T12:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := calendar.AddMonths(at(t, c.from), c.months, zone(t, c.zone))
			if !got.Equal(at(t, c.want)) || got.Location() != time.UTC {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339Nano), c.want)
			}
		})
	}
}

// TestAddMonthsIntoAGap: half past two does not exist on the day on which clocks go forward, and the time package does not
// say which side of the gap it takes. Either is within an hour of the change.
func TestAddMonthsIntoAGap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, from, change string }{
		{"America/New_York", "2026-01-08T07:30:00Z", "2026-03-08T07:00:00Z"},
		{"Europe/Berlin", "2026-01-29T01:30:00Z", "2026-03-29T01:00:00Z"},
		{"Atlantic/Azores", "2019-01-31T01:00:00Z", "2019-03-31T01:00:00Z"},
	} {
		got := calendar.AddMonths(at(t, c.from), 2, zone(t, c.zone))
		if d := got.Sub(at(t, c.change)).Abs(); d > time.Hour {
			t.Errorf("%s: got %s, %s away from the change", c.zone, got, d)
		}
	}
}

// someTime draws a time of the contract's range, in whole microseconds.
func someTime(t *rapid.T, label string) time.Time {
	first, last := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	return time.UnixMicro(rapid.Int64Range(first.UnixMicro(), last.UnixMicro()).Draw(t, label)).UTC()
}

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati",
	"Pacific/Pago_Pago", "Atlantic/Azores", "America/Sao_Paulo", "Pacific/Apia",
}

func TestAddMonthsKeepsTheDayOrClampsIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		loc := zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))
		from, months := someTime(rt, "from"), rapid.IntRange(0, 120).Draw(rt, "months")
		y, m, d := from.In(loc).Date()
		noon := time.Date(y, m, d, 12, 0, 0, 0, loc) // no zone changes its clocks at noon
		got := calendar.AddMonths(noon, months, loc).In(loc)
		first := time.Date(y, m+time.Month(months), 1, 12, 0, 0, 0, time.UTC)
		length := first.AddDate(0, 1, -1).Day()
		if got.Year() != first.Year() || got.Month() != first.Month() || got.Day() != min(d, length) || got.Hour() != 12 {
			rt.Fatalf("%d months after %s: %s", months, noon, got)
		}
	})
}

func TestAddMonthsInUTCNeverSwapsTwoTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := someTime(t, "a"), someTime(t, "b")
		months := rapid.IntRange(0, 120).Draw(t, "months")
		if a.After(b) {
			a, b = b, a
		}
		// Two days at the end of a month may be clamped to one, so only days that are not clamped keep their order to the hour.
		if a.Day() > 28 || b.Day() > 28 {
			a, b = a.Truncate(24*time.Hour), b.Truncate(24*time.Hour)
		}
		if calendar.AddMonths(a, months, time.UTC).After(calendar.AddMonths(b, months, time.UTC)) {
			t.Fatalf("%s and %s changed places", a, b)
		}
		if months > 0 && !calendar.AddMonths(a, months, time.UTC).After(a) {
			t.Fatal("a duration without a length")
		}
	})
}

func TestDay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, zone, at, want string }{
		{"UTC", "UTC", "2026-01-10T23:59:59.999999Z", "2026-01-10T00:00:00Z"},
		{"midnight begins a day", "UTC", "2026-01-11T00:00:00Z", "2026-01-11T00:00:00Z"},
		{"ahead of UTC it is tomorrow", "Pacific/Kiritimati", "2026-01-10T10:00:00Z", "2026-01-11T00:00:00Z"},
		{"behind UTC it is yesterday", "Pacific/Pago_Pago", "2026-01-10T10:59:59Z", "2026-01-09T00:00:00Z"},
		{"the last moment of the day with 23 hours", "Europe/Berlin", "2026-03-29T21:59:59Z", "2026-03-29T00:00:00Z"},
		{"the day after it", "Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-30T00:00:00Z"},
		{"the first hour of two with one name", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z"},
		{"the second hour of two with one name", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z"},
		{"the last moment of the day with 25 hours", "Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-25T00:00:00Z"},
		{"Samoa had no 30 December 2011: before", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T00:00:00Z"},
		{"Samoa had no 30 December 2011: after", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := calendar.Day(at(t, c.at), zone(t, c.zone)); !got.Equal(at(t, c.want)) || got.Location() != time.UTC {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDaysFollowTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		loc := zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))
		v := someTime(rt, "at")
		day := calendar.Day(v, loc)
		if h, m, s := day.Clock(); h+m+s+day.Nanosecond() != 0 {
			rt.Fatalf("%s is no midnight", day)
		}
		if next := calendar.Day(v.Add(time.Hour), loc); next.Before(day) {
			rt.Fatalf("an hour after %s the day went back from %s to %s", v, day, next)
		}
		if d := day.Sub(v); d < -38*time.Hour || d > 14*time.Hour {
			rt.Fatalf("%s is the day of %s", day, v)
		}
	})
}
