package server

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

// What texts may hold. The contract's patterns decide for identifiers and codes, and they refuse what cannot be seen. Names are
// for people: they are brought to the normal form NFC, and characters that only direct or hide other text are taken out before
// the contract is asked, so that two names that look alike are alike and no name reverses the page it is shown on. Joiners stay,
// since scripts and emoji need them. Control characters are refused, never repaired.
var nameProperties = map[string]bool{"name": true, "display_name": true}

const (
	longestName         = 4096 // bytes; longer ones are left for the contract to refuse
	longestMetadataName = 64   // characters; the contract cannot say this of names
)

// tidy walks the document, cleans names in place and gives the faults that a schema cannot express.
func tidy(v any, pointer string, faults []problem.FieldError) []problem.FieldError {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			at := pointer + "/" + escapePointer(name)
			if s, ok := member.(string); ok && nameProperties[name] {
				v[name] = cleanName(s)
			}
			if object, ok := member.(map[string]any); ok && name == "metadata" {
				faults = checkMetadataNames(object, at, faults)
			}
			faults = tidy(member, at, faults)
		}
	case []any:
		for i, item := range v {
			faults = tidy(item, indexPointer(pointer, i), faults)
		}
	case json.Number:
		if strings.Contains(v.String(), ".") {
			faults = append(faults, problem.FieldError{Pointer: pointer, Message: "must be a whole number"})
		}
	}
	return faults
}

func cleanName(s string) string {
	if len(s) > longestName {
		return s
	}
	return norm.NFC.String(strings.TrimSpace(strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)))
}

// invisible reports characters that change how other text looks and show nothing themselves: direction marks and overrides,
// zero-width spaces, soft hyphens, fillers, tags, line and paragraph separators. The joiners U+200C and U+200D are none of them.
func invisible(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d' || unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case r == '\u034f' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0':
		return true
	default:
		return r > 0xa0 && unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
	}
}

func checkMetadataNames(object map[string]any, pointer string, faults []problem.FieldError) []problem.FieldError {
	for name := range object {
		long := utf8.RuneCountInString(name) > longestMetadataName
		if name == "" || long || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || invisible(r) }) {
			faults = append(faults, problem.FieldError{
				Pointer: pointer, Message: "names must have 1 to 64 characters, all of them visible",
			})
			break
		}
	}
	return faults
}
