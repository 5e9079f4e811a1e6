package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/problem"
)

var noPrograms = api.ListPrograms200JSONResponse{
	Body: api.ProgramPage{Data: []api.Program{}, NextCursor: nullable.NewNullNullable[string]()},
}

// Every protected operation of the contract, asked without credentials and with wrong ones.
func TestEveryProtectedOperationNeedsAKey(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	seen := 0
	for route, op := range b.server.operations {
		_, path, _ := strings.Cut(route, " ")
		for segment := range strings.SplitSeq(path, "/") {
			if strings.HasPrefix(segment, ":") {
				path = strings.Replace(path, segment, "0190a000-0000-7000-8000-000000000000", 1)
			}
		}
		if op.open() {
			continue
		}
		seen++
		res, body := b.ask(op.method, path, "")
		b.expect(op.id+" without a key", res, body, http.StatusUnauthorized, "unauthenticated")
		res, body = b.ask(op.method, path, `{"not":`, bearerOf("gv_live_sk_wrong"), "Content-Type: text/plain")
		b.expect(op.id+" with a wrong key", res, body, http.StatusUnauthorized, "unauthenticated")
	}
	if seen < 70 || b.stub.calls != 0 || b.loadCount() != 0 {
		t.Errorf("%d operations, %d handler calls, %d look-ups", seen, b.stub.calls, b.loadCount())
	}
}

func TestPathsHaveOneSpelling(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := bearerOf(b.secret("programs:read", "programs:write", "codes:write"))
	id := "0190a000-0000-7000-8000-000000000000"
	for target, status := range map[string]int{
		"/v1/programs/": 404, "//v1/programs": 404, "/v1//programs": 404, "/v1/programs/" + id + "/": 404,
		"/v1%2Fprograms": 404, "/v1/programs%2f" + id: 404, "/v1/programs/" + id + "%2factivate": 404,
		"/v1/./programs": 404, "/v1/x/../programs": 404, "/v1/x/%2e%2e/programs": 404, "/v1/%2E/programs": 404,
		"/V1/programs": 404, "/v1/Programs": 404, "/v1/programs;a=b": 404, "/v1/programs/" + id + ";v=1": 404,
		"/v1/program%73": 404, "/v1/programs/" + id + "/extra": 404, "/v1/programs/" + id + "/versions/" + id + "/x": 404,
		"/v1/programs/not-a-uuid": 404, "/v1/programs/%00": 404, "/v1/programs/%ff": 404, "/": 404, "/v2/programs": 404,
		"/v1/programs/{" + id + "}": 404, "/v1/programs/urn:uuid:" + id: 404, "/v1/programs/" + strings.ReplaceAll(id, "-", ""): 404,
		"/docs/nothing": 404, "/docs/../livez": 404, "/metrics/": 404, "/index.html": 404,
	} {
		res, body := b.ask("GET", target, "", key)
		b.expect(target, res, body, status, "not_found")
	}
	if b.stub.calls != 0 {
		t.Errorf("%d handler calls", b.stub.calls)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := bearerOf(b.secret("programs:read", "codes:write"))
	for _, c := range []struct{ method, target, allow string }{
		{"DELETE", "/v1/programs", "GET, HEAD, POST"},
		{"OPTIONS", "/v1/programs", "GET, HEAD, POST"},
		{"TRACE", "/v1/programs", "GET, HEAD, POST"},
		{"BREW", "/v1/programs", "GET, HEAD, POST"},
		{"GET", "/v1/codes/lookup/x", ""},
		{"PUT", "/v1/programs/0190a000-0000-7000-8000-000000000000/activate", "POST"},
		{"POST", "/docs", "GET, HEAD"},
		{"POST", "/openapi.json", "GET, HEAD"},
		{"OPTIONS", "/nothing", ""},
		{"POST", "/docs/init.js", ""},
	} {
		res, body := b.ask(c.method, c.target, "", key, "X-HTTP-Method-Override: GET", "X-Method-Override: GET", "X-HTTP-Method: GET")
		if c.allow == "" {
			b.expect(c.method+" "+c.target, res, body, http.StatusNotFound, "not_found")
			continue
		}
		b.expect(c.method+" "+c.target, res, body, http.StatusMethodNotAllowed, "method_not_allowed")
		if got := res.Header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.target, got, c.allow)
		}
	}
}

func TestTheDocumentsAreServed(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	for target, media := range map[string]string{
		"/livez": "application/json", "/readyz": "application/json", "/metrics": "text/plain", "/openapi.json": "application/json",
		"/openapi.yaml": "application/yaml", "/docs": "text/html", "/docs/problems": "text/html",
	} {
		res, body := b.ask("GET", target, "")
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), media) || body == "" {
			t.Errorf("%s: %d %s, %d bytes", target, res.StatusCode, res.Header.Get("Content-Type"), len(body))
		}
		res, body = b.ask("HEAD", target, "")
		if res.StatusCode != 200 || body != "" {
			t.Errorf("HEAD %s: %d, %d bytes", target, res.StatusCode, len(body))
		}
	}
	_, text := b.ask("GET", "/metrics", "")
	if !strings.Contains(text, `grapevine_http_requests_total{method="GET",operation="getLiveness",status="2xx"} 1`) {
		t.Errorf("metrics:\n%s", text)
	}
}

func TestFailuresOfHandlers(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := bearerOf(b.secret("programs:read", "rewards:read", "codes:write"))
	id := "0190a000-0000-7000-8000-000000000000"
	res, body := b.ask("GET", "/v1/programs/"+id, "", key)
	b.expect("an answer of nothing", res, body, 500, "internal")
	res, body = b.ask("GET", "/v1/rewards/"+id, "", key)
	b.expect("a panic", res, body, 500, "internal")
	for err, want := range map[error]int{
		problem.Conflict.With("x"): 409, errors.New("SELECT ada@example.com"): 500, context.DeadlineExceeded: 503,
		problem.OutcomeUnknown: 503, problem.RateLimited.After(1500 * time.Millisecond): 429,
	} {
		b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
			return nil, err
		}
		if want == 409 {
			continue // not among this operation's answers
		}
		res, body = b.ask("GET", "/v1/programs", "", key)
		b.expect(err.Error(), res, body, want, "")
		if strings.Contains(body, "SELECT") || want == 429 && res.Header.Get("Retry-After") != "2" {
			t.Errorf("%v: %v %s", err, res.Header, body)
		}
	}
	if logs := b.logs.String(); strings.Contains(logs, "planted") || !strings.Contains(logs, `"msg":"panic"`) {
		t.Errorf("logs:\n%s", logs)
	}
}

func TestLogsHoldNoQueryNoPathAndNoKey(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := b.secret("participants:read")
	b.ask("GET", "/v1/participants?external_id=lovelace%40example.com", "", bearerOf(key), "User-Agent: planted-agent", "X-Request-Id: planted-id")
	b.ask("GET", "/v1/planted-path", "", bearerOf(key+"x"), "Cookie: planted=1")
	var logs string
	eventually(t, func() bool { // an answer arrives before its line
		logs = b.logs.String()
		return strings.Count(logs, `"msg":"request"`) == 2
	})
	for _, secret := range []string{"lovelace", "planted", key, key[20:60]} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %q:\n%s", secret, logs)
		}
	}
	if !strings.Contains(logs, `"operation":"listParticipants"`) || !strings.Contains(logs, `"request_id"`) {
		t.Errorf("the log lacks the request:\n%s", logs)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.MaxInFlight = 1 })
	key := bearerOf(b.secret("programs:read"))
	entered, leave := make(chan struct{}), make(chan struct{})
	b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		close(entered)
		<-leave
		return noPrograms, nil
	}
	first := make(chan int)
	go func() {
		res, _ := b.ask("GET", "/v1/programs", "", key)
		first <- res.StatusCode
	}()
	<-entered
	res, body := b.ask("GET", "/v1/programs", "", key)
	b.expect("the second", res, body, 503, "overloaded")
	res, body = b.ask("GET", "/livez", "")
	b.expect("a probe meanwhile", res, body, 200, "")
	close(leave)
	if status := <-first; status != 200 {
		t.Errorf("the first: %d", status)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.RateLimit = Rate{PerSecond: 1, Burst: 3} })
	b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		return noPrograms, nil
	}
	key, other := bearerOf(b.secret("programs:read")), bearerOf(b.secret("programs:read"))
	for i, want := range []int{200, 422, 200, 429, 429} {
		target := "/v1/programs"
		if want == 422 {
			target += "?limit=0" // what is refused costs as well
		}
		res, body := b.ask("GET", target, "", key)
		b.expect("request "+string(rune('0'+i)), res, body, want, "")
		if res.Header.Get("RateLimit-Policy") != `"key";q=3;w=3` || !strings.HasPrefix(res.Header.Get("RateLimit"), `"key";r=`) {
			t.Errorf("headers %v", res.Header)
		}
	}
	if res, body := b.ask("GET", "/v1/programs", "", other); res.StatusCode != 200 {
		t.Errorf("another key pays for the first: %s", body)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.DrainDelay = 2 * time.Second }) // readiness is asked over a new connection
	key := bearerOf(b.secret("programs:read"))
	entered, leave := make(chan struct{}), make(chan struct{})
	b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		close(entered)
		<-leave
		return noPrograms, nil
	}
	running := make(chan int)
	go func() {
		res, _ := b.ask("GET", "/v1/programs", "", key)
		running <- res.StatusCode
	}()
	<-entered
	b.stop()
	eventually(t, b.server.draining.Load)
	res, body := b.ask("GET", "/readyz", "")
	b.expect("readiness while draining", res, body, 503, "unavailable")
	eventually(t, func() bool { // the delay is over
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(leave)
	if status := <-running; status != 200 {
		t.Errorf("the running request: %d", status)
	}
	if err := <-b.done; err != nil {
		t.Error(err)
	}
	b.done <- nil
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.MaxConnections, o.ReadHeaderTimeout = 2, 300*time.Millisecond })
	begun := time.Now()
	for range 2 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	// Connections are accepted in the order in which they came, so that this one waits until the first is given up.
	answers, _, _ := b.raw(1, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	if len(answers) != 1 || time.Since(begun) < 300*time.Millisecond {
		t.Errorf("%d answers after %v, while two silent connections were open", len(answers), time.Since(begun))
	}
}

func TestTheAccessLogIsBounded(t *testing.T) {
	t.Parallel()
	var budget logBudget
	now, lines := time.Unix(1000, 0), 0
	for range 5000 {
		if budget.allow(now) {
			lines++
		}
	}
	if lines != mostLogLines || !budget.allow(now.Add(time.Second)) {
		t.Errorf("%d lines", lines)
	}
}
