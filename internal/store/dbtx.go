package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DBTX is what queries run on; it is the interface that sqlc generates.
type DBTX interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
}

// ErrNoRows is what a query for one row returns when there is none.
var ErrNoRows = pgx.ErrNoRows

// StatementError is an error of the database, with the sqlc query that met it.
type StatementError struct {
	Statement string // as after `-- name:`; empty for other statements
	Err       error
}

func (e *StatementError) Error() string {
	if e.Statement == "" {
		return e.Err.Error()
	}
	return e.Statement + ": " + e.Err.Error()
}

// Unwrap gives the driver's error.
func (e *StatementError) Unwrap() error { return e.Err }

// named attaches the query to an error, once.
func named(sql string, err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if _, ok := errors.AsType[*StatementError](err); ok {
		return err
	}
	return &StatementError{Statement: statementName(sql), Err: err}
}

// statementName reads `-- name: GetCode :one`.
func statementName(sql string) string {
	rest, ok := strings.CutPrefix(sql, "-- name: ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")
	return name
}

// namedDB gives the errors of a DBTX their statement's name, and what else fix does to them.
type namedDB struct {
	db  DBTX
	fix func(error) error
}

func (n namedDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := n.db.Exec(ctx, sql, args...)
	return tag, n.fix(named(sql, err))
}

func (n namedDB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := n.db.Query(ctx, sql, args...)
	return &namedRows{Rows: rows, sql: sql, fix: n.fix}, n.fix(named(sql, err))
}

func (n namedDB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return namedRow{row: n.db.QueryRow(ctx, sql, args...), sql: sql, fix: n.fix}
}

type namedRow struct {
	row pgx.Row
	sql string
	fix func(error) error
}

func (r namedRow) Scan(dest ...any) error { return r.fix(named(r.sql, r.row.Scan(dest...))) }

type namedRows struct {
	pgx.Rows
	sql    string
	fix    func(error) error
	closed bool
}

func (r *namedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.closed = true
	return false
}

func (r *namedRows) Close() {
	r.closed = true
	r.Rows.Close()
}

func (r *namedRows) Scan(dest ...any) error { return r.fix(named(r.sql, r.Rows.Scan(dest...))) }
func (r *namedRows) Err() error             { return r.fix(named(r.sql, r.Rows.Err())) }

// failed is a result that is only an error.
type failed struct {
	pgx.Rows // nil: a caller that has seen the error calls nothing else
	err      error
}

func (f failed) Close()            {}
func (f failed) Next() bool        { return false }
func (f failed) Err() error        { return f.err }
func (f failed) Scan(...any) error { return f.err }

func unchanged(err error) error { return err }
