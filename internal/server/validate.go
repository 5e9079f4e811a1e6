package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

var visitOptions = []openapi3.SchemaValidationOption{
	openapi3.VisitAsRequest(), openapi3.MultiErrors(), openapi3.EnableFormatValidation(),
	openapi3.WithStringFormatValidators(formats), openapi3.DefaultsSet(func() {}),
}

// visit checks a value against a schema of the contract and fills in the defaults of the body's properties.
func visit(s *openapi3.Schema, v any) error { return s.VisitJSON(v, visitOptions...) }

// validate holds the request against the contract: path, headers, query, body. What cannot be read is 400, what reads and is not
// allowed is 422, and a path that no resource can have is 404 like any other unknown one.
func validate(c echo.Context, req *request) error {
	if err := readPath(c, req); err != nil {
		return err
	}
	faults, err := readQuery(c, req)
	if err != nil {
		return err
	}
	if err := checkHeaders(c.Request().Header, req.op); err != nil {
		return err
	}
	if !req.hasBody {
		return refusal(faults, nil)
	}
	faults = tidy(req.body, "", faults)
	slices.SortFunc(faults, func(a, b problem.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
	return refusal(faults, visit(req.op.body, req.body))
}

func readPath(c echo.Context, req *request) error {
	req.path = make(map[string]string, len(c.ParamNames()))
	for _, p := range req.op.parameters {
		if p.in != openapi3.ParameterInPath {
			continue
		}
		raw := c.Param(p.name)
		if strings.Contains(raw, "/") {
			return problem.NotFound // Echo lets the last parameter of a route swallow further segments
		}
		value := raw
		if c.Request().URL.RawPath != "" {
			value, _ = url.PathUnescape(raw) // net/url has already refused bad escapes
		}
		if !readable(value) {
			return problem.NotFound
		}
		if visit(p.schema, value) != nil {
			return problem.NotFound
		}
		req.path[p.name] = value
	}
	return nil
}

// readable is what can be stored and compared at all: text in UTF-8 without the NUL character.
func readable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// readQuery fills req.query. Where links of other people's making arrive, unknown parameters are ignored and unusable ones
// dropped: a visitor must not pay for a tracker's suffix.
func readQuery(c echo.Context, req *request) ([]problem.FieldError, error) {
	raw := url.Values{}
	var err error
	if query := c.Request().URL.RawQuery; query != "" {
		raw, err = url.ParseQuery(query)
	}
	if err != nil && !req.op.open() {
		return nil, problem.MalformedRequest.With("The query is not well-formed.")
	}
	req.query = url.Values{}
	var faults []problem.FieldError
	for _, p := range req.op.parameters {
		if p.in != openapi3.ParameterInQuery {
			continue
		}
		values, present := raw[p.name]
		delete(raw, p.name)
		switch {
		case !present && p.required:
			faults = append(faults, problem.FieldError{Pointer: "query:" + p.name, Message: "is required"})
		case !present:
		case req.op.open():
			if p.check(values[0]) == nil {
				req.query.Set(p.name, values[0])
			}
		case len(values) > 1 || !readable(values[0]):
			return nil, problem.MalformedRequest.With("The query parameter " + p.name + " is repeated or not readable.")
		default:
			if err := p.check(values[0]); err != nil {
				faults = append(faults, explain(parameterError{p, err})...)
				continue
			}
			req.query.Set(p.name, values[0])
		}
	}
	if len(raw) > 0 && !req.op.open() {
		return nil, problem.MalformedRequest.With("The query has parameters that this operation does not know.")
	}
	if c.Request().URL.RawQuery != "" {
		replaceQuery(c, req.query)
	}
	return faults, nil
}

// replaceQuery lets the generated code see what was validated and nothing else.
func replaceQuery(c echo.Context, query url.Values) {
	seen := c.QueryParams() // Echo's own copy, which the generated code reads
	clear(seen)
	for name, values := range query {
		seen[name] = values
	}
}

// check holds the text of a parameter against its schema.
func (p parameter) check(text string) error {
	var value any = text
	switch p.kind {
	case openapi3.TypeInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != text {
			return errNotInteger
		}
		value = json.Number(text)
	case openapi3.TypeBoolean:
		if text != "true" && text != "false" {
			return errNotBoolean
		}
		value = text == "true"
	}
	if !readable(text) {
		return errNotText
	}
	return visit(p.schema, value)
}

var (
	errNotInteger = errors.New("must be an integer")
	errNotBoolean = errors.New("must be true or false")
	errNotText    = errors.New("must be text in UTF-8")
)

// parameterError says which parameter did not meet its schema.
type parameterError struct {
	parameter parameter
	err       error
}

func (e parameterError) Error() string { return e.parameter.in + " parameter " + e.parameter.name }

func checkHeaders(h http.Header, op *operation) error {
	for _, p := range op.parameters {
		if p.in != openapi3.ParameterInHeader {
			continue
		}
		values := h[p.name]
		switch {
		case op.open():
		case len(values) > 1:
			return problem.MalformedRequest.With("The header " + p.name + " is repeated.")
		case len(values) == 0 || values[0] == "":
			if err := missingHeader(p); p.required {
				return err
			}
		case p.check(values[0]) != nil:
			return problem.MalformedRequest.With("The header " + p.name + " is not as the contract describes it.").
				WithErrors(explain(parameterError{p, p.check(values[0])}))
		}
	}
	return nil
}

func missingHeader(p parameter) error {
	switch p.name {
	case "Idempotency-Key":
		return problem.IdempotencyKeyMissing.With("Send an Idempotency-Key header of your own choice, 1 to 255 visible characters.")
	case "If-Match":
		return problem.PreconditionRequired.With("Send the ETag of the version that the change is based on as If-Match.")
	default:
		return problem.MalformedRequest.With("The header " + p.name + " is required.")
	}
}

// refusal turns everything that was found into one problem, or nil.
func refusal(faults []problem.FieldError, err error) error {
	code := problem.ValidationFailed
	if len(faults) == 0 && onlyAmounts(err) {
		code = problem.AmountNotAllowed
	}
	for _, fault := range explain(err) {
		if !slices.ContainsFunc(faults, func(f problem.FieldError) bool { return f.Pointer == fault.Pointer }) {
			faults = append(faults, fault)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	if len(faults) > problem.MostFaults {
		faults = faults[:problem.MostFaults]
	}
	detail := fmt.Sprintf("%s %s.", faults[0].Pointer, faults[0].Message)
	if more := len(faults) - 1; more > 0 {
		detail = fmt.Sprintf("%s There are %d more faults.", detail, more)
	}
	return code.With(detail).WithErrors(faults)
}
