package server

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

const (
	longestPointer = 200
	longestMessage = 400
)

// explain lists what the validator found: where, and what the contract wants there. Neither the value nor the schema is shown.
func explain(err error) []problem.FieldError {
	switch e := err.(type) {
	case nil:
		return nil
	case openapi3.MultiError:
		var faults []problem.FieldError
		for _, inner := range e {
			faults = append(faults, explain(inner)...)
		}
		return faults
	case parameterError:
		at := e.parameter.in + ":" + e.parameter.name
		faults := explain(e.err)
		for i := range faults {
			faults[i].Pointer = at
		}
		return faults
	case *openapi3.SchemaError:
		return []problem.FieldError{{Pointer: pointerOf(e), Message: shorten(messageOf(e), longestMessage)}}
	default:
		switch {
		case errors.Is(err, errNotInteger), errors.Is(err, errNotBoolean), errors.Is(err, errNotText):
			return []problem.FieldError{{Message: err.Error()}}
		}
		return []problem.FieldError{{Message: "does not meet the contract"}}
	}
}

func pointerOf(e *openapi3.SchemaError) string {
	var b strings.Builder
	for _, step := range e.JSONPointer() {
		b.WriteString("/" + escapePointer(step))
	}
	if e.SchemaField == "properties" {
		// The validator points at the object; the unknown name is in its reason only, quoted.
		if quoted := strings.TrimSuffix(strings.TrimPrefix(e.Reason, "property "), " is unsupported"); quoted != e.Reason {
			if name, err := strconv.Unquote(quoted); err == nil {
				b.WriteString("/" + escapePointer(name))
			}
		}
	}
	return shorten(b.String(), longestPointer)
}

// messageOf says what the contract wants, in words that stay the same whatever the validator's wording is.
func messageOf(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "required":
		return "is required"
	case "properties":
		return "is not a known property"
	case "readOnly":
		return "cannot be set"
	case "nullable":
		return "must not be null"
	case "type":
		return "must be " + article(s.Type)
	case "format":
		if m, ok := formatNames[s.Format]; ok {
			return m
		}
		return "must be of format " + s.Format
	case "enum":
		return "must be one of " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(s.Enum)), ", "), "[]")
	case "pattern":
		return "must match " + s.Pattern
	case "minLength":
		return fmt.Sprintf("must have at least %d characters", s.MinLength)
	case "maxLength":
		return fmt.Sprintf("must have at most %d characters", *s.MaxLength)
	case "minItems":
		return fmt.Sprintf("must have at least %d items", s.MinItems)
	case "maxItems":
		return fmt.Sprintf("must have at most %d items", *s.MaxItems)
	case "uniqueItems":
		return "must not hold an item twice"
	case "minProperties":
		return fmt.Sprintf("must have at least %d properties", s.MinProps)
	case "maxProperties":
		return fmt.Sprintf("must have at most %d properties", *s.MaxProps)
	case "minimum":
		return fmt.Sprintf("must be at least %d", int64(*s.Min))
	case "maximum":
		return fmt.Sprintf("must be at most %d", int64(*s.Max))
	default:
		return "does not meet the contract"
	}
}

func article(types *openapi3.Types) string {
	switch kind := types.Slice()[0]; kind {
	case openapi3.TypeObject, openapi3.TypeArray, openapi3.TypeInteger:
		return "an " + kind
	default:
		return "a " + kind
	}
}

// onlyAmounts reports whether all that is wrong is the size of amounts, which has a code of its own. The contract marks the
// schemas with x-problem.
func onlyAmounts(err error) bool {
	switch e := err.(type) {
	case openapi3.MultiError:
		for _, inner := range e {
			if !onlyAmounts(inner) {
				return false
			}
		}
		return len(e) > 0
	case *openapi3.SchemaError:
		outOfBounds := e.SchemaField == "minimum" || e.SchemaField == "maximum"
		return outOfBounds && e.Schema.Extensions["x-problem"] == string(problem.AmountNotAllowed.Code)
	default:
		return false
	}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(name string) string { return pointerEscapes.Replace(name) }

func indexPointer(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// shorten cuts at a character's border, so that what a caller sent cannot blow up what it gets.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
