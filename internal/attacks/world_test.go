package attacks

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// world is a server on a database of its own with two firms in it: the attacker, who holds keys of one test workspace, and the
// victim. Every workspace has a thing of each kind.
type world struct {
	t        *testing.T // of the row at hand
	book     *book
	database *dbtest.Database
	store    *store.Store
	owner    *pgx.Conn
	digester digester
	queries  *queryCount
	logs     *logBuffer
	server   *servertest.Server
	serial   atomic.Int64

	own    *party // the attacker's: a test workspace
	twin   *party // the live workspace beside it
	victim *party // somebody else's live workspace

	foreign map[string]bool // ids of the other workspaces' things
	planted []string        // what must never be shown or stored as it is
}

// party is a workspace, who may use it, and what its things are called.
type party struct {
	name                string
	secret, publishable string
	things              map[string]string
}

func newWorld(t *testing.T, b *book) *world {
	t.Helper()
	w := &world{t: t, book: b, database: dbtest.New(t), queries: &queryCount{}, logs: &logBuffer{}}
	w.owner = w.database.Owner(t)
	w.store = w.openStore(nil)
	w.server = w.start(nil)
	w.own, w.twin = w.firm("own")
	_, w.victim = w.firm("victim")
	for _, p := range []*party{w.own, w.twin, w.victim} {
		w.populate(p)
	}
	var err error
	if w.digester, err = newDigester(t.Context(), w.owner); err != nil {
		t.Fatal(err)
	}
	w.foreign = w.idsOf(w.twin, w.victim)
	return w
}

// openStore opens the database once more, as changed; its statements are counted.
func (w *world) openStore(change func(*store.Options)) *store.Store {
	w.t.Helper()
	o := store.Options{URL: w.database.URL, Tracer: w.queries}
	if change != nil {
		change(&o)
	}
	st, err := store.Open(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(st.Close)
	return st
}

// start runs a server on the database until the row, or the world, ends.
func (w *world) start(change func(*server.Options)) *servertest.Server {
	w.t.Helper()
	return w.startOn(w.store, change)
}

func (w *world) startOn(st *store.Store, change func(*server.Options)) *servertest.Server {
	w.t.Helper()
	return servertest.StartOn(w.t, st, func(o *server.Options) {
		o.Log = slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.MissesPerNetwork, o.MissesInAll = server.Rate{PerSecond: 1_000_000}, server.Rate{PerSecond: 1_000_000}
		if change != nil {
			change(o)
		}
	})
}

// through makes the requests of a program go to another server of the same database.
func (w *world) through(s *servertest.Server, fn func()) {
	before := w.server
	w.server = s
	defer func() { w.server = before }()
	fn()
}

// digest reads the state of the database.
func (w *world) digest() digest {
	w.t.Helper()
	d, err := w.digester.read(context.Background(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// unchanged runs fn and checks that nothing of what it names has changed.
func (w *world) unchanged(what, by string, fn func()) {
	w.t.Helper()
	if what == "-" {
		fn()
		return
	}
	before := w.digest()
	fn()
	for _, change := range changes(before, w.digest(), what, w.own.things["workspace"]) {
		w.t.Errorf("%s changed %s", by, change)
	}
}

// number asks the database for one number.
func (w *world) number(sql string, args ...any) int64 {
	w.t.Helper()
	var n int64
	if err := w.owner.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

var uuidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// idsOf finds every id in every row of some workspaces.
func (w *world) idsOf(parties ...*party) map[string]bool {
	w.t.Helper()
	out := map[string]bool{}
	for _, p := range parties {
		for _, id := range uuidPattern.FindAllString(w.dump(p.things["workspace"]), -1) {
			out[id] = true
		}
	}
	for _, id := range uuidPattern.FindAllString(w.dump(w.own.things["workspace"]), -1) {
		delete(out, id) // the pair knows each other
	}
	return out
}

// dump is every row of a workspace as text; of all of them, stored answers included, when none is named.
func (w *world) dump(workspace string) string {
	w.t.Helper()
	rows, err := w.owner.Query(w.t.Context(), `
		SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	if err != nil {
		w.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	for _, table := range tables {
		text, bodies := "t::text", ""
		if table == "idempotency_keys" {
			bodies = " || convert_from(coalesce(body, ''), 'UTF8')"
		}
		if bodies != "" && workspace != "" {
			continue
		}
		rows, err := w.owner.Query(w.t.Context(), fmt.Sprintf("SELECT %s%s FROM %s t WHERE $1 IN ('', workspace_id::text)", text, bodies, table), workspace)
		if err != nil {
			w.t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			w.t.Fatal(err)
		}
		for _, line := range lines {
			out.WriteString(table + " " + line + "\n")
		}
	}
	return out.String()
}

// secrets lists what no answer, log, metric or row may hold: the keys, and the personal texts that were sent.
func (w *world) secrets() []string {
	out := slices.Clone(w.planted)
	for _, p := range []*party{w.own, w.twin, w.victim} {
		if p != nil {
			out = append(out, p.secret, p.publishable)
		}
	}
	return append(out, servertest.OperatorToken)
}

// found lists the secrets that a text holds; the secret part of a key alone is one too.
func found(text string, secrets []string) []string {
	var out []string
	for _, s := range secrets {
		if len(s) > 60 && strings.HasPrefix(s, "gv_") {
			s = s[len(s)-33 : len(s)-6]
		}
		if s != "" && strings.Contains(text, s) {
			out = append(out, s)
		}
	}
	return out
}

// finish looks for secrets wherever the server could have left them.
func (w *world) finish() {
	metrics := w.send(request{method: "GET", target: "/metrics", as: "none"})
	for where, text := range map[string]string{"the log": w.logs.String(), "the metrics": metrics.body, "the database": w.dump("")} {
		if leaks := found(text, w.secrets()); len(leaks) > 0 {
			w.t.Errorf("%s holds %q", where, leaks)
		}
		if text == "" {
			w.t.Errorf("%s is empty, so nothing was searched", where)
		}
	}
	for _, fault := range w.book.unbounded(metrics.body) {
		w.t.Error(fault)
	}
}

var labelPattern = regexp.MustCompile(`operation="([^"]*)"`)

// unbounded lists values of the operation label that are not of the contract: what callers can choose makes metrics without end.
func (b *book) unbounded(metrics string) []string {
	var out []string
	for _, m := range labelPattern.FindAllStringSubmatch(metrics, -1) {
		if m[1] != "none" && b.operation(m[1]) == nil {
			out = append(out, "the metrics have a label of the caller's choice: "+m[0])
		}
	}
	return out
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// queryCount counts the statements that the server sends, and can hold the answer of one back.
type queryCount struct {
	n    atomic.Int64
	hold atomic.Pointer[hold]
}

// hold stops whoever sends a certain statement after it was answered, once.
type hold struct {
	name             string
	taken            atomic.Bool
	reached, release chan struct{}
}

type holdKey struct{}

// holdAnswer waits, in what sends the next statement of this name, until release is closed; reached is closed when it waits.
func (c *queryCount) holdAnswer(name string) *hold {
	h := &hold{name: name, reached: make(chan struct{}), release: make(chan struct{})}
	c.hold.Store(h)
	return h
}

func (c *queryCount) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	if h := c.hold.Load(); h != nil && strings.Contains(data.SQL, "-- name: "+h.name+" ") && h.taken.CompareAndSwap(false, true) {
		return context.WithValue(ctx, holdKey{}, h)
	}
	return ctx
}

func (c *queryCount) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if h, ok := ctx.Value(holdKey{}).(*hold); ok {
		close(h.reached)
		<-h.release
	}
}

func (c *queryCount) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *queryCount) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (c *queryCount) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func today() string { return time.Now().UTC().Format(time.DateOnly) }
