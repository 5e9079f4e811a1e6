package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// On a database with the Citus extension every table of workspaces is distributed by workspace_id, all in the group of the first, so
// that what belongs to a workspace is on one node. Elsewhere there is nothing to do.

// spread is a table of workspaces and where it is.
type spread struct {
	name  string
	group int32        // of the tables that are distributed alike; 0: not distributed
	keys  []foreignKey // to other tables
}

type foreignKey struct {
	Name, To, Text string
}

// step distributes a table. Foreign keys to tables that come later are made anew at the end.
type step struct {
	table string
	later []foreignKey
}

const hasCitus = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"

// listSpreads tells where the tables are that have a workspace_id; partitions go with their parents.
const listSpreads = `
	SELECT
		class.oid::regclass::text,
		coalesce(dist.colocationid, 0)::int,
		coalesce((
			SELECT jsonb_agg(jsonb_build_object('name', con.conname, 'to', con.confrelid::regclass, 'text', pg_get_constraintdef(con.oid)) ORDER BY con.conname)
			FROM pg_constraint AS con
			WHERE con.conrelid = class.oid AND con.contype = 'f' AND con.confrelid <> class.oid
		), '[]')
	FROM pg_class AS class
	JOIN pg_attribute AS attr ON attr.attrelid = class.oid AND attr.attname = 'workspace_id' AND NOT attr.attisdropped
	LEFT JOIN pg_dist_partition AS dist ON dist.logicalrelid = class.oid AND dist.partmethod = 'h'
	WHERE class.relnamespace = current_schema()::regnamespace AND class.relkind IN ('r', 'p') AND NOT class.relispartition
	ORDER BY 1`

func readSpreads(ctx context.Context, db DBTX) ([]spread, error) {
	rows, err := db.Query(ctx, listSpreads)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s spread, err error) {
		return s, row.Scan(&s.name, &s.group, &s.keys)
	})
}

// toDistribute orders the tables that are not distributed: those first that others refer to, since Citus takes a foreign key only
// between tables that are both distributed. Where tables refer to each other, one goes first without its keys.
func toDistribute(tables []spread) (steps []step, err error) {
	done := map[string]bool{} // false: still to come
	var left []spread
	for _, t := range tables {
		if done[t.name] = t.group != 0; !done[t.name] {
			left = append(left, t)
		}
	}
	waits := func(k foreignKey) bool { return !done[k.To] }
	for len(left) > 0 {
		next := max(0, slices.IndexFunc(left, func(t spread) bool { return !slices.ContainsFunc(t.keys, waits) }))
		s := step{table: left[next].name}
		for _, k := range left[next].keys {
			if _, ok := done[k.To]; !ok {
				return nil, fmt.Errorf("store: %s refers to %s, which belongs to no workspace", s.table, k.To)
			}
			if waits(k) {
				s.later = append(s.later, k)
			}
		}
		steps, done[s.table], left = append(steps, s), true, slices.Delete(left, next, next+1)
	}
	return steps, nil
}

// misplaced lists the tables that are not in one group with the first.
func misplaced(tables []spread) (names []string) {
	for _, t := range tables {
		if t.group == 0 || t.group != tables[0].group {
			names = append(names, t.name)
		}
	}
	return names
}

// distribute moves what is not distributed yet, all or nothing; a migration may have made new tables. It may be called again at any
// time.
func distribute(ctx context.Context, conn *pgx.Conn) error {
	tables, err := readSpreads(ctx, conn)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	steps, err := toDistribute(tables)
	if err != nil || len(steps) == 0 {
		return err
	}
	// The first of all has nobody to be beside.
	beside := "none"
	if i := slices.IndexFunc(tables, func(t spread) bool { return t.group != 0 }); i >= 0 {
		beside = tables[i].name
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Without it Citus refuses to distribute a table in the transaction that has distributed one that it refers to.
		sql := []string{"SET LOCAL citus.multi_shard_modify_mode = 'sequential'"}
		var again []string
		for _, s := range steps {
			for _, k := range s.later {
				name := pgx.Identifier{k.Name}.Sanitize()
				sql = append(sql, "ALTER TABLE "+s.table+" DROP CONSTRAINT "+name)
				again = append(again, "ALTER TABLE "+s.table+" ADD CONSTRAINT "+name+" "+k.Text)
			}
			sql = append(sql, fmt.Sprintf("SELECT create_distributed_table('%s', 'workspace_id', colocate_with => '%s')", s.table, beside))
			if beside == "none" {
				beside = s.table
			}
		}
		for _, statement := range append(sql, again...) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("store: distribute: %s: %w", statement, err)
			}
		}
		return nil
	})
}

// Distribute distributes the tables of a Citus database, as the owner. Migrator.Up does so after every migration.
func Distribute(ctx context.Context, ownerURL string) (err error) {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return toProblem(fmt.Errorf("store: %w", err))
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var citus bool
	if err := conn.QueryRow(ctx, hasCitus).Scan(&citus); err != nil || !citus {
		return err
	}
	return distribute(ctx, conn)
}

// CheckDistribution fails on a Citus database with a table of workspaces that is not distributed like the others: what it holds would
// be on one node, and statements that join it with another table would fail.
func (s *Store) CheckDistribution(ctx context.Context) error {
	var citus bool
	if err := s.DB(uuid.Nil).QueryRow(ctx, hasCitus).Scan(&citus); err != nil || !citus {
		return err
	}
	return checkSpreads(ctx, s.DB(uuid.Nil))
}

func checkSpreads(ctx context.Context, db DBTX) error {
	tables, err := readSpreads(ctx, db)
	if err != nil {
		return err
	}
	if names := misplaced(tables); len(names) > 0 {
		return fmt.Errorf("store: not distributed by workspace_id with the others: %s; run `grapevine migrate up`", strings.Join(names, ", "))
	}
	return nil
}
