package store_test

import (
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// As much of Citus as distributing asks of it, for a PostgreSQL that has none: it refuses as the real one does when a table refers to
// one that is not distributed.
const pretendCitus = `
	CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod "char", colocationid int);
	GRANT SELECT ON pg_dist_partition TO grapevine_app;
	CREATE FUNCTION create_distributed_table(name regclass, by text, colocate_with text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF by <> 'workspace_id' OR EXISTS (
			SELECT FROM pg_constraint
			WHERE conrelid = name AND contype = 'f' AND confrelid <> name AND confrelid NOT IN (SELECT logicalrelid FROM pg_dist_partition)
		) THEN
			RAISE 'cannot distribute %', name;
		END IF;
		IF (colocate_with = 'none') <> (NOT EXISTS (SELECT FROM pg_dist_partition)) THEN
			RAISE '% beside %', name, colocate_with;
		END IF;
		INSERT INTO pg_dist_partition VALUES (name, 'h', 7);
	END $$`

func TestEveryTableOfWorkspacesIsDistributed(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owner := d.Owner(t)
	if _, err := owner.Exec(t.Context(), pretendCitus); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.CheckDistribution(t.Context()); err != nil {
		t.Errorf("a database without the extension: %v", err)
	}
	if err := store.CheckSpreads(t.Context(), d.Store); err == nil || !strings.Contains(err.Error(), "clicks") {
		t.Errorf("nothing is distributed: %v", err)
	}
	keys := func() (n int) {
		if err := owner.QueryRow(t.Context(), "SELECT count(*) FROM pg_constraint WHERE contype = 'f'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := keys()
	for range 2 {
		if err := store.DistributeOn(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
		if err := store.CheckSpreads(t.Context(), d.Store); err != nil {
			t.Error(err)
		}
	}
	if n := keys(); n != before {
		t.Errorf("%d foreign keys of %d are left", n, before)
	}
	var tables, local int
	err := owner.QueryRow(t.Context(), `
		SELECT count(*), count(*) FILTER (WHERE oid NOT IN (SELECT logicalrelid FROM pg_dist_partition))
		FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
			AND relname NOT IN ('pg_dist_partition', 'schema_migrations', 'schema_migrations_lock')`).Scan(&tables, &local)
	if err != nil || tables < 20 || local > 0 {
		t.Errorf("%d of %d tables stay where they are: %v", local, tables, err)
	}
	if _, err := owner.Exec(t.Context(), "CREATE TABLE extras (workspace_id uuid NOT NULL REFERENCES workspaces)"); err != nil {
		t.Fatal(err)
	}
	if err := store.CheckSpreads(t.Context(), d.Store); err == nil || !strings.Contains(err.Error(), "extras") {
		t.Errorf("a table that a migration has added: %v", err)
	}
}
