package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// immediate is the DBTX behind Tx.DB: it begins the transaction if need be and executes.
type immediate struct{ tx *Tx }

func (i immediate) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	conn, err := i.tx.Conn(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return conn.Exec(ctx, sql, args...)
}

func (i immediate) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := i.tx.Conn(ctx)
	if err != nil {
		return failed{err: err}, err
	}
	return conn.Query(ctx, sql, args...)
}

func (i immediate) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	conn, err := i.tx.Conn(ctx)
	if err != nil {
		return failed{err: err}
	}
	return conn.QueryRow(ctx, sql, args...)
}
