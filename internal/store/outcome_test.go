package store_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// A server of its own that waits for a standby which does not exist holds every commit at its most delicate point: written, not answered.
func TestTheOutcomeOfACommit(t *testing.T) {
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
	f.Store, err = store.Open(t.Context(), store.Options{URL: server.AppURL(), OwnerURL: server.OwnerURL(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)

	if err := f.CheckDurability(t.Context()); err != nil {
		t.Errorf("a durable server is refused: %v", err)
	}
	owner := dbtest.Connect(t, f.url, "")
	waiting := waitForCommit(t, f, owner)

	t.Run("a connection cut during the commit is an unknown outcome", func(t *testing.T) {
		committing := f.begin(t.Context(), 1)
		signal(t, owner, "pg_terminate_backend", waiting(t))
		wantProblem(t, <-committing, problem.OutcomeUnknown)
	})
	t.Run("a wait for the standby that was cancelled is an unknown outcome", func(t *testing.T) {
		committing := f.begin(t.Context(), 2)
		signal(t, owner, "pg_cancel_backend", waiting(t))
		wantProblem(t, <-committing, problem.OutcomeUnknown)
	})
	t.Run("a commit that does not answer in time is an unknown outcome", func(t *testing.T) {
		quick, err := store.Open(t.Context(), store.Options{URL: server.AppURL(), CommitTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer quick.Close()
		wantProblem(t, <-fixture{Store: quick}.begin(t.Context(), 3), problem.OutcomeUnknown)
		endHeldCommits(t, owner)
	})
	t.Run("a request that ends during its commit still commits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		committing := f.begin(ctx, 4)
		pid := waiting(t)
		cancel()
		if still := waiting(t); still != pid {
			t.Fatalf("process %d commits, not %d", still, pid)
		}
		setStandby(t, owner, "")
		if err := <-committing; err != nil {
			t.Error(err)
		}
	})
	// All of them had committed: that is why none of the first three may be reported as a failure.
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{1: 1, 2: 2, 3: 3, 4: 4}) {
		t.Errorf("things = %v", got)
	}

	t.Run("without the database the answer is unavailable", func(t *testing.T) {
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
			return tx.Load(ctx, func(db store.DBTX) error { _, err := list(ctx, db); return err })
		})
		wantProblem(t, err, problem.Unavailable)
		_, err = get(t.Context(), f.DB(workspace), getThing, 1)
		wantProblem(t, err, problem.Unavailable)
		wantProblem(t, f.Ping(t.Context()), problem.Unavailable)
	})
}

// waitForCommit holds all commits, and returns what waits until one is held and gives its process.
func waitForCommit(t *testing.T, f fixture, owner *pgx.Conn) func(t *testing.T) int32 {
	t.Helper()
	setStandby(t, owner, "nobody")
	return func(t *testing.T) int32 {
		t.Helper()
		for range 500 {
			if pid := heldCommit(t, owner); pid != 0 {
				return pid
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("no commit is waiting")
		return 0
	}
}

// heldCommit gives the process whose commit waits for the standby, 0 when there is none.
func heldCommit(t *testing.T, owner *pgx.Conn) (pid int32) {
	t.Helper()
	err := owner.QueryRow(t.Context(), "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&pid)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return pid
}

// endHeldCommits makes an end of what the client has given up and the server may not have, so that nobody takes it for the next one.
func endHeldCommits(t *testing.T, owner *pgx.Conn) {
	t.Helper()
	for pid := heldCommit(t, owner); pid != 0; pid = heldCommit(t, owner) {
		signal(t, owner, "pg_terminate_backend", pid)
		time.Sleep(10 * time.Millisecond)
	}
}

func setStandby(t *testing.T, owner *pgx.Conn, name string) {
	t.Helper()
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = '" + name + "'", "SELECT pg_reload_conf()"} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for setting := "?"; setting != name; {
		if err := owner.QueryRow(t.Context(), "SHOW synchronous_standby_names").Scan(&setting); err != nil {
			t.Fatal(err)
		}
	}
	// It is the checkpointer that tells commits to wait: the second checkpoint begins after it has heard of the change.
	for range 2 {
		if _, err := owner.Exec(t.Context(), "CHECKPOINT"); err != nil {
			t.Fatal(err)
		}
	}
}

func signal(t *testing.T, owner *pgx.Conn, function string, pid int32) {
	t.Helper()
	if _, err := owner.Exec(t.Context(), "SELECT "+function+"($1)", pid); err != nil {
		t.Fatal(err)
	}
}

// begin stores a thing in the background.
func (f fixture) begin(ctx context.Context, id int64) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- f.InTx(ctx, workspace, func(ctx context.Context, tx *store.Tx) error { return insert(ctx, tx.Write(), id, id) })
	}()
	return done
}

func TestABackendThatIsKilledBeforeTheCommitStoresNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		var pid int32
		if err := tx.DB().QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		f.exec(t, "SELECT pg_terminate_backend($1)", pid)
		_, err := get(ctx, tx.DB(), getThing, 1)
		return errors.Join(err, insert(ctx, tx.Write(), 1, 1))
	})
	wantProblem(t, err, problem.Unavailable)
	if err := <-f.begin(t.Context(), 2); err != nil {
		t.Errorf("the next transaction fails: %v", err)
	}
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{2: 2}) {
		t.Errorf("things = %v", got)
	}
}

func TestARequestThatEndedIsNotCommitted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := f.InTx(ctx, workspace, func(ctx context.Context, tx *store.Tx) error {
		cancel()
		return insert(ctx, tx.Write(), 1, 1)
	})
	if got := f.things(t); !errors.Is(err, context.Canceled) || len(got) != 0 {
		t.Errorf("err = %v, things = %v", err, got)
	}
}

func TestNoFreeConnectionIsOverload(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{MaxConns: 1, AcquireTimeout: time.Second})
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Conn(ctx); err != nil {
			return err
		}
		wantProblem(t, <-f.begin(t.Context(), 1), problem.Overloaded)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestALockThatTakesTooLong(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{LockTimeout: 50 * time.Millisecond})
	f.exec(t, "INSERT INTO things VALUES (1, 10)")
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		if _, err := get(ctx, tx.DB(), lockThing, 1); err != nil {
			return err
		}
		other := func(use func(ctx context.Context, tx *store.Tx) error) error {
			return f.InTx(t.Context(), workspace, use)
		}
		wantProblem(t, other(func(ctx context.Context, tx *store.Tx) error { return move(ctx, tx.Write(), 1, 10, 11) }), problem.Overloaded)
		wantProblem(t, other(func(ctx context.Context, tx *store.Tx) error {
			tx.First(func(db store.DBTX) error { return move(ctx, db, 1, 10, 11) })
			return nil
		}), problem.RequestInProgress)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAStatementThatTakesTooLongIsOverload(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{StatementTimeout: 50 * time.Millisecond})
	_, err := f.DB(workspace).Exec(t.Context(), "SELECT pg_sleep(10)")
	wantProblem(t, err, problem.Overloaded)
}

func TestUnsafeDurabilityIsReported(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	unsafe, err := store.OpenTuned(t.Context(), store.Options{URL: f.url}, func(config *pgxpool.Config) {
		config.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unsafe.Close()
	if err := unsafe.CheckDurability(t.Context()); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("err = %v", err)
	}
}
