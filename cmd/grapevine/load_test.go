package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// newPair makes a pair of workspaces in a database.
func newPair(t *testing.T, st *store.Store) server.Pair {
	t.Helper()
	pair, err := server.CreateWorkspacePair(t.Context(), st, engine.New(slog.New(slog.DiscardHandler)), "Load", nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// load sends facts to a server as fast as it takes them, on a connection each, and notes what was acknowledged.
type load struct {
	t         *testing.T
	url, key  string
	slug      string
	program   uuid.UUID
	transport http.RoundTripper

	paused atomic.Bool // sends nothing more, as behind a balancer that has seen the server fail its readiness
	stop   context.CancelFunc
	ctx    context.Context
	all    sync.WaitGroup

	mu       sync.Mutex
	signups  []string // by external id
	orders   []string
	clicks   []string // by id
	refused  []string // answers that are no acknowledgement
	errors   []error  // no answer
	enough   chan struct{}
	wanted   int
	answered int
}

// newLoad fills a workspace by a server, and begins to send; enough is closed after some answers.
func newLoad(t *testing.T, address, slug, key string, wanted int) *load {
	t.Helper()
	program, err := fillDemo(t.Context(), address, key)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{
		t: t, url: address, key: key, slug: slug, program: program, enough: make(chan struct{}), wanted: wanted,
		transport: &http.Transport{DisableKeepAlives: true},
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	t.Cleanup(l.end)
	const visitors = 8
	for i := range visitors {
		l.all.Go(func() {
			for n := 0; l.ctx.Err() == nil && !l.paused.Load(); n++ {
				l.visit(fmt.Sprintf("%d-%d", i, n))
			}
		})
	}
	return l
}

// more waits for further facts to be acknowledged.
func (l *load) more(n int) {
	l.t.Helper()
	acked := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.clicks) + len(l.signups) + len(l.orders)
	}
	limit := time.Now().Add(time.Minute)
	for before := acked(); acked() < before+n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			l.t.Fatalf("%d facts were acknowledged in a minute, not %d; the last refusal: %v", acked()-before, n, l.refused[len(l.refused)-1:])
		}
	}
}

// end stops sending and waits for the last answers.
func (l *load) end() {
	l.stop()
	l.all.Wait()
}

// visit is the life of one person: click, signup, purchase.
func (l *load) visit(person string) {
	if location := l.send(http.MethodGet, "/r/"+l.slug+"/"+demoCode, "", nil); location != "" {
		if to, err := url.Parse(location); err == nil && to.Query().Has("gv_click") {
			l.note(&l.clicks, to.Query().Get("gv_click"))
		}
	}
	signup := client.NewSignup{ProgramID: l.program, ExternalID: person, RefereeExternalID: person, Code: ptr(demoCode)}
	if l.send(http.MethodPost, "/v1/signups", person, signup) != "" {
		l.note(&l.signups, person)
	}
	order := client.NewConversion{
		ProgramID: l.program, ExternalID: person, RefereeExternalID: person, Type: "purchase", Amount: 9999, Currency: "USD",
	}
	if l.send(http.MethodPost, "/v1/conversions", "order-"+person, order) != "" {
		l.note(&l.orders, person)
	}
}

// send gives what acknowledges the request: the location of a redirect, else the body.
func (l *load) send(method, path, key string, content any) string {
	if l.ctx.Err() != nil || l.paused.Load() {
		return ""
	}
	body, err := json.Marshal(content)
	if err != nil {
		l.t.Error(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, l.url+path, bytes.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return ""
	}
	if method == http.MethodGet {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("Authorization", "Bearer "+l.key)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	res, err := l.transport.RoundTrip(r)
	if err != nil {
		l.noteError(err)
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		l.noteError(err)
		return ""
	}
	l.countAnswer()
	switch res.StatusCode {
	case http.StatusFound:
		return res.Header.Get("Location")
	case http.StatusCreated:
		return string(answer)
	}
	l.note(&l.refused, fmt.Sprintf("%s: %d %s", path, res.StatusCode, answer))
	return ""
}

func (l *load) note(list *[]string, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, text)
}

func (l *load) noteError(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors = append(l.errors, err)
	if errors.Is(err, syscall.ECONNREFUSED) {
		l.stop() // nobody is there any more
	}
}

func (l *load) countAnswer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answered++; l.answered == l.wanted {
		close(l.enough)
	}
}

// allStored fails unless every fact that was acknowledged is in the database.
func (l *load) allStored(query func(sql string, args ...any) int) {
	l.t.Helper()
	l.t.Logf("acknowledged: %d clicks, %d signups, %d purchases; no acknowledgement: %d answers, %d errors",
		len(l.clicks), len(l.signups), len(l.orders), len(l.refused), len(l.errors))
	for _, fact := range []struct {
		sql   string
		acked []string
	}{
		{"SELECT count(*) FROM clicks WHERE id::text = ANY($1)", l.clicks},
		{"SELECT count(*) FROM signups WHERE external_id = ANY($1)", l.signups},
		{"SELECT count(*) FROM conversions WHERE external_id = ANY($1)", l.orders},
	} {
		if len(fact.acked) == 0 {
			l.t.Errorf("nothing was acknowledged that %q would count", fact.sql)
		}
		if n := query(fact.sql, fact.acked); n != len(fact.acked) {
			l.t.Errorf("%d of %d acknowledged facts are stored: %s", n, len(fact.acked), fact.sql)
		}
	}
}
