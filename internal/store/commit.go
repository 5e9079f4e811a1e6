package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

var errQueueOnly = errors.New("store: Write and Guard take statements without a result; ask with Load or DB")

// queue is the DBTX of Write and Guard.
type queue struct {
	tx    *Tx
	guard bool
}

type queued struct {
	sql   string
	args  []any
	guard bool
}

func (q queue) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.tx.queued = append(q.tx.queued, queued{sql: sql, args: args, guard: q.guard})
	return pgconn.CommandTag{}, nil
}

func (q queue) Query(_ context.Context, sql string, _ ...any) (pgx.Rows, error) {
	err := named(sql, errQueueOnly)
	return failed{err: err}, err
}

func (q queue) QueryRow(_ context.Context, sql string, _ ...any) pgx.Row {
	return failed{err: named(sql, errQueueOnly)}
}

// commit sends the queue and COMMIT, together when nothing has to be looked at in between.
func (tx *Tx) commit(ctx context.Context) error {
	if tx.first != nil {
		if err := tx.Load(ctx); err != nil {
			return err
		}
	}
	if tx.failed != nil {
		return tx.failed
	}
	if !tx.begun() && len(tx.queued) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // nobody waits for the answer and nothing has been promised
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tx.store.opts.CommitTimeout)
	defer cancel()
	for _, q := range tx.queued {
		if q.guard {
			if err := tx.send(ctx, false); err != nil {
				return err
			}
			tx.queued = nil
			break
		}
	}
	return tx.send(ctx, true)
}

func (tx *Tx) send(ctx context.Context, withCommit bool) (err error) {
	batch := &pgx.Batch{}
	begin := tx.queueBegin(batch)
	for _, q := range tx.queued {
		batch.Queue(q.sql, q.args...)
	}
	if withCommit {
		batch.Queue("commit")
	}
	results := tx.conn.SendBatch(ctx, batch)
	committed := false
	defer func() {
		closeErr := results.Close()
		if committed {
			return // what happens to the connection after that does not matter
		}
		if err == nil {
			err = named("", closeErr)
		}
		if withCommit && err != nil && !certain(err) {
			err = problem.OutcomeUnknown.Wrap(err)
		}
	}()
	if begin {
		if _, err := results.Exec(); err != nil {
			return named("", err)
		}
	}
	for _, q := range tx.queued {
		tag, err := results.Exec()
		if err != nil {
			return named(q.sql, err)
		}
		if q.guard && tag.RowsAffected() != 1 {
			return &StatementError{Statement: statementName(q.sql), Err: fmt.Errorf("%w: %d rows", ErrGuard, tag.RowsAffected())}
		}
	}
	if withCommit {
		committed, err = tx.readCommit(results)
	}
	return err
}

// readCommit reads the answer to COMMIT.
func (tx *Tx) readCommit(results pgx.BatchResults) (bool, error) {
	notes := tx.conn.PgConn().CustomData()
	delete(notes, warningKey)
	tag, err := results.Exec()
	if err != nil {
		return false, named("", err)
	}
	if warning, ok := notes[warningKey].(*pgconn.Notice); ok {
		return false, fmt.Errorf("store: the commit came with a warning: %s", warning.Message)
	}
	if tag.String() != "COMMIT" {
		return false, pgx.ErrTxCommitRollback
	}
	return true, nil
}

const warningKey = "grapevine warning"

// noteWarning keeps a warning with its connection, for readCommit.
func noteWarning(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warningKey] = notice
	}
}

// certain reports whether an error of a batch that carried COMMIT says that nothing was committed: the database itself refused a
// statement or the commit, or nothing was sent. A fatal error is none of these: it may have met the server after its commit.
func certain(err error) bool {
	if _, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok {
		return true
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		unknown := pgErr.Code == "40003" || strings.HasPrefix(pgErr.Code, "08")
		return pgErr.SeverityUnlocalized == "ERROR" && !unknown
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, pgx.ErrTxCommitRollback)
}
