package store_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

var workspace = uuid.MustParse("00000000-0000-7000-8000-000000000001")

// things is a table of ours, so that these tests do not depend on the schema.
const (
	thingsSchema = `
		CREATE TABLE things (id bigint PRIMARY KEY, n bigint NOT NULL CONSTRAINT things_n_check CHECK (n >= 0));
		GRANT SELECT, INSERT, UPDATE ON things TO grapevine_app`

	insertThing = "-- name: InsertThing :exec\nINSERT INTO things (id, n) VALUES ($1, $2)"
	getThing    = "-- name: GetThing :one\nSELECT n FROM things WHERE id = $1"
	lockThing   = "-- name: GetThingForUpdate :one\nSELECT n FROM things WHERE id = $1 FOR UPDATE"
	listThings  = "-- name: ListThings :many\nSELECT id FROM things ORDER BY id"
	moveThing   = "-- name: MoveThing :exec\nUPDATE things SET n = $3 WHERE id = $1 AND n = $2"
)

// fixture is a database with things, and a store on it.
type fixture struct {
	*store.Store
	url string
}

func newFixture(t *testing.T, opts store.Options) fixture {
	t.Helper()
	f := fixture{url: dbtest.Empty(t)}
	f.exec(t, thingsSchema)
	opts.URL = f.url
	s, err := store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	f.Store = s
	return f
}

func (f fixture) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := dbtest.Connect(t, f.url, "").Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// things reads what is stored, past the store.
func (f fixture) things(t *testing.T) map[int64]int64 {
	t.Helper()
	rows, err := dbtest.Connect(t, f.url, "").Query(t.Context(), "SELECT id, n FROM things")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int64]int64{}
	var id, n int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error { found[id] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	return found
}

func insert(ctx context.Context, db store.DBTX, id, n int64) error {
	_, err := db.Exec(ctx, insertThing, id, n)
	return err
}

func move(ctx context.Context, db store.DBTX, id, from, to int64) error {
	_, err := db.Exec(ctx, moveThing, id, from, to)
	return err
}

func get(ctx context.Context, db store.DBTX, sql string, id int64) (n int64, err error) {
	err = db.QueryRow(ctx, sql, id).Scan(&n)
	return n, err
}

func list(ctx context.Context, db store.DBTX) ([]int64, error) {
	rows, err := db.Query(ctx, listThings)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func wantProblem(t *testing.T, err error, want *problem.Error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("err = %v, want the problem %s", err, want.Code)
	}
}

// roundTrips counts how often a connection turned from writing to reading.
type roundTrips struct {
	net.Conn
	count   *atomic.Int64
	writing atomic.Bool
}

func (c *roundTrips) Write(b []byte) (int, error) {
	c.writing.Store(true)
	return c.Conn.Write(b)
}

func (c *roundTrips) Read(b []byte) (int, error) {
	if c.writing.Swap(false) {
		c.count.Add(1)
	}
	return c.Conn.Read(b)
}

// countRoundTrips opens another store on the fixture's database, with one connection and a counter.
func (f fixture) countRoundTrips(t *testing.T) (fixture, *atomic.Int64) {
	t.Helper()
	count := &atomic.Int64{}
	s, err := store.OpenTuned(t.Context(), store.Options{URL: f.url, MaxConns: 1}, func(config *pgxpool.Config) {
		dial := config.ConnConfig.DialFunc
		config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return &roundTrips{Conn: conn, count: count}, err
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return fixture{Store: s, url: f.url}, count
}

// asLogin is the URL with another login.
func asLogin(t *testing.T, address, user, password string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
