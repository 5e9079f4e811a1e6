package server

import (
	"errors"
	"net/url"
	"regexp"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// formats are the string formats of the contract, checked as tightly as what stands behind them: PostgreSQL and Go disagree on
// years beyond 9999, offsets of a day and leap seconds, and no fact of a referral lies outside 2000 to 2100.
var formats = map[string]openapi3.StringFormatValidator{
	"uuid":      format(isUUID),
	"date-time": format(isTime),
	"date":      format(isDate),
	"uri":       format(isURI),
}

// formatNames says in a message what a format wants.
var formatNames = map[string]string{
	"uuid":      "must be a UUID",
	"date-time": "must be an RFC 3339 time with a zone, from 2000 to 2100",
	"date":      "must be a date as YYYY-MM-DD, from 2000 to 2100",
	"uri":       "must be an absolute URL",
}

var errFormat = errors.New("does not match")

type format func(string) bool

// Validate implements openapi3.StringFormatValidator.
func (f format) Validate(s string) error {
	if f(s) {
		return nil
	}
	return errFormat
}

var (
	uuidPattern = regexp.MustCompile(openapi3.FormatOfStringForUUIDOfRFC9562)
	timePattern = regexp.MustCompile(
		`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$`)

	earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func isUUID(s string) bool { return uuidPattern.MatchString(s) }

func isTime(s string) bool {
	if !timePattern.MatchString(s) {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, s) // knows the length of months, no 24:00 and no leap second
	return err == nil && inRange(t)
}

func isDate(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && inRange(t)
}

func inRange(t time.Time) bool { return !t.Before(earliest) && t.Before(latest) }

func isURI(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != ""
}
