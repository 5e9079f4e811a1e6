package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// onDatabase is the environment of a server on a database of the tests, which runs without fsync.
func onDatabase(url string, more ...string) []string {
	return append([]string{"DATABASE_URL=" + url, "GRAPEVINE_ALLOW_UNSAFE_DURABILITY=true", "GRAPEVINE_RATE_LIMIT=100000"}, more...)
}

// counter counts on a connection of its own, as the owner.
func counter(t *testing.T, conn *pgx.Conn) func(sql string, args ...any) int {
	return func(sql string, args ...any) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func TestSIGTERMLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	pair := newPair(t, d.Store)
	p := serve(t, t.TempDir(), onDatabase(d.URL))
	l := newLoad(t, p.url, pair.Test.Slug, pair.TestKey, 300)
	<-l.enough
	p.signal(syscall.SIGTERM) // in the middle of it all
	if code := p.wait(); code != 0 {
		t.Errorf("exit status %d:\n%s", code, p.stderr)
	}
	l.end()
	if len(l.refused) > 0 {
		t.Errorf("%d requests were answered with something else, the first: %s", len(l.refused), l.refused[0])
	}
	l.allStored(counter(t, d.Owner(t)))
}

func TestBehindABalancerSIGTERMCutsNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	pair := newPair(t, d.Store)
	p := serve(t, t.TempDir(), onDatabase(d.URL, "GRAPEVINE_DRAIN_DELAY=2s"))
	l := newLoad(t, p.url, pair.Test.Slug, pair.TestKey, 300)
	<-l.enough
	p.signal(syscall.SIGTERM)
	for {
		if status, _ := p.get("/readyz"); status == http.StatusServiceUnavailable {
			break
		}
	}
	l.paused.Store(true) // what a balancer does now
	if code := p.wait(); code != 0 {
		t.Errorf("exit status %d:\n%s", code, p.stderr)
	}
	l.end()
	if len(l.errors) > 0 || len(l.refused) > 0 {
		t.Errorf("%d requests without an answer, %d refused: %v %v", len(l.errors), len(l.refused), l.errors, l.refused)
	}
	l.allStored(counter(t, d.Owner(t)))
}

func TestKillingTheServerLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	pair := newPair(t, d.Store)
	p := serve(t, t.TempDir(), onDatabase(d.URL))
	l := newLoad(t, p.url, pair.Test.Slug, pair.TestKey, 300)
	<-l.enough
	p.signal(syscall.SIGKILL)
	p.wait()
	l.end()
	count := counter(t, d.Owner(t))
	l.allStored(count)
	// The next one goes on where this one was cut: a request repeated with its key is answered as it would have been.
	next := serve(t, t.TempDir(), onDatabase(d.URL))
	l.url, l.ctx = next.url, t.Context()
	for _, person := range []string{l.signups[0], l.signups[len(l.signups)-1]} {
		l.visit(person)
	}
	if len(l.refused) > 0 {
		t.Errorf("a repetition was refused: %v", l.refused)
	}
	if n := count("SELECT count(*) - count(DISTINCT external_id) FROM signups"); n != 0 {
		t.Errorf("%d signups are there twice", n)
	}
	next.stop()
	for _, check := range []string{
		"SELECT coalesce(sum(balance), -1)::bigint FROM ledger_accounts",
		"SELECT count(*) FROM idempotency_keys WHERE status IS NULL", // a claim without its work
	} {
		if n := count(check); n != 0 {
			t.Errorf("%d: %s", n, check)
		}
	}
}

func TestTheWholeThingStandsAloneAndSurvivesItsDeaths(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	env := []string{"GRAPEVINE_RATE_LIMIT=100000"}
	p := serve(t, dir, env, "-demo")
	t.Logf("first start, with a new database: %v", p.took.Round(time.Millisecond))
	welcome := p.await(p.stdout, "says nothing", func(written string) string {
		if strings.Count(written, "curl") == 3 && strings.HasSuffix(written, "'\n\n") {
			return written
		}
		return ""
	})
	runPasted(t, welcome)
	state := demoStateIn(t, filepath.Join(dir, ".data", "demo.json"))
	if !strings.Contains(welcome, state.Key) || !strings.Contains(welcome, p.url+"/docs") {
		t.Errorf("key or address of the contract is missing in:\n%s", welcome)
	}
	if status, _ := p.get("/docs"); status != http.StatusOK {
		t.Errorf("/docs answers %d", status)
	}
	for _, secret := range []string{state.Key, "bob"} {
		if strings.Contains(p.stderr.String(), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
	l := newLoad(t, p.url, state.Slug, state.Key, 100)
	<-l.enough
	killDatabase(t, dir)
	p.await(p.stderr, "does not start its database again", func(written string) string {
		if strings.Contains(written, "is started again") {
			return "yes"
		}
		return ""
	})
	l.more(100) // acknowledged by the database that was started again
	p.signal(syscall.SIGKILL)
	p.wait()
	l.end()

	p = serve(t, dir, env, "-demo") // waits until the PostgreSQL of the killed one is gone
	t.Logf("start after kill -9, with its recovery: %v", p.took.Round(time.Millisecond))
	again := p.await(p.stdout, "says nothing", func(written string) string {
		if strings.HasSuffix(written, "'\n\n") {
			return written
		}
		return ""
	})
	if i := strings.Index(again, "Secret test key"); !strings.Contains(again[i:], state.Key) {
		t.Error("the second start has another key")
	}
	l.t = t
	l.allStored(func(sql string, args ...any) int {
		conn, err := pgx.Connect(t.Context(), ownerURLOf(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		return counter(t, conn)(sql, args...)
	})
	for name, args := range map[string][]string{
		"nothing found": {"doctor"}, "everything": {"validate"}, "clean": {"migrate", "status"}, state.Slug: {"keys", "list"},
	} {
		code, stdout, stderr := ran(t, map[string]string{"GRAPEVINE_DATA_DIR": filepath.Join(dir, ".data")}, args...)
		if code != 0 || !strings.Contains(stdout, name) {
			t.Errorf("%v beside the server: exit status %d\n%s%s", args, code, stdout, stderr)
		}
	}
	p.stop()

	p = serve(t, dir, env, "-demo")
	t.Logf("start with everything there: %v", p.took.Round(time.Millisecond))
	p.stop()
}

func TestOneFolderIsServedOnce(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	p := serve(t, dir, nil)
	second := begin(t, dir, []string{"GRAPEVINE_LISTEN=127.0.0.1:0"}, "serve")
	if code := second.wait(); code != 1 || !strings.Contains(second.stderr.String(), "in use") {
		t.Errorf("exit status %d:\n%s", code, second.stderr)
	}
	if status, _ := p.get("/readyz"); status != http.StatusOK {
		t.Errorf("the first one answers %d now", status)
	}
	p.stop()
}

func TestADatabaseThatForgetsIsRefused(t *testing.T) {
	t.Parallel()
	p := begin(t, t.TempDir(), []string{"DATABASE_URL=" + dbtest.New(t).URL, "GRAPEVINE_LISTEN=127.0.0.1:0"}, "serve")
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "GRAPEVINE_ALLOW_UNSAFE_DURABILITY=true") {
		t.Errorf("exit status %d:\n%s", code, p.stderr)
	}
}

func TestAnEmptyDatabaseIsMigratedAndOneThatIsBehindIsNot(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	serve(t, t.TempDir(), onDatabase(url)).stop()
	m := store.NewMigrator(url)
	if status, err := m.Status(t.Context()); err != nil || status.Err() != nil {
		t.Fatalf("after serving an empty database: %+v, %v", status, err)
	}
	if err := m.Down(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p := begin(t, t.TempDir(), onDatabase(url, "GRAPEVINE_LISTEN=127.0.0.1:0"), "serve")
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "grapevine migrate up") {
		t.Errorf("exit status %d on a schema that is behind:\n%s", code, p.stderr)
	}
	serve(t, t.TempDir(), onDatabase(url), "-migrate").stop()
	if status, err := m.Status(t.Context()); err != nil || status.Err() != nil {
		t.Errorf("after serving with -migrate: %+v, %v", status, err)
	}
}

func TestMetricsAndHealthAreThere(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), onDatabase(dbtest.New(t).URL))
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/openapi.yaml": "openapi: 3.0.3", "/openapi.json": `"openapi"`,
		"/metrics": "grapevine_worker_lag_seconds",
	} {
		if status, body := p.get(path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d, and %q is missing", path, status, want)
		}
	}
	p.stop()
	if !strings.Contains(p.stderr.String(), `"msg":"stopped"`) {
		t.Errorf("the log does not tell the end:\n%s", p.stderr)
	}
}

// killDatabase ends the PostgreSQL of a folder as a crash does.
func killDatabase(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".data", "pg*", "data", "postmaster.pid"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func demoStateIn(t *testing.T, path string) demoState {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v", path, info.Mode())
	}
	state, err := parseDemo(path)
	if err != nil {
		t.Fatal(err)
	}
	return state
}
