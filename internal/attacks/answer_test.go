package attacks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

const operatorToken = servertest.OperatorToken

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    string
	doc     any
	queries int64 // statements sent meanwhile; of use only when nothing else runs
}

// text walks the body by a dotted path; what is missing, and null, is empty.
func (a answer) text(path string) string {
	v := a.doc
	for step := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return ""
			}
			v = at[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s", a.status, a.body[:min(len(a.body), 600)])
}

// client keeps connections open between requests, and follows no redirects.
var transport = &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}

// send sends a request and checks what must be true of every answer.
func (w *world) send(r request) answer {
	w.t.Helper()
	return w.sendBy(r, transport)
}

func (w *world) sendBy(r request, by http.RoundTripper) answer {
	w.t.Helper()
	text := r.text()
	req, err := http.NewRequestWithContext(w.t.Context(), r.method, w.server.URL+r.url(), strings.NewReader(text))
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.method, r.url(), err)
	}
	w.setHeaders(req, r, text)
	before := w.queries.n.Load()
	res, err := contracttest.Transport{TB: w.t, Base: by}.RoundTrip(req)
	if err != nil {
		w.t.Errorf("%s %s: %v", r.method, r.url(), err)
		return answer{}
	}
	a := read(res)
	a.queries = w.queries.n.Load() - before
	for _, fault := range w.always(r, text, a) {
		w.t.Errorf("%s %s: %s", r.method, r.url()[:min(len(r.url()), 200)], fault)
	}
	return a
}

func (w *world) setHeaders(req *http.Request, r request, text string) {
	if key := w.credential(r.as); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if text != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range r.headers {
		name, value, _ := strings.Cut(line, ": ")
		name, add := strings.CutPrefix(name, "+")
		name = strings.TrimSuffix(name, ":")
		switch {
		case name == "Host":
			req.Host = value
		case add:
			req.Header.Add(name, value)
		case value == "" && !strings.HasSuffix(line, ": "):
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
}

func read(res *http.Response) answer {
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body) // what is cut shows in what is read
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&a.doc) // pages and redirects are no JSON
	return a
}

// must sends a request that has to succeed.
func (w *world) must(r request, status int) answer {
	w.t.Helper()
	a := w.send(r)
	if a.status != status {
		w.t.Fatalf("%s %s: %v, want %d; sent %s", r.method, r.url(), a, status, r.text())
	}
	return a
}

// always lists what is wrong with an answer whatever the request was.
func (w *world) always(r request, sent string, a answer) []string {
	out := refusalFaults(a)
	if r.as == "own" || r.as == "publishable" || r.as == "none" {
		for _, id := range uuidPattern.FindAllString(a.body+" "+a.header.Get("Location"), -1) {
			if w.foreign[id] && !strings.Contains(r.url()+sent, id) {
				out = append(out, fmt.Sprintf("shows the id %s of another workspace: %v", id, a))
			}
		}
	}
	first := r.op != nil && slices.Contains([]string{"createApiKey", "createWorkspace"}, r.op.id)
	if leaks := found(a.body, w.secrets()); len(leaks) > 0 && !first {
		out = append(out, fmt.Sprintf("shows %q: %v", leaks, a))
	}
	return out
}

// inside are words that only our own machinery would say.
var inside = regexp.MustCompile(`goroutine \d|\.go:\d|SQLSTATE|pgx|pgconn|\bSELECT\b|\bINSERT\b|violates|relation "|panic:|runtime error|internal/`)

// refusalFaults lists what is wrong with the shape of an answer, if it is a refusal.
func refusalFaults(a answer) []string {
	var out []string
	if a.status >= 500 && a.status != http.StatusServiceUnavailable {
		out = append(out, fmt.Sprintf("the server failed: %v", a))
	}
	if a.status < 400 {
		return out
	}
	if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Request-Id") == "" {
		out = append(out, fmt.Sprintf("a refusal has the headers %v", a.header))
	}
	if a.text("code") == "" || a.text("status") != strconv.Itoa(a.status) {
		out = append(out, fmt.Sprintf("a refusal is no problem document: %v", a))
	}
	if said := inside.FindString(a.body); said != "" {
		out = append(out, fmt.Sprintf("a refusal says %q: %v", said, a))
	}
	if a.header.Get("Server") != "" || a.header.Get("X-Powered-By") != "" {
		out = append(out, fmt.Sprintf("a refusal names the server: %v", a.header))
	}
	return out
}

// wanted is what must come back.
type wanted struct {
	status  []int
	code    string
	header  map[string]string
	matches string
	pointer string
}

func wantedOf(t try) wanted {
	out := wanted{code: t.Code, header: t.Header, matches: t.Matches}
	switch s := t.Status.(type) {
	case int:
		out.status = []int{s}
	case []any:
		for _, v := range s {
			n, _ := v.(int)
			out.status = append(out.status, n)
		}
	}
	return out
}

// faults lists in what an answer is not as wanted.
func (want wanted) faults(a answer) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !slices.Contains(want.status, a.status) || want.code != "" && a.status >= 400 && !slices.Contains(strings.Split(want.code, "|"), a.text("code")) {
		add("%v, want %v %s", a, want.status, want.code)
	}
	for name, pattern := range want.header {
		if len(a.header.Values(name)) > 1 {
			add("the header %s is repeated: %q", name, a.header.Values(name))
		}
		if got := a.header.Get(name); !regexp.MustCompile(pattern).MatchString(got) {
			add("the header %s is %q, want %s", name, got, pattern)
		}
	}
	if want.matches != "" && !regexp.MustCompile(want.matches).MatchString(a.body) {
		add("%v does not match %s", a, want.matches)
	}
	if want.pointer != "" && a.status == http.StatusUnprocessableEntity && !strings.Contains(a.body, fmt.Sprintf("%q", want.pointer)) {
		add("%v does not point to %s", a, want.pointer)
	}
	return out
}

var requestIDPattern = regexp.MustCompile(`"request_id":"[^"]*"`)
var timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
var uniquePattern = regexp.MustCompile(`(?i)u\d+q`)

// masked is an answer without what differs from request to request; given are texts that the requests themselves held.
func (a answer) masked(given ...string) string {
	text := fmt.Sprint(a.status) + " " + a.header.Get("Content-Type") + " " + a.header.Get("Location") + " " + a.body
	for _, g := range given {
		text = strings.ReplaceAll(text, g, "*")
	}
	text = requestIDPattern.ReplaceAllString(text, "")
	text = timePattern.ReplaceAllString(text, "*")
	text = uniquePattern.ReplaceAllString(text, "*")
	return uuidPattern.ReplaceAllString(text, "*")
}
