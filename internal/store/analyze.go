package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// firstAnalyze is how many changed rows make a table worth its first look.
const firstAnalyze = 200

// AnalyzeNew analyses the tables that have rows and were never analysed, and says how many; a login that does not own them leaves
// them to the server, which would refuse it anyway. Until then the planner guesses, and a
// cached plan may read a whole workspace where an index has the row; the server's own autovacuum comes round once a minute
// only. New statistics make every session plan again. Any number of processes may do so at any time.
func (s *Store) AnalyzeNew(ctx context.Context) (int, error) {
	conn, err := pgx.Connect(ctx, s.opts.OwnerURL)
	if err != nil {
		return 0, toProblem(fmt.Errorf("store: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `
		SELECT relid::regclass::text FROM pg_stat_user_tables JOIN pg_class ON pg_class.oid = relid
		WHERE schemaname = current_schema() AND last_analyze IS NULL AND last_autoanalyze IS NULL AND n_mod_since_analyze >= $1
			AND pg_has_role(relowner, 'USAGE')`, firstAnalyze)
	if err != nil {
		return 0, toProblem(fmt.Errorf("store: %w", err))
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, toProblem(fmt.Errorf("store: %w", err))
	}
	for _, table := range tables {
		if _, err := conn.Exec(ctx, "ANALYZE "+table); err != nil {
			return 0, toProblem(fmt.Errorf("store: analyse %s: %w", table, err))
		}
	}
	return len(tables), nil
}
