package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// OpenTuned is Open with a hand on the pool's configuration.
func OpenTuned(ctx context.Context, opts Options, tune func(*pgxpool.Config)) (*Store, error) {
	opts = opts.withDefaults()
	config, err := poolConfig(opts)
	if err != nil {
		return nil, err
	}
	tune(config)
	return open(ctx, opts, config)
}

// EnsureMonth makes one partition of any table.
func EnsureMonth(ctx context.Context, conn *pgx.Conn, table string, month time.Time) error {
	return ensureMonth(ctx, conn, table, month)
}

// DistributeOn is Distribute on any database.
func DistributeOn(ctx context.Context, conn *pgx.Conn) error { return distribute(ctx, conn) }

// CheckSpreads is Store.CheckDistribution on any database.
func CheckSpreads(ctx context.Context, s *Store) error { return checkSpreads(ctx, s.DB(uuid.Nil)) }
