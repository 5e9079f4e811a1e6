package store

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	errDiscarded = errors.New("store: the load has ended with another function's error")
	errRowsOpen  = errors.New("store: a function of Load asked for a statement before it had read the rows of the one before")
)

// Load runs functions whose statements travel together; see the package's documentation.
func (tx *Tx) Load(ctx context.Context, fns ...func(db DBTX) error) error {
	if tx.first != nil {
		fns = append([]func(DBTX) error{tx.first}, fns...)
		tx.first = nil
	}
	parts := make([]*part, 0, len(fns))
	defer func() {
		for _, p := range parts {
			p.stop()
		}
	}()
	for _, fn := range fns {
		p := newPart(fn)
		parts = append(parts, p)
		if p.err != nil {
			return p.err
		}
	}
	if tx.failed != nil {
		return tx.failed
	}
	for {
		waiting := parts[:0:0]
		for _, p := range parts {
			if p.asked != nil {
				waiting = append(waiting, p)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		if err := tx.round(ctx, waiting); err != nil {
			return err
		}
	}
}

// round sends what every part has asked for in one batch and lets each go on with its result.
func (tx *Tx) round(ctx context.Context, parts []*part) (err error) {
	batch := &pgx.Batch{}
	begin := tx.queueBegin(batch)
	for _, p := range parts {
		batch.Queue(p.asked.sql, p.asked.args...)
	}
	results := tx.conn.SendBatch(ctx, batch)
	defer func() {
		if closeErr := results.Close(); closeErr != nil {
			_ = tx.fail(named("", closeErr))
			err = cmp.Or(err, tx.failed)
		}
	}()
	if begin {
		if _, err := results.Exec(); err != nil {
			return tx.fail(named("", err))
		}
	}
	for _, p := range parts {
		if err := p.receive(tx, results); err != nil {
			return err
		}
	}
	return nil
}

// part is one function of a Load, as a coroutine that stops wherever it asks for a statement.
type part struct {
	next  func() (*request, bool)
	stop  func()
	asked *request // nil once the function has returned
	err   error    // what it returned
}

// request is a statement that a part waits for, and its result.
type request struct {
	sql  string
	args []any
	rows *namedRows
	err  error
}

func newPart(fn func(DBTX) error) *part {
	p := &part{}
	p.next, p.stop = iter.Pull(func(yield func(*request) bool) { p.err = fn(gatherer{yield}) })
	p.asked, _ = p.next()
	return p
}

// receive takes the next result of the batch and runs the function until it returns or asks again.
func (p *part) receive(tx *Tx, results pgx.BatchResults) error {
	had := p.asked
	rows, err := results.Query()
	had.rows, had.err = &namedRows{Rows: rows, sql: had.sql, fix: unchanged, closed: err != nil}, named(had.sql, err)
	p.asked, _ = p.next()
	unread := p.asked != nil && !had.rows.closed
	rows.Close()
	if err := named(had.sql, rows.Err()); err != nil {
		return cmp.Or(p.err, tx.fail(err)) // also when the function did not care
	}
	if unread {
		return errRowsOpen
	}
	return p.err
}

// gatherer is the DBTX of one function of a Load. Its yield returns when the result is there, or false when it will never be.
type gatherer struct{ yield func(*request) bool }

func (g gatherer) ask(sql string, args []any) (*namedRows, error) {
	r := &request{sql: sql, args: args}
	if !g.yield(r) {
		return nil, errDiscarded
	}
	return r.rows, r.err
}

func (g gatherer) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	rows, err := g.ask(sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

func (g gatherer) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := g.ask(sql, args)
	if err != nil {
		return failed{err: err}, err
	}
	return rows, nil
}

func (g gatherer) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	rows, err := g.ask(sql, args)
	if err != nil {
		return failed{err: err}
	}
	rows.closed = true // a single row need not be scanned
	return gatheredRow{rows}
}

type gatheredRow struct{ rows *namedRows }

func (r gatheredRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
