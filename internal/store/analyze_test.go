package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func TestATableIsAnalysedOnceItHasRows(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owner := d.Owner(t)
	for _, sql := range []string{
		"CREATE TABLE grown (n int) WITH (autovacuum_enabled = false)",
		"CREATE TABLE small (n int) WITH (autovacuum_enabled = false)",
		"INSERT INTO grown SELECT generate_series(1, 1000)",
		"INSERT INTO small VALUES (1)",
		"SELECT pg_stat_force_next_flush()",
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	// A login that may read the tables and does not own them is not to be refused again and again.
	login := "analyze_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := owner.Exec(t.Context(), "CREATE ROLE "+login+" LOGIN PASSWORD 'x'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := dbtest.Connect(t, d.URL, "").Exec(context.Background(), "DROP ROLE "+login); err != nil {
			t.Error(err)
		}
	})
	stranger, err := store.Open(t.Context(), store.Options{URL: d.URL, OwnerURL: asLogin(t, d.URL, login, "x")})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if n, err := stranger.AnalyzeNew(t.Context()); n != 0 || err != nil {
		t.Errorf("a login without tables analysed %d: %v", n, err)
	}
	analysed := func() (names []string) {
		if _, err := d.Store.AnalyzeNew(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := owner.QueryRow(t.Context(), `
			SELECT coalesce(array_agg(DISTINCT tablename::text), '{}') FROM pg_stats WHERE tablename IN ('grown', 'small')`).Scan(&names)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if names := analysed(); len(names) != 1 || names[0] != "grown" {
		t.Errorf("analysed %v, want the table that has grown", names)
	}
	if n, err := d.Store.AnalyzeNew(t.Context()); n != 0 || err != nil {
		t.Errorf("a second time analysed %d tables: %v", n, err)
	}
}
