package landing

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// mostValue bounds a campaign parameter, in characters.
const mostValue = 200

// email is what looks like an address of a person: campaign parameters are stored and passed on, and people's addresses have no
// business there.
var email = regexp.MustCompile(`[^\s@]+@[^\s@]+\.[^\s@]+`)

// Tidy gives the campaign parameters as they may be stored and passed on: readable text of bounded length. A value that holds an
// e-mail address is dropped.
func (c Campaign) Tidy() Campaign {
	if c == (Campaign{}) {
		return c
	}
	return Campaign{Source: tidy(c.Source), Medium: tidy(c.Medium), Name: tidy(c.Name), Term: tidy(c.Term), Content: tidy(c.Content)}
}

func tidy(value string) string {
	value = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(value, ""))
	if holdsEmail(value) {
		return ""
	}
	if runes := []rune(value); len(runes) > mostValue {
		value = string(runes[:mostValue])
	}
	return strings.TrimSpace(value)
}

// holdsEmail looks beneath all layers of escapes.
func holdsEmail(value string) bool {
	for {
		if email.MatchString(strings.ReplaceAll(value, "%40", "@")) {
			return true
		}
		decoded, err := url.QueryUnescape(value)
		if err != nil || decoded == value {
			return false
		}
		value = decoded
	}
}
