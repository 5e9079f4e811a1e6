package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const copyThings = "COPY things (id, n) FROM STDIN BINARY; INSERT INTO things (id, n) VALUES (1000, 0)"

// encoded is rows of things with n = id, as a binary COPY.
func encoded(ids ...int64) []byte {
	b := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	for _, id := range ids {
		b = binary.BigEndian.AppendUint16(b, 2)
		for range 2 {
			b = binary.BigEndian.AppendUint32(b, 8)
			b = binary.BigEndian.AppendUint64(b, uint64(id))
		}
	}
	return append(b, 0xff, 0xff)
}

func TestACopyIsOneTransactionInOneRoundTrip(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	counted, trips := f.countRoundTrips(t)
	if err := counted.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	trips.Store(0)
	if err := counted.Copy(t.Context(), workspace, copyThings, encoded(1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if n := trips.Load(); n != 1 {
		t.Errorf("%d round trips", n)
	}
	want := map[int64]int64{1: 1, 2: 2, 3: 3, 1000: 0}
	for name, c := range map[string]struct {
		statements string
		data       []byte
		state      string
	}{
		"a row that exists":              {"COPY things FROM STDIN BINARY", encoded(10, 3), store.UniqueViolation},
		"a row that is refused":          {"COPY things FROM STDIN BINARY", encoded(10, -1), store.CheckViolation},
		"data that is none":              {"COPY things FROM STDIN BINARY", []byte("nonsense"), "22P04"},
		"data that ends early":           {"COPY things FROM STDIN BINARY", encoded(10)[:30], "22P04"},
		"a second statement that fails":  {copyThings, encoded(10), store.UniqueViolation},
		"a first statement that fails":   {"COPY nothing FROM STDIN BINARY", encoded(10), "42P01"},
		"no permission":                  {"COPY things (id) FROM STDIN BINARY; TRUNCATE things", encoded(), "42501"},
		"a statement that takes no data": {"SELECT 1/0", encoded(10), "22012"},
	} {
		err := counted.Copy(t.Context(), workspace, c.statements, c.data)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != c.state {
			t.Errorf("%s: %v, want %s", name, err, c.state)
		}
		if errors.Is(err, problem.OutcomeUnknown) {
			t.Errorf("%s: the outcome is known", name)
		}
		if got := f.things(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: things = %v", name, got)
		}
	}
	// The one connection has come through all of that.
	if err := counted.Copy(t.Context(), workspace, "COPY things FROM STDIN BINARY", encoded(4)); err != nil {
		t.Error(err)
	}
	if n := counted.Stat().NewConnsCount(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

func TestTheOutcomeOfACopy(t *testing.T) {
	t.Parallel()
	server, err := postgres.Start(t.Context(), postgres.Options{BinDir: os.Getenv("GRAPEVINE_PG_BIN")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	f := fixture{url: server.OwnerURL()}
	f.exec(t, thingsSchema)
	f.Store, err = store.Open(t.Context(), store.Options{URL: server.AppURL(), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	owner := dbtest.Connect(t, f.url, "")
	waiting := waitForCommit(t, f, owner)
	start := func(ctx context.Context, id int64) chan error {
		done := make(chan error, 1)
		go func() { done <- f.Copy(ctx, workspace, "COPY things FROM STDIN BINARY", encoded(id)) }()
		return done
	}

	// As for InTx: all of these have committed.
	copying := start(t.Context(), 1)
	signal(t, owner, "pg_terminate_backend", waiting(t))
	wantProblem(t, <-copying, problem.OutcomeUnknown)
	endHeldCommits(t, owner)

	copying = start(t.Context(), 2)
	signal(t, owner, "pg_cancel_backend", waiting(t))
	wantProblem(t, <-copying, problem.OutcomeUnknown)
	endHeldCommits(t, owner)

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // enough to begin, in whatever company
	defer cancel()
	copying = start(ctx, 3)
	waiting(t)
	wantProblem(t, <-copying, problem.OutcomeUnknown)
	endHeldCommits(t, owner)

	ctx, cancel = context.WithCancel(t.Context())
	copying = start(ctx, 4)
	waiting(t)
	cancel()
	setStandby(t, owner, "")
	if err := <-copying; err != nil {
		t.Errorf("a caller that went away cut the copy off: %v", err)
	}
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{1: 1, 2: 2, 3: 3, 4: 4}) {
		t.Errorf("things = %v", got)
	}

	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a connection that is broken, then none
		err := f.Copy(t.Context(), workspace, "COPY things FROM STDIN BINARY", encoded(5))
		if !errors.Is(err, problem.Unavailable) && !errors.Is(err, problem.OutcomeUnknown) {
			t.Errorf("without the database: %v", err)
		}
	}
}

func TestALargeCopyThatFailsEarly(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{MaxConns: 1})
	data := bytes.Repeat([]byte{1}, 32<<20) // more than all buffers on the way hold
	err := f.Copy(t.Context(), workspace, "COPY nothing FROM STDIN BINARY", data)
	if err == nil || !strings.Contains(err.Error(), "42P01") {
		t.Errorf("err = %v", err)
	}
	if err := f.Copy(t.Context(), workspace, "COPY things FROM STDIN BINARY", encoded(1)); err != nil {
		t.Error(err)
	}
}
