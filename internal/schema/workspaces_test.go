package schema_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// reference is a foreign key, column by column.
type reference struct {
	Name, Table, Target string
	Columns, Targets    []string
}

const references = `
	SELECT k.conname::text, k.conrelid::regclass::text, k.confrelid::regclass::text,
		(SELECT array_agg(a.attname::text ORDER BY o.at) FROM unnest(k.conkey) WITH ORDINALITY AS o (num, at)
			JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = o.num),
		(SELECT array_agg(a.attname::text ORDER BY o.at) FROM unnest(k.confkey) WITH ORDINALITY AS o (num, at)
			JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = o.num)
	FROM pg_constraint AS k
	WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`

// fresh keeps a copied row clear of every unique key but the one under test: names of its columns that do not exist are ignored.
const fresh = `jsonb_build_object('id', gen_random_uuid(), 'external_id', gen_random_uuid(), 'key', gen_random_uuid(), 'folded_value', gen_random_uuid(),
	'cause_id', gen_random_uuid(), 'fact_id', gen_random_uuid(), 'number', 99, 'seq', 99, 'shard', 9, 'visitor', '\x01', 'hash', decode(repeat('01', 32), 'hex'))`

// A row that names a row of another workspace is refused, by every foreign key there is.
func TestForeignKeysStayInTheWorkspace(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).App(t)
	mine, foreign := newWorld(t, conn), newWorld(t, conn)
	rows, err := conn.Query(t.Context(), references)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[reference])
	if err != nil || len(keys) < 30 {
		t.Fatalf("%d foreign keys, %v", len(keys), err)
	}
	for _, k := range keys {
		if err := copyRow(t, conn, k, mine["w"], foreign["w"]); sqlState(err) != foreignKey {
			t.Errorf("%s: a reference to another workspace: %v, want SQLSTATE %s", k.Name, err, foreignKey)
		}
		// The same row with its own reference goes in, unless it is there already: what was refused was the foreign one.
		if err := copyRow(t, conn, k, mine["w"], mine["w"]); err != nil && sqlState(err) != unique {
			t.Errorf("%s: a reference of its own: %v", k.Name, err)
		}
	}
}

// beyond is what a copied row needs besides, so that no other constraint refuses it first.
var beyond = map[string]string{
	"reversals_restores_reversal_id_fkey": `{"kind": "dispute_won"}`,
	"conversions_exchange_rate_id_fkey": `{"currency": "EUR", "base_amount": 1, "exchange_rate": "1.1", "exchange_rate_source": "s",
		"exchange_rate_at": "2026-05-01T00:00:00Z"}`,
	"referrals": `{"state": "expired", "ended_at": "2026-05-01T00:00:00Z"}`,
}

// copyRow copies a row of a workspace with the columns of one foreign key taken from another one, in a transaction that is rolled
// back. A key of nothing but workspace_id is given one that does not exist.
func copyRow(t *testing.T, conn *pgx.Conn, k reference, from, to any) error {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	var changes []string
	for i, column := range k.Columns {
		switch {
		case column != "workspace_id":
			changes = append(changes, fmt.Sprintf("'%s', target.%s", column, k.Targets[i]))
		case len(k.Columns) == 1 && from != to:
			changes = append(changes, "'workspace_id', gen_random_uuid()")
		}
	}
	more := cmp.Or(beyond[k.Name], beyond[k.Table], "{}")
	_, err = tx.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO %[1]s
		SELECT (jsonb_populate_record(NULL::%[1]s, to_jsonb(origin) || %[2]s || jsonb_build_object(%[3]s) || '%[4]s')).*
		FROM (SELECT * FROM %[1]s WHERE workspace_id = $1 LIMIT 1) AS origin,
			(SELECT * FROM %[5]s WHERE workspace_id = $2 ORDER BY 2 DESC LIMIT 1) AS target`,
		k.Table, fresh, strings.Join(changes, ", "), more, k.Target), from, to)
	return err
}
