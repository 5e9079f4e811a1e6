package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// visit asks for a link as a person's browser does, and holds the answer against the contract.
func (w *world) visit(base, method, target string, headers ...string) *http.Response {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, base+target, nil)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("User-Agent", firefox)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	client := http.Client{
		Transport:     contracttest.Transport{TB: w},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

// serveAnother runs a second server on the world's database.
func (w *world) serveAnother(change func(*Server), o Options) string {
	w.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := New(o, w.database.Store)
	if err != nil {
		w.Fatal(err)
	}
	if change != nil {
		change(s)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listener) }()
	w.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// A plain link does not go through the router and the generated code. It must be answered as if it did.
func TestTheQuickWayAnswersLikeTheLongOne(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	w, slug := p.w, p.w.pair.Test.Slug
	long := w.serveAnother(func(s *Server) { s.clicks = nil }, Options{})
	// Everything but the ids, the time, and that the second of two clicks is a repeat.
	told := func(res *http.Response) string {
		location := res.Header.Get("Location")
		u, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		if id := u.Query().Get("gv_click"); id != "" {
			if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 {
				t.Errorf("click id %q", id)
			}
			location = strings.Replace(location, id, "ID", 1)
		}
		var names []string
		for name, values := range res.Header {
			if name != "X-Request-Id" && name != "Date" && name != "Location" && name != "Content-Length" {
				names = append(names, name+": "+strings.Join(values, "|"))
			}
			if len(values) != 1 {
				t.Errorf("%s is there %d times", name, len(values))
			}
		}
		slices.Sort(names)
		return fmt.Sprint(res.StatusCode, " ", location, " ", names)
	}
	links := []string{
		"/ALICE-9", "/alice9", "/Alice-9?to=/offer%3Fx=1", "/alice9?to=//evil.example", "/alice9?to=/%252f%252fevil.example", "/alice9?to=x&to=/y",
		"/alice9?utm_source=a&utm_medium=b&utm_campaign=c+d&utm_term=e%26f&utm_content=%C3%A9", "/alice9?utm_source=" + strings.Repeat("x", 201),
		"/alice9?utm_source=a%0d%0aX-Evil:b", "/alice9?utm_term=jane@example.com&consent=granted", "/alice9?consent=maybe", "/alice9?consent=denied&x=y&fbclid=1",
		"/alice9?gv_click=01981a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b", "/alice9?", "/alice9?%zz=1&utm_source=a;b", "/alice9?utm_source", "/nobody", "/a", "/-",
		"/" + strings.Repeat("a", 100), "/" + strings.Repeat("a", 101), "/alice9/", "/alice9/x", "/al%20ice9", "/alice%39", "/./alice9", "/%2e%2e/alice9",
	}
	for i, link := range links {
		for _, method := range []string{"GET", "HEAD"} {
			for _, agent := range []string{firefox, "WhatsApp/2.23.20.0 A"} {
				agent = strings.Replace(agent, "140.0", fmt.Sprint(i, method), 1) // another visitor for each
				target := "/r/" + slug + link
				quick, slow := told(w.visit(w.url, method, target, "User-Agent: "+agent)), told(w.visit(long, method, target, "User-Agent: "+agent))
				if quick != slow {
					t.Errorf("%s %s (%s):\nquick %s\n long %s", method, target, agent, quick, slow)
				}
			}
		}
	}
	for _, target := range []string{"/r/ALICE-9", "/r/aaaaaaaaaa/alice9", "/r/" + strings.ToUpper(slug) + "/alice9", "/r/" + slug, "/r//alice9"} {
		if quick, slow := told(w.visit(w.url, "GET", target)), told(w.visit(long, "GET", target)); quick != slow || !strings.HasPrefix(quick, "404") {
			t.Errorf("%s:\nquick %s\n long %s", target, quick, slow)
		}
	}
}

func TestALinkIsCountedAndLoggedLikeAnyRequest(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	target := "/r/" + p.w.pair.Test.Slug + "/ALICE-9"
	first, second := p.w.visit(p.w.url, "GET", target), p.w.visit(p.w.url, "HEAD", target)
	if first.Header.Get("X-Request-Id") == second.Header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
	res, err := http.Get(p.w.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`grapevine_http_requests_total{method="GET",operation="followWorkspaceLink",status="3xx"} 1`,
		`grapevine_http_requests_total{method="HEAD",operation="followWorkspaceLink",status="3xx"} 1`,
		`grapevine_http_requests_in_flight 1`,
		`grapevine_clicks_total{class="human",outcome="committed"} 1`,
		`grapevine_clicks_total{class="prefetch",outcome="committed"} 1`,
		`grapevine_clicks_total{class="human",outcome="queue_full"} 0`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// Whoever guesses codes is slowed down, by network, also for codes that exist; everybody else is not.
func TestGuessingCodesIsSlowedDown(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	base := p.w.serveAnother(nil, Options{
		MissesPerNetwork: Rate{PerSecond: 1, Burst: 3}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	from := func(address, code string) int {
		return p.w.visit(base, "GET", "/r/"+p.w.pair.Test.Slug+"/"+code, "X-Forwarded-For: "+address).StatusCode
	}
	for i := range 3 {
		if status := from("192.0.2.1", fmt.Sprint("nobody", i)); status != http.StatusNotFound {
			t.Errorf("guess %d: %d", i, status)
		}
	}
	if status := from("192.0.2.1", "nobody9"); status != http.StatusTooManyRequests {
		t.Errorf("one guess too many: %d", status)
	}
	if status := from("192.0.2.1", "ALICE-9"); status != http.StatusTooManyRequests {
		t.Errorf("a hit after that: %d", status)
	}
	if status := from("192.0.2.2", "ALICE-9"); status != http.StatusFound {
		t.Errorf("somebody else: %d", status)
	}
}

// childEnv makes this program a server on the database that it names, for the test that kills it.
const childEnv = "GRAPEVINE_TEST_REDIRECT_SERVER"

func init() {
	if address := os.Getenv(childEnv); address != "" {
		if err := serveChild(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func serveChild(database string) error {
	st, err := store.Open(context.Background(), store.Options{URL: database})
	if err != nil {
		return err
	}
	s, err := New(Options{Log: slog.New(slog.DiscardHandler)}, st)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return s.Run(context.Background(), listener)
}

// The server is killed under load. Whatever it has acknowledged must be stored.
func TestAKilledServerLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), childEnv+"="+p.w.database.URL)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(1500*time.Millisecond, func() { _ = child.Process.Kill() })
	var mu sync.Mutex
	var acknowledged []string
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			ids := follow(t, strings.TrimSpace(address), "/r/"+p.w.pair.Test.Slug+"/ALICE-9", i)
			mu.Lock()
			defer mu.Unlock()
			acknowledged = append(acknowledged, ids...)
		})
	}
	group.Wait()
	if err := child.Wait(); err == nil {
		t.Error("the server was not killed")
	}
	stored := p.w.number("SELECT count(*) FROM clicks WHERE id = ANY($1::uuid[])", acknowledged)
	t.Logf("%d acknowledged, %d of them lost", len(acknowledged), int64(len(acknowledged))-stored)
	if stored != int64(len(acknowledged)) || stored < 100 {
		t.Error("an acknowledged click is lost, or the test has not tested")
	}
}

// follow asks for a link on one connection until that breaks, and gives the ids of the clicks that it was told.
func follow(t *testing.T, address, target string, visitor int) (ids []string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for n := 0; ; n++ {
		_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0 (visitor %d %d)\r\n\r\n", target, visitor, n)
		if err != nil {
			return ids
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return ids
		}
		_ = res.Body.Close()
		location := res.Header["Location"]
		if res.StatusCode != http.StatusFound || len(location) != 1 {
			t.Errorf("%d %v", res.StatusCode, location)
			return ids
		}
		if _, id, ok := strings.Cut(location[0], "gv_click="); ok {
			ids = append(ids, id)
		}
	}
}
