package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// named is a constraint or an index that is not one.
type named struct {
	Table, Name, Kind string
	Columns           []string
}

const namedThings = `
	SELECT c.relname::text, k.conname::text, k.contype::text,
		(SELECT array_agg(a.attname::text ORDER BY o.at) FROM unnest(k.conkey) WITH ORDINALITY AS o (num, at)
			JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = o.num)
	FROM pg_class AS c
	JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype <> 'n'
	WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname !~ '^schema_migrations'
	UNION ALL
	SELECT c.relname::text, x.relname::text, CASE WHEN i.indisunique THEN 'u' ELSE 'i' END,
		(SELECT array_agg(a.attname::text ORDER BY o.at) FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS o (num, at)
			JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = o.num)
	FROM pg_class AS c
	JOIN pg_index AS i ON i.indrelid = c.oid
	JOIN pg_class AS x ON x.oid = i.indexrelid
	WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname !~ '^schema_migrations'
		AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))`

var suffixes = map[string]string{"p": "pkey", "u": "key", "f": "fkey", "c": "check", "i": "idx", "x": "excl"}

// lawful reports whether a name is the table, the columns that tell it apart, and the kind. Columns keep their order; those
// that say nothing may be left out, and workspace_id is named only when it is alone.
func (n named) lawful() bool {
	if n.Kind == "p" {
		return n.Name == n.Table+"_pkey"
	}
	words, ok := strings.CutPrefix(n.Name, n.Table+"_")
	words, ok2 := strings.CutSuffix(words, "_"+suffixes[n.Kind])
	columns := n.Columns
	if len(columns) > 1 {
		columns = slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return c == "workspace_id" })
	}
	return ok && ok2 && spells(words, columns)
}

// spells reports whether words are some of the columns, joined in order.
func spells(words string, columns []string) bool {
	for i, c := range columns {
		rest, ok := strings.CutPrefix(words, c)
		if !ok {
			continue
		}
		if rest == "" {
			return true
		}
		if rest, ok = strings.CutPrefix(rest, "_"); ok && spells(rest, columns[i+1:]) {
			return true
		}
	}
	return false
}

func TestNamesFollowTheLaw(t *testing.T) {
	t.Parallel()
	rows, err := dbtest.New(t).Owner(t).Query(t.Context(), namedThings)
	if err != nil {
		t.Fatal(err)
	}
	things, err := pgx.CollectRows(rows, pgx.RowToStructByPos[named])
	if err != nil || len(things) < 50 {
		t.Fatalf("%d things, %v", len(things), err)
	}
	for _, n := range things {
		if !n.lawful() {
			t.Errorf("%s on %s (%s) is named against the law <table>_<columns>_%s", n.Name, n.Table, strings.Join(n.Columns, ", "), suffixes[n.Kind])
		}
	}
}

func TestUnlawfulNamesAreSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		named
		lawful bool
	}{
		{named{"codes", "codes_pkey", "p", []string{"workspace_id", "id"}}, true},
		{named{"codes", "pk_codes", "p", []string{"workspace_id", "id"}}, false},
		{named{"codes", "codes_folded_value_key", "u", []string{"workspace_id", "folded_value"}}, true},
		{named{"codes", "codes_folded_value_idx", "u", []string{"workspace_id", "folded_value"}}, false},
		{named{"codes", "codes_value_key", "u", []string{"workspace_id", "folded_value"}}, false},
		{named{"codes", "folded_value_key", "u", []string{"workspace_id", "folded_value"}}, false},
		{named{"codes", "codes_participant_id_idx", "i", []string{"workspace_id", "participant_id", "id"}}, true},
		{named{"codes", "codes_participant_id_id_idx", "i", []string{"workspace_id", "participant_id", "id"}}, true},
		{named{"codes", "codes_id_participant_id_idx", "i", []string{"workspace_id", "participant_id", "id"}}, false},
		{named{"codes", "codes_workspace_id_idx", "i", []string{"workspace_id", "participant_id"}}, false},
		{named{"events", "events_workspace_id_fkey", "f", []string{"workspace_id"}}, true},
		{named{"codes", "codes_uses_check", "c", []string{"uses", "max_uses"}}, true},
		{named{"codes", "codes_limit_check", "c", []string{"uses", "max_uses"}}, false},
	} {
		if c.lawful != c.named.lawful() {
			t.Errorf("%s: lawful is %v", c.Name, !c.lawful)
		}
	}
}
