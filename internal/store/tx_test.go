package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func TestLoadDecideWriteTakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	f, count := newFixture(t, store.Options{}).countRoundTrips(t)
	f.exec(t, "INSERT INTO things VALUES (1, 10), (2, 20)")

	for _, tt := range []struct {
		name string
		want int64
		fn   func(ctx context.Context, tx *store.Tx, base int64) error
	}{
		{"nothing at all", 0, func(context.Context, *store.Tx, int64) error { return nil }},
		{"writes alone travel with BEGIN and COMMIT", 1, func(ctx context.Context, tx *store.Tx, base int64) error {
			return errors.Join(insert(ctx, tx.Write(), base, 1), insert(ctx, tx.Write(), base+1, 1))
		}},
		{"a load of four, then writes", 2, func(ctx context.Context, tx *store.Tx, base int64) error {
			tx.First(func(db store.DBTX) error { return insert(ctx, db, base, 1) })
			err := tx.Load(ctx,
				func(db store.DBTX) error { _, err := get(ctx, db, lockThing, 1); return err },
				func(db store.DBTX) error { _, err := get(ctx, db, lockThing, 2); return err },
				func(db store.DBTX) error { _, err := list(ctx, db); return err },
			)
			return errors.Join(err, insert(ctx, tx.Write(), base+1, 1), insert(ctx, tx.Write(), base+2, 1))
		}},
		{"a guard costs one more", 3, func(ctx context.Context, tx *store.Tx, base int64) error {
			err := tx.Load(ctx, func(db store.DBTX) error { _, err := get(ctx, db, lockThing, 1); return err })
			return errors.Join(err, move(ctx, tx.Guard(), 1, 10, 10), insert(ctx, tx.Write(), base, 1))
		}},
		{"a function that asks twice makes a second round", 3, func(ctx context.Context, tx *store.Tx, _ int64) error {
			return tx.Load(ctx,
				func(db store.DBTX) error { _, err := get(ctx, db, getThing, 1); return err },
				func(db store.DBTX) error {
					_, err := get(ctx, db, getThing, 1)
					_, err2 := get(ctx, db, getThing, 2)
					return errors.Join(err, err2)
				},
			)
		}},
	} {
		for run := range int64(2) { // the first run prepares the statements
			before := count.Load()
			err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
				return tt.fn(ctx, tx, 1000*(tt.want+1)+10*run)
			})
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if got := count.Load() - before; run == 1 && got != tt.want {
				t.Errorf("%s: %d round trips, want %d", tt.name, got, tt.want)
			}
		}
	}
}

func TestLoadGivesEveryFunctionItsResultInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	f.exec(t, "INSERT INTO things VALUES (1, 10), (2, 20)")
	var trace []string
	var ids []int64
	var one, two int64
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		tx.First(func(db store.DBTX) error {
			trace = append(trace, "first asks")
			tag, err := db.Exec(ctx, moveThing, 1, 10, 11)
			if tag.RowsAffected() != 1 {
				t.Errorf("tag = %v", tag)
			}
			trace = append(trace, "first done")
			return err
		})
		err := tx.Load(ctx,
			func(db store.DBTX) (err error) {
				trace = append(trace, "a asks")
				ids, err = list(ctx, db)
				trace = append(trace, "a asks again")
				one, _ = get(ctx, db, getThing, 1)
				trace = append(trace, "a done")
				return err
			},
			func(store.DBTX) error { trace = append(trace, "b asks nothing"); return nil },
			func(db store.DBTX) (err error) {
				trace = append(trace, "c asks")
				two, err = get(ctx, db, getThing, 2)
				if _, err := get(ctx, db, getThing, 99); !errors.Is(err, store.ErrNoRows) {
					t.Errorf("no row gave %v", err)
				}
				trace = append(trace, "c done")
				return err
			},
		)
		if err != nil {
			return err
		}
		seen, err := get(ctx, tx.DB(), getThing, 1)
		if seen != 11 {
			t.Errorf("DB does not see what First did: %d", seen)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"first asks", "a asks", "b asks nothing", "c asks", "first done", "a asks again", "a done", "c done"}
	if !reflect.DeepEqual(trace, want) {
		t.Errorf("trace = %q", trace)
	}
	if !reflect.DeepEqual(ids, []int64{1, 2}) || one != 11 || two != 20 {
		t.Errorf("ids %v, one %d, two %d", ids, one, two)
	}
}

func TestTheErrorOfFirstKeepsOtherResultsOutOfSight(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	claimed := errors.New("claimed by another")
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		tx.First(func(db store.DBTX) error {
			if _, err := get(ctx, db, getThing, 1); !errors.Is(err, store.ErrNoRows) {
				return err
			}
			return claimed
		})
		err := tx.Load(ctx, func(db store.DBTX) error {
			if _, err := get(ctx, db, getThing, 1); err == nil || errors.Is(err, store.ErrNoRows) {
				t.Errorf("a result came through: %v", err)
			}
			return nil
		})
		if !errors.Is(err, claimed) {
			return err
		}
		return insert(ctx, tx.Write(), 7, 7) // the transaction itself goes on, as a replay does
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{7: 7}) {
		t.Errorf("things = %v", got)
	}
}

func TestAFailureOfTheDatabaseCannotBeIgnored(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	f.exec(t, "INSERT INTO things VALUES (1, 10)")
	for name, fn := range map[string]func(ctx context.Context, tx *store.Tx){
		"in a load": func(ctx context.Context, tx *store.Tx) {
			_ = tx.Load(ctx, func(db store.DBTX) error { return insert(ctx, db, 1, 1) })
		},
		"in a function of it": func(ctx context.Context, tx *store.Tx) {
			_ = tx.Load(ctx, func(db store.DBTX) error { _ = insert(ctx, db, 1, 1); return nil })
		},
		"in First": func(ctx context.Context, tx *store.Tx) {
			tx.First(func(db store.DBTX) error { return insert(ctx, db, 1, 1) })
		},
		"at once":               func(ctx context.Context, tx *store.Tx) { _ = insert(ctx, tx.DB(), 1, 1) },
		"in the queue":          func(ctx context.Context, tx *store.Tx) { _ = insert(ctx, tx.Write(), 1, 1) },
		"in the queue, a guard": func(ctx context.Context, tx *store.Tx) { _ = insert(ctx, tx.Guard(), 1, 1) },
		"after an unnoticed one": func(ctx context.Context, tx *store.Tx) {
			_ = insert(ctx, tx.DB(), 1, 1)
			_ = insert(ctx, tx.DB(), 2, 2)
		},
	} {
		err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
			fn(ctx, tx)
			return insert(ctx, tx.Write(), 3, 3)
		})
		if failure, ok := errors.AsType[*store.StatementError](err); !ok || failure.Statement != "InsertThing" {
			t.Errorf("%s: err = %v", name, err)
		}
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != store.UniqueViolation || pgErr.ConstraintName != "things_pkey" {
			t.Errorf("%s: the database's own error is lost: %v", name, err)
		}
	}
	// A statement that cannot even be prepared fails before BEGIN is executed: what follows must not run outside a transaction.
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		_ = tx.Load(ctx, func(db store.DBTX) error { _, err := db.Exec(ctx, "INSERT INTO nothing VALUES ($1)", 1); return err })
		_ = insert(ctx, tx.DB(), 4, 4)
		return nil
	})
	if err == nil {
		t.Error("an ignored failure was committed")
	}
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{1: 10}) {
		t.Errorf("things = %v", got)
	}
}

func TestOpenRowsAreAnErrorNotATruncatedResult(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	f.exec(t, "INSERT INTO things VALUES (1, 10), (2, 20)")
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		return tx.Load(ctx, func(db store.DBTX) error {
			rows, err := db.Query(ctx, listThings)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if _, err := get(ctx, db, getThing, 1); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	})
	if err == nil {
		t.Error("no error")
	}
}

func TestQueuesRefuseQuestions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		if _, err := get(ctx, tx.Write(), getThing, 1); err == nil {
			t.Error("Write answered")
		}
		_, err := list(ctx, tx.Guard())
		return err
	})
	if err == nil {
		t.Error("Guard answered")
	}
}

func TestAGuardThatMissesCommitsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	f.exec(t, "INSERT INTO things VALUES (1, 10)")
	attempts := 0
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		attempts++
		return errors.Join(insert(ctx, tx.Write(), 2, 2), move(ctx, tx.Guard(), 1, 99, 100))
	})
	wantProblem(t, err, problem.Conflict)
	if !errors.Is(err, store.ErrGuard) || !errors.Is(err, store.ErrRetry) || attempts != 6 {
		t.Errorf("err = %v after %d attempts", err, attempts)
	}
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{1: 10}) {
		t.Errorf("things = %v", got)
	}

	attempts = 0
	err = f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		attempts++
		from := int64(99)
		if attempts == 3 {
			from = 10
		}
		return errors.Join(insert(ctx, tx.Write(), 2, 2), move(ctx, tx.Guard(), 1, from, 100))
	})
	if got := f.things(t); err != nil || !reflect.DeepEqual(got, map[int64]int64{1: 100, 2: 2}) {
		t.Errorf("err = %v, things = %v", err, got)
	}
}

func TestADeadlockIsRunAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{LockTimeout: 10 * time.Second})
	f.exec(t, "INSERT INTO things VALUES (1, 0), (2, 0)")
	var attempts, hooks atomic.Int64
	var meet, done sync.WaitGroup
	meet.Add(2)
	for _, order := range [][2]int64{{1, 2}, {2, 1}} {
		done.Go(func() {
			var once sync.Once
			err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
				attempts.Add(1)
				tx.OnCommit(func() { hooks.Add(1) })
				for _, id := range order {
					var n int64
					err := tx.Load(ctx, func(db store.DBTX) (err error) { n, err = get(ctx, db, lockThing, id); return err })
					if err != nil {
						return err
					}
					once.Do(func() { meet.Done(); meet.Wait() })
					if err := move(ctx, tx.Guard(), id, n, n+1); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if attempts.Load() < 3 || hooks.Load() != 2 {
		t.Errorf("%d attempts, %d hooks", attempts.Load(), hooks.Load())
	}
	if got := f.things(t); !reflect.DeepEqual(got, map[int64]int64{1: 2, 2: 2}) {
		t.Errorf("things = %v", got)
	}
}

func TestHooksRunAfterTheCommitOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{MaxConns: 1})
	refused := errors.New("refused")
	var trace []string
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		tx.OnCommit(func() { trace = append(trace, "never") })
		return errors.Join(refused, insert(ctx, tx.Write(), 1, 1))
	})
	if !errors.Is(err, refused) {
		t.Errorf("err = %v", err)
	}
	err = f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
		tx.OnCommit(func() {
			n, err := get(t.Context(), f.DB(workspace), getThing, 1) // the connection is free again
			trace = append(trace, "one")
			if n != 1 || err != nil {
				t.Errorf("the hook finds %d, %v", n, err)
			}
		})
		tx.OnCommit(func() { trace = append(trace, "two") })
		return insert(ctx, tx.Write(), 1, 1)
	})
	if err != nil || !reflect.DeepEqual(trace, []string{"one", "two"}) {
		t.Errorf("err = %v, trace = %v", err, trace)
	}
}

func TestAPanicRollsBackAndFreesTheConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{MaxConns: 1})
	for name, fn := range map[string]func(ctx context.Context, tx *store.Tx) error{
		"outside": func(ctx context.Context, tx *store.Tx) error {
			if err := insert(ctx, tx.DB(), 1, 1); err != nil {
				return err
			}
			panic("outside")
		},
		"before its result": func(ctx context.Context, tx *store.Tx) error {
			return tx.Load(ctx, func(db store.DBTX) error { return insert(ctx, db, 1, 1) }, func(store.DBTX) error { panic("before its result") })
		},
		"after its result": func(ctx context.Context, tx *store.Tx) error {
			return tx.Load(ctx,
				func(db store.DBTX) error { _ = insert(ctx, db, 1, 1); panic("after its result") },
				func(db store.DBTX) error { return insert(ctx, db, 2, 2) },
			)
		},
	} {
		func() {
			defer func() {
				if got := recover(); got != name {
					t.Errorf("recovered %v, want %s", got, name)
				}
			}()
			err := f.InTx(t.Context(), workspace, fn)
			t.Errorf("no panic: %v", err)
		}()
	}
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error { return insert(ctx, tx.Write(), 5, 5) })
	if got := f.things(t); err != nil || !reflect.DeepEqual(got, map[int64]int64{5: 5}) {
		t.Errorf("err = %v, things = %v", err, got)
	}
}

func TestInTxInsideInTxIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	err := f.InTx(t.Context(), workspace, func(ctx context.Context, _ *store.Tx) error {
		return f.InTx(ctx, workspace, func(context.Context, *store.Tx) error { return nil })
	})
	if err == nil {
		t.Error("no error")
	}
}

func TestConnectionsAreTheApplicationsAndInUTC(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	var user, lockTimeout string
	var now time.Time
	var times []time.Time
	err := f.DB(workspace).QueryRow(t.Context(), "SELECT current_user, current_setting('lock_timeout'), now(), ARRAY[now()]").Scan(&user, &lockTimeout, &now, &times)
	if err != nil {
		t.Fatal(err)
	}
	if user != store.AppRole || lockTimeout != "5s" || now.Location() != time.UTC || times[0].Location() != time.UTC {
		t.Errorf("%s, %s, %v, %v", user, lockTimeout, now.Location(), times[0].Location())
	}
	// Behind a pooler the role comes with the login; one that is the owner is refused.
	if s, err := store.Open(t.Context(), store.Options{URL: f.url, StatementMode: "cache_describe"}); err == nil {
		s.Close()
		t.Error("a superuser's connections were accepted")
	}
}

func TestOneTransactionIsOneBatchBehindAPooler(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	login := "grapevine_pooled_" + uuid.NewString()[:8]
	f.exec(t, "CREATE ROLE "+login+" LOGIN PASSWORD 'x' IN ROLE grapevine_app")
	t.Cleanup(func() {
		if _, err := dbtest.Connect(t, f.url, "").Exec(context.Background(), "DROP ROLE "+login); err != nil {
			t.Error(err)
		}
	})
	s, err := store.Open(t.Context(), store.Options{URL: asLogin(t, f.url, login, "x"), OwnerURL: f.url, StatementMode: "cache_describe"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id := range int64(3) {
		err = s.InTx(t.Context(), workspace, func(ctx context.Context, tx *store.Tx) error {
			err := tx.Load(ctx, func(db store.DBTX) error { _, err := list(ctx, db); return err })
			return errors.Join(err, insert(ctx, tx.Write(), id, id))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := f.things(t); len(got) != 3 {
		t.Errorf("things = %v", got)
	}
}

func TestWhatIsLoggedOfAnErrorHoldsNoValue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.Options{})
	_, err := f.DB(workspace).Exec(t.Context(), "SELECT 'ada@example.com'::int")
	if err == nil {
		t.Fatal("an address is a number")
	}
	if text := store.LogText(fmt.Errorf("work: %w", err)); strings.Contains(text, "ada@") || !strings.Contains(text, "SQLSTATE 22P02") {
		t.Errorf("logged as %s", text)
	}
}
