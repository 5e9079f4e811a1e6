package store_test

import (
	"io/fs"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func files(pairs ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func wantStatus(t *testing.T, m *store.Migrator, want store.SchemaStatus) {
	t.Helper()
	if got, err := m.Status(t.Context()); err != nil || got != want {
		t.Errorf("status = %+v, %v; want %+v", got, err, want)
	}
}

func TestUpDownStatusAndForce(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	m := store.NewMigratorOf(url, files(
		"000001_one.up.sql", "CREATE TABLE one (id bigint PRIMARY KEY);", "000001_one.down.sql", "DROP TABLE one;",
		"000002_two.up.sql", "CREATE TABLE two (id bigint PRIMARY KEY);", "000002_two.down.sql", "DROP TABLE two;",
		"000003_three.up.sql", "CREATE TABLE three (id bigint PRIMARY KEY); SELECT nonsense;", "000003_three.down.sql", "DROP TABLE three;",
	))
	wantStatus(t, m, store.SchemaStatus{Latest: 3})
	if err := m.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a broken migration gave %v", err)
	}
	wantStatus(t, m, store.SchemaStatus{Version: 3, Latest: 3, Dirty: true})
	if err := m.Up(t.Context()); err == nil {
		t.Error("a dirty schema was migrated")
	}
	if err := m.Force(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, m, store.SchemaStatus{Version: 2, Latest: 3})
	if err := m.Down(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, m, store.SchemaStatus{Version: 1, Latest: 3})
	for range 2 {
		if err := m.Down(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, m, store.SchemaStatus{Latest: 3})
}

// CREATE INDEX CONCURRENTLY waits for every snapshot there is, so a second process that waited inside the database would hang both.
func TestOneProcessMigratesAndTheOthersWait(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	from := files(
		"000001_one.up.sql", "CREATE TABLE one (id bigint PRIMARY KEY); SELECT pg_sleep(0.2);",
		"000002_two.up.sql", "CREATE INDEX CONCURRENTLY one_id_idx ON one (id)",
	)
	var all sync.WaitGroup
	for range 4 {
		m := store.NewMigratorOf(url, from)
		all.Go(func() {
			if err := m.Up(t.Context()); err != nil {
				t.Error(err)
			}
			wantStatus(t, m, store.SchemaStatus{Version: 2, Latest: 2})
		})
	}
	all.Wait()
}

func TestTheServerSeesWhetherTheSchemaIsItsOwn(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if err := d.Store.EnsureClean(t.Context()); err != nil {
		t.Fatal(err)
	}
	owner := d.Owner(t)
	for sql, want := range map[string]string{
		"UPDATE schema_migrations SET version = 0":      "grapevine migrate up",
		"UPDATE schema_migrations SET version = 999999": "run a newer one",
		"UPDATE schema_migrations SET dirty = true":     "grapevine migrate force",
		"DELETE FROM schema_migrations":                 "grapevine migrate up",
	} {
		if _, err := owner.Exec(t.Context(), "BEGIN; INSERT INTO schema_migrations SELECT * FROM schema_migrations WHERE false; "+sql+"; COMMIT"); err != nil {
			t.Fatal(err)
		}
		if err := d.Store.EnsureClean(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err = %v", sql, err)
		}
		if _, err := owner.Exec(t.Context(), "DELETE FROM schema_migrations; INSERT INTO schema_migrations VALUES (1, false)"); err != nil {
			t.Fatal(err)
		}
	}
	empty := newFixture(t, store.Options{})
	if err := empty.EnsureClean(t.Context()); err == nil || !strings.Contains(err.Error(), "grapevine migrate up") {
		t.Errorf("an empty database: %v", err)
	}
}

func TestTheApplicationsLoginMayTakeItsRole(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	owner := dbtest.Connect(t, url, "")
	login := "grapevine_login_" + uuid.NewString()[:8]
	if _, err := owner.Exec(t.Context(), "CREATE ROLE "+login+" LOGIN PASSWORD 'x'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := dbtest.Connect(t, url, "").Exec(t.Context(), "DROP ROLE "+login); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	opts := store.Options{URL: asLogin(t, url, login, "x"), OwnerURL: url}
	if s, err := store.Open(t.Context(), opts); err == nil {
		s.Close()
		t.Fatal("a login without the role came in")
	}
	for range 2 {
		if err := store.EnsureRole(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestPartitionsOfClicksAreMadeAhead(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	now := time.Date(2031, 12, 31, 23, 59, 59, 0, time.FixedZone("", 3600))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := d.Store.EnsurePartitions(t.Context(), now); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := d.Store.EnsurePartitions(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	var names []string
	err := d.Owner(t).QueryRow(t.Context(), `
		SELECT array_agg(relname::text ORDER BY relname)
		FROM pg_class JOIN pg_inherits ON inhrelid = oid
		WHERE inhparent = 'clicks'::regclass AND relname > 'clicks_2031' AND relname < 'clicks_d'`).Scan(&names)
	if want := []string{"clicks_203111", "clicks_203112", "clicks_203201", "clicks_203202", "clicks_203203"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("%v, %v", names, err)
	}
}

func TestRowsGoToTheirMonthAlsoWhenTheyCameFirst(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	owner := dbtest.Connect(t, url, "")
	if _, err := owner.Exec(t.Context(), `
		CREATE TABLE visits (workspace_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (workspace_id, id)) PARTITION BY RANGE (id);
		CREATE TABLE visits_default PARTITION OF visits DEFAULT`); err != nil {
		t.Fatal(err)
	}
	february := time.Date(2028, 2, 1, 0, 0, 0, 0, time.UTC)
	put := func(at time.Time) {
		id := uuid.MustParse("00000000-0000-7000-8000-000000000000")
		ms := at.UnixMilli()
		for i := range 6 {
			id[i] = byte(ms >> (40 - 8*i))
		}
		if _, err := owner.Exec(t.Context(), "INSERT INTO visits VALUES ($1, $2)", workspace, id); err != nil {
			t.Fatal(err)
		}
	}
	where := func() map[string]int64 {
		found := map[string]int64{}
		for _, name := range []string{"visits_default", "visits_202802"} {
			var n int64
			if err := owner.QueryRow(t.Context(), "SELECT count(*) FROM "+name).Scan(&n); err != nil {
				t.Fatal(err)
			}
			found[name] = n
		}
		return found
	}
	put(february.Add(-time.Millisecond))
	put(february)
	put(february.AddDate(0, 1, 0).Add(-time.Millisecond))
	put(february.AddDate(0, 1, 0))
	for range 2 {
		if err := store.EnsureMonth(t.Context(), owner, "visits", february); err != nil {
			t.Fatal(err)
		}
	}
	if got := where(); !reflect.DeepEqual(got, map[string]int64{"visits_default": 2, "visits_202802": 2}) {
		t.Errorf("rows are in %v", got)
	}
	put(february.Add(time.Hour))
	if got := where(); got["visits_202802"] != 3 {
		t.Errorf("a new row went elsewhere: %v", got)
	}
}
