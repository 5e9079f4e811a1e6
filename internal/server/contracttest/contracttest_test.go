package contracttest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
)

// recorder is a testing.TB that remembers failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// The checker is worth something only if it fails on answers that are wrong.
func TestWrongAnswersFail(t *testing.T) {
	t.Parallel()
	const refusal = `{"type":"/docs/problems#not_found","title":"T","status":404,"code":"not_found","detail":"D","request_id":"r"}`
	const page = `{"data":[],"next_cursor":null,"has_more":false}`
	type answer struct {
		status       int
		media        string
		body         string
		path, header string
		ok           bool
	}
	for name, a := range map[string]answer{
		"a good page":                     {200, "application/json", page, "/v1/programs", "", true},
		"a property missing":              {200, "application/json", `{"data":[],"has_more":false}`, "/v1/programs", "", false},
		"a wrong type":                    {200, "application/json", strings.Replace(page, "false", `"no"`, 1), "/v1/programs", "", false},
		"another media type":              {200, "text/html", page, "/v1/programs", "", false},
		"a status of no answer":           {299, "application/json", page, "/v1/programs", "", false},
		"an operation of no contract":     {200, "application/json", page, "/v1/nothing", "", false},
		"a good refusal":                  {404, "application/problem+json", refusal, "/v1/nothing", "", true},
		"a refusal as JSON":               {404, "application/json", refusal, "/v1/nothing", "", false},
		"a refusal that may be cached":    {404, "application/problem+json", refusal, "/v1/nothing", "Cache-Control: public", false},
		"a refusal of another request":    {404, "application/problem+json", strings.Replace(refusal, `"r"`, `"x"`, 1), "/v1/nothing", "", false},
		"an unknown code":                 {404, "application/problem+json", strings.Replace(refusal, `"not_found",`, `"nope",`, 1), "/v1/nothing", "", false},
		"a status that differs":           {405, "application/problem+json", refusal, "/v1/nothing", "", false},
		"401 without WWW-Authenticate":    {401, "application/problem+json", strings.Replace(refusal, "404", "401", 1), "/v1/programs", "", false},
		"no request id":                   {200, "application/json", page, "/v1/programs", "X-Request-Id: ", false},
		"the name of the server":          {200, "application/json", page, "/v1/programs", "Server: x", false},
		"sniffing allowed":                {200, "application/json", page, "/v1/programs", "X-Content-Type-Options: ", false},
		"a status that is not its path's": {409, "application/problem+json", strings.Replace(strings.ReplaceAll(refusal, "not_found", "conflict"), "404", "409", 1), "/v1/programs", "", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", a.media)
			h.Set("Cache-Control", "no-store")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Request-Id", "r")
			if name, value, ok := strings.Cut(a.header, ": "); ok {
				h.Set(name, value)
			}
			w.WriteHeader(a.status)
			_, _ = w.Write([]byte(a.body))
		}))
		seen := &recorder{TB: t}
		res, err := (&http.Client{Transport: contracttest.Transport{TB: seen}}).Get(server.URL + a.path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		server.Close()
		if a.ok != (len(seen.failures) == 0) {
			t.Errorf("%s: failures %v", name, seen.failures)
		}
	}
}

func TestWrongRequestsFail(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	seen := &recorder{TB: t}
	res, err := (&http.Client{Transport: contracttest.Transport{TB: seen, Requests: true}}).Get(server.URL + "/v1/programs?limit=0")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if len(seen.failures) == 0 {
		t.Error("a request outside the contract passes")
	}
}
