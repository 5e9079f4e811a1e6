// Package dbtest gives every test a real database of its own, made from a migrated template in some 40 ms.
//
// The server is the one of GRAPEVINE_TEST_DATABASE_URL or DATABASE_URL, whose login must be able to make databases and roles; what is
// there is left alone. Without either a throw-away server is started and shared by all test processes of this user; it ends by itself
// a few seconds after the last of them. A missing PostgreSQL fails the test.
//
// GRAPEVINE_TEST_CITUS_URL names a Citus server instead, one node that is its own worker: every database gets the extension, and its
// tables are distributed. There databases are migrated one by one, because one with the extension is no template.
package dbtest

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Database is a migrated database of its own.
type Database struct {
	URL   string // the owner's
	Store *store.Store
}

// DB returns a migrated database of its own, for tests that commit or race. It is dropped when the test ends.
func DB(t testing.TB) *store.Store {
	t.Helper()
	return New(t).Store
}

// New is DB for tests that also want connections of their own.
func New(t testing.TB) *Database {
	t.Helper()
	d := &Database{URL: clone(t, true)}
	return d.open(t)
}

// Empty returns the owner's URL of a database without a schema; the application's role is there.
func Empty(t testing.TB) string {
	t.Helper()
	return clone(t, false)
}

// Owner connects as the owner of the tables.
func (d *Database) Owner(t testing.TB) *pgx.Conn {
	t.Helper()
	return Connect(t, d.URL, "")
}

// App connects in the application's role, for tests that try what it must not be able to do.
func (d *Database) App(t testing.TB) *pgx.Conn {
	t.Helper()
	return Connect(t, d.URL, store.AppRole)
}

// Connect opens a connection until the test ends, in a role if one is named.
func Connect(t testing.TB, url, role string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["timezone"] = "UTC"
	if role != "" {
		config.RuntimeParams["role"] = role
	}
	conn, err := pgx.ConnectConfig(context.Background(), config) // t.Context() has ended when a clean-up connects
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// Tx returns a transaction in the application's role that is rolled back when the test ends, on a database shared by all such tests:
// for queries that need no commit.
func Tx(t testing.TB) pgx.Tx {
	t.Helper()
	url, err := sharedDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := Connect(t, url, store.AppRole).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tx
}

// ID makes a new identifier.
func ID(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (d *Database) open(t testing.TB) *Database {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: d.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close) // before the database is dropped
	d.Store = s
	return d
}

func clone(t testing.TB, migrated bool) string {
	t.Helper()
	create := CreateEmpty
	if migrated {
		create = Create
	}
	url, drop, err := create(t.Context())
	if err != nil {
		t.Fatalf("no test database: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return url
}
