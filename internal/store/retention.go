package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrUnfolded says that clicks are to be dropped which the statistics do not hold yet.
var ErrUnfolded = errors.New("store: clicks to be dropped are not folded yet")

// DropClicks drops the clicks of the months that were over at an instant, and says how many partitions that were. The month before
// this one stays, which EnsurePartitions makes, and so do clicks that a signup may still come of: signup and click may both be told as
// much as slack after they occurred. Any number of processes may do so at any time. Error: ErrUnfolded, and nothing is dropped.
func (s *Store) DropClicks(ctx context.Context, before, now time.Time, slack time.Duration) (dropped int, err error) {
	err = asOwner(ctx, s.opts.OwnerURL, func(conn *pgx.Conn) error {
		var window int64
		const longest = "SELECT coalesce(max((rules -> 'attribution' ->> 'window_seconds')::bigint), 0)::bigint FROM program_versions"
		if err := conn.QueryRow(ctx, longest).Scan(&window); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		first := monthOf(now).AddDate(0, -1, 0)
		for _, limit := range []time.Time{before, now.Add(-time.Duration(window)*time.Second - 2*slack)} {
			if month := monthOf(limit); month.Before(first) {
				first = month
			}
		}
		months, err := monthsBefore(ctx, conn, first)
		if err != nil || len(months) == 0 {
			return err
		}
		dropped = len(months)
		return dropMonths(ctx, conn, months, first)
	})
	if err != nil {
		dropped = 0
	}
	return dropped, err
}

// monthsBefore names the partitions whose clicks were all made before the first of a month.
func monthsBefore(ctx context.Context, on *pgx.Conn, first time.Time) ([]string, error) {
	rows, err := on.Query(ctx, `
		SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
		WHERE inhparent = 'clicks'::regclass AND relname ~ '^clicks_[0-9]{6}$' AND relname < $1
		ORDER BY relname`, "clicks_"+first.Format("200601"))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// dropMonths drops partitions, and the clicks before the first of a month that are in the default one. The lock waits for clicks that
// are being written, so that none can be on its way there without its marker being seen.
func dropMonths(ctx context.Context, conn *pgx.Conn, months []string, first time.Time) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE ONLY clicks IN ACCESS EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		var unfolded bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM click_batches WHERE first_click_id < $1)", LowestID(first)).Scan(&unfolded); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if unfolded {
			return ErrUnfolded
		}
		for _, name := range months {
			if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
				return fmt.Errorf("store: drop %s: %w", name, err)
			}
		}
		_, err := tx.Exec(ctx, "DELETE FROM clicks_default WHERE id < $1", LowestID(first))
		return err
	})
}
