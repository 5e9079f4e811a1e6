package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

const (
	maxRetries      = 5
	retryPause      = 10 * time.Millisecond // grows twofold; the pause is random up to it
	rollbackTimeout = 5 * time.Second
)

// ErrRetry, returned by the function of InTx, alone or wrapped, runs it again: a conditional statement has lost a race.
var ErrRetry = errors.New("store: the transaction lost a race")

// ErrGuard is the ErrRetry of a guarded statement that did not affect exactly one row.
var ErrGuard error = guardError{}

type guardError struct{}

func (guardError) Error() string { return "store: a guarded statement did not affect one row" }
func (guardError) Unwrap() error { return ErrRetry }

type inTxKey struct{}

// Tx is a transaction in the making. It is for the goroutine that runs InTx's function, and only until that returns.
type Tx struct {
	store  *Store
	conn   *pgx.Conn
	failed error // the first error of the database: nothing of this transaction can be committed any more
	first  func(DBTX) error
	queued []queued
	hooks  []func()
}

// InTx runs fn in a transaction of one workspace and commits it; see the package's documentation for what runs when.
func (s *Store) InTx(ctx context.Context, workspaceID uuid.UUID, fn func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(inTxKey{}) != nil {
		return errors.New("store: InTx inside InTx")
	}
	ctx = context.WithValue(ctx, inTxKey{}, true)
	for retries := 0; ; retries++ {
		hooks, err := s.attempt(ctx, workspaceID, fn)
		if err == nil {
			for _, hook := range hooks {
				hook()
			}
			return nil
		}
		if !worthRetrying(err) {
			return toProblem(err)
		}
		if retries == maxRetries {
			return exhausted(err)
		}
		s.log.DebugContext(ctx, "transaction is run again", "retry", retries+1, "error", LogText(err))
		select {
		case <-ctx.Done():
			return toProblem(ctx.Err())
		case <-time.After(rand.N(retryPause << retries)):
		}
	}
}

func (s *Store) attempt(ctx context.Context, workspaceID uuid.UUID, fn func(context.Context, *Tx) error) ([]func(), error) {
	conn, err := s.acquire(ctx, workspaceID)
	if err != nil {
		return nil, err
	}
	tx := &Tx{store: s, conn: conn.Conn()}
	defer tx.end(conn) // also when fn panics
	if err = fn(ctx, tx); err == nil {
		err = tx.commit(ctx)
	}
	if err != nil && tx.conn.IsClosed() && ctx.Err() == nil {
		if _, ok := errors.AsType[*problem.Error](err); !ok {
			err = problem.Unavailable.Wrap(err)
		}
	}
	return tx.hooks, err
}

// First registers what goes before the functions of the next Load.
func (tx *Tx) First(fn func(db DBTX) error) {
	tx.first = func(db DBTX) error {
		err := fn(db)
		if sqlState(err) == lockNotAvailable { // the claim waits for the transaction that made the same claim
			return problem.RequestInProgress.With("An earlier request with the same Idempotency-Key is still being worked on.").After(time.Second).Wrap(err)
		}
		return err
	}
}

// Write returns the DBTX that queues statements for the end of the transaction.
func (tx *Tx) Write() DBTX { return queue{tx: tx} }

// Guard is Write for statements that must affect exactly one row.
func (tx *Tx) Guard() DBTX { return queue{tx: tx, guard: true} }

// DB returns the DBTX that executes at once.
func (tx *Tx) DB() DBTX { return namedDB{db: immediate{tx}, fix: tx.note} }

// OnCommit registers a hook that runs after the commit.
func (tx *Tx) OnCommit(hook func()) { tx.hooks = append(tx.hooks, hook) }

// Conn begins the transaction and lends its connection, for COPY. The transaction stays InTx's to end.
func (tx *Tx) Conn(ctx context.Context) (*pgx.Conn, error) {
	if tx.first != nil {
		if err := tx.Load(ctx); err != nil {
			return nil, err
		}
	}
	if tx.failed != nil {
		return nil, tx.failed
	}
	if !tx.begun() {
		if _, err := tx.conn.Exec(ctx, beginSQL); err != nil {
			return nil, tx.fail(named("", err))
		}
	}
	return tx.conn, nil
}

const beginSQL = "begin isolation level read committed"

// begun asks the connection itself, which knows what the server said last.
func (tx *Tx) begun() bool { return tx.conn.PgConn().TxStatus() != 'I' }

// fail remembers that the database refused something, in case fn goes on regardless.
func (tx *Tx) fail(err error) error {
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// note is fail for results, where no rows are no failure.
func (tx *Tx) note(err error) error {
	if err != nil && !errors.Is(err, ErrNoRows) {
		return tx.fail(err)
	}
	return err
}

// queueBegin puts BEGIN first into the transaction's first batch.
func (tx *Tx) queueBegin(batch *pgx.Batch) bool {
	if tx.begun() {
		return false
	}
	batch.Queue(beginSQL)
	return true
}

// end undoes what was not committed and gives the connection back; the pool drops one that is broken.
func (tx *Tx) end(conn *pgxpool.Conn) {
	defer conn.Release()
	if tx.conn.IsClosed() || !tx.begun() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if _, err := tx.conn.Exec(ctx, "rollback"); err != nil {
		tx.store.log.Warn("a transaction was not rolled back; its connection is closed", "error", LogText(err))
		_ = tx.conn.Close(ctx)
	}
}

// worthRetrying says which failures another run may not meet. A unique violation is one: the row that it met was committed
// after this run had looked for it, and the next run finds it.
func worthRetrying(err error) bool {
	if errors.Is(err, ErrRetry) {
		return true
	}
	switch sqlState(err) {
	case serializationFailure, deadlockDetected, UniqueViolation:
		return true
	}
	return false
}

// exhausted is the answer when running again did not help.
func exhausted(err error) error {
	if errors.Is(err, ErrRetry) || sqlState(err) == UniqueViolation {
		return problem.Conflict.With("Other requests keep changing the same data.").Wrap(err)
	}
	return problem.Overloaded.Wrap(err)
}
