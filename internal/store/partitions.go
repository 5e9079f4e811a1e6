package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const partitionsAhead = 3

// EnsurePartitions makes the monthly partitions of clicks around now that are missing: the month before, this one and three ahead. Any
// number of processes may do so at any time.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time) error {
	return EnsurePartitions(ctx, s.opts.OwnerURL, now)
}

// EnsurePartitions is Store.EnsurePartitions for who has no Store yet.
func EnsurePartitions(ctx context.Context, ownerURL string, now time.Time) error {
	return asOwner(ctx, ownerURL, func(conn *pgx.Conn) error {
		first := monthOf(now).AddDate(0, -1, 0)
		for month := range partitionsAhead + 2 {
			if err := ensureMonth(ctx, conn, "clicks", first.AddDate(0, month, 0)); err != nil {
				return fmt.Errorf("store: partition of clicks for %s: %w", first.AddDate(0, month, 0).Format("2006-01"), err)
			}
		}
		return nil
	})
}

// asOwner changes partitions. Clicks that are written meanwhile must not queue behind a wait of it: the next turn tries again.
func asOwner(ctx context.Context, ownerURL string, change func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return toProblem(fmt.Errorf("store: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "SET lock_timeout = '2s'"); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return change(conn)
}

func monthOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), t.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}

func ensureMonth(ctx context.Context, conn *pgx.Conn, table string, month time.Time) error {
	name := table + "_" + month.Format("200601")
	exists := func() (found bool, err error) {
		err = conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&found)
		return found, err
	}
	if found, err := exists(); err != nil || found {
		return err
	}
	bounds := fmt.Sprintf("FOR VALUES FROM ('%s') TO ('%s')", LowestID(month), LowestID(month.AddDate(0, 1, 0)))
	_, err := conn.Exec(ctx, fmt.Sprintf("CREATE TABLE %s PARTITION OF %s %s", name, table, bounds))
	if sqlState(err) == CheckViolation { // the default partition has rows of this month
		err = splitDefault(ctx, conn, table, name, bounds, month)
	}
	if err != nil {
		if found, existsErr := exists(); existsErr == nil && found {
			return nil // another process was quicker
		}
	}
	return err
}

// splitDefault makes a partition and moves the rows there that came before it and went into the default partition.
func splitDefault(ctx context.Context, conn *pgx.Conn, table, name, bounds string, month time.Time) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			fmt.Sprintf("LOCK TABLE %s_default IN ACCESS EXCLUSIVE MODE", table),
			fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)", name, table),
			fmt.Sprintf("WITH moved AS (DELETE FROM %s_default WHERE id >= '%s' AND id < '%s' RETURNING *) INSERT INTO %s SELECT * FROM moved",
				table, LowestID(month), LowestID(month.AddDate(0, 1, 0)), name),
			fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s %s", table, name, bounds),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// LowestID is the least id that can have been made at an instant: the 48 bits of milliseconds of UUID v7, then nothing.
func LowestID(t time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16)
	return id
}
