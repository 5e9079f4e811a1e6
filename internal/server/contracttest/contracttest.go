// Package contracttest holds HTTP exchanges of tests against the contract, so that every test of the server is a contract test.
// It reads the contract with kin-openapi's own filter, not with the server's code: the two must agree.
package contracttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/grapevine-referrals/grapevine/gen"
)

// Transport fails the test when an answer is not one that the contract allows, and, with Requests, when a request is not.
type Transport struct {
	TB       testing.TB
	Base     http.RoundTripper // nil: http.DefaultTransport
	Requests bool              // false for tests of bad requests
}

// statuses that come from before or beside the operations, so that the contract does not list them with each of them.
var edgeStatuses = map[int]bool{
	http.StatusNotFound: true, http.StatusMethodNotAllowed: true, http.StatusRequestEntityTooLarge: true,
	http.StatusRequestURITooLong: true, http.StatusRequestHeaderFieldsTooLarge: true,
}

type contract struct {
	doc    *openapi3.T
	router routers.Router
}

var load = sync.OnceValues(func() (contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(gen.OpenAPIJSON)
	if err != nil {
		return contract{}, err
	}
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	openapi3.DefineStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562))
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	return contract{doc, router}, err
})

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.TB.Helper()
	c, err := load()
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	var sent []byte
	if r.Body != nil && r.Body != http.NoBody {
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	res, err := base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := t.check(r.Context(), c, r, sent, res, body); err != nil {
		t.TB.Errorf("%s %s answered %d against the contract: %v\n%s", r.Method, r.URL.Path, res.StatusCode, err, shorten(body))
	}
	return res, nil
}

func (t Transport) check(ctx context.Context, c contract, r *http.Request, sent []byte, res *http.Response, body []byte) error {
	if r.Method == http.MethodHead || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := checkProblem(c.doc, res, body); err != nil {
		return err
	}
	if res.Header.Get("X-Request-Id") == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Server") != "" {
		return fmt.Errorf("the common headers are wrong: %v", res.Header)
	}
	ask := r.Clone(ctx)
	ask.Body = io.NopCloser(bytes.NewReader(sent))
	ask.RequestURI = r.URL.RequestURI()
	route, parameters, err := c.router.FindRoute(ask)
	if err != nil {
		if res.StatusCode < 400 && !strings.HasPrefix(r.URL.Path, "/docs") {
			return fmt.Errorf("the contract has no such operation: %w", err)
		}
		return nil
	}
	input := &openapi3filter.RequestValidationInput{
		Request: ask, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true,
		},
	}
	if t.Requests {
		if err := openapi3filter.ValidateRequest(ctx, input); err != nil {
			return fmt.Errorf("the request itself: %w", err)
		}
	}
	if edgeStatuses[res.StatusCode] && route.Operation.Responses.Status(res.StatusCode) == nil {
		return nil
	}
	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: res.StatusCode, Header: res.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
}

// checkProblem holds every refusal, inside or outside the contract's operations, to the one shape that refusals have.
func checkProblem(doc *openapi3.T, res *http.Response, body []byte) error {
	if res.StatusCode < 400 {
		return nil
	}
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("a refusal has the media type %q", got)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		return fmt.Errorf("a refusal has Cache-Control %q", got)
	}
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil {
		return fmt.Errorf("a refusal is no JSON object: %w", err)
	}
	if err := doc.Components.Schemas["Problem"].Value.VisitJSON(document, openapi3.VisitAsResponse()); err != nil {
		return err
	}
	replayed := res.Header.Get("Idempotent-Replayed") == "true" // byte for byte the first answer, which names the first request
	if document["request_id"] != res.Header.Get("X-Request-Id") && !replayed || document["status"] != float64(res.StatusCode) {
		return fmt.Errorf("request_id or status of the refusal differ from its headers")
	}
	for status, header := range map[int]string{401: "Www-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"} {
		if res.StatusCode == status && res.Header.Get(header) == "" {
			return fmt.Errorf("a %d lacks the header %s", status, header)
		}
	}
	return nil
}

func shorten(b []byte) []byte { return b[:min(len(b), 2000)] }
