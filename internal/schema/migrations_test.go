package schema_test

import (
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/validate"
	"github.com/grapevine-referrals/grapevine/sql/migrations"
)

var migrationName = regexp.MustCompile(`^(\d{6})_([a-z0-9_]+)\.(up|down)\.sql$`)

// A number that is left out or used twice is skipped without a word when it arrives later.
func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	if faults := numberingFaults(migrationFiles(t)); len(faults) > 0 {
		t.Error(faults)
	}
}

func TestNumberingFaultsAreSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files  string
		faults bool
	}{
		{"000001_a.up.sql 000001_a.down.sql 000002_b.up.sql 000002_b.down.sql", false},
		{"000001_a.up.sql 000001_a.down.sql 000003_b.up.sql 000003_b.down.sql", true},
		{"000002_b.up.sql 000002_b.down.sql", true},
		{"000001_a.up.sql", true},
		{"000001_a.down.sql", true},
		{"000001_a.up.sql 000001_b.down.sql", true},
		{"000001_a.up.sql 000001_a.down.sql 000001_b.up.sql 000001_b.down.sql", true},
		{"1_a.up.sql 1_a.down.sql", true},
		{"000001_A.up.sql 000001_A.down.sql", true},
		{"000001_a.up.sql 000001_a.down.sql notes.sql", true},
	} {
		if faults := numberingFaults(strings.Fields(c.files)); len(faults) > 0 != c.faults {
			t.Errorf("%s: %q", c.files, faults)
		}
	}
}

func migrationFiles(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	return files
}

// numberingFaults expects files in alphabetical order: each migration's down before its up.
func numberingFaults(files []string) []string {
	files = slices.Sorted(slices.Values(files))
	var faults []string
	for i, file := range files {
		parts := migrationName.FindStringSubmatch(file)
		if parts == nil {
			faults = append(faults, file+" is not called NNNNNN_name.up.sql or .down.sql")
			continue
		}
		number, _ := strconv.Atoi(parts[1])
		direction, other := "down", "up"
		if i%2 == 1 {
			direction, other = "up", "down"
		}
		if number != i/2+1 || parts[3] != direction {
			faults = append(faults, fmt.Sprintf("%s stands where number %d %s belongs", file, i/2+1, direction))
		}
		if !slices.Contains(files, parts[1]+"_"+parts[2]+"."+map[string]string{direction: other, other: direction}[parts[3]]+".sql") {
			faults = append(faults, file+" has no counterpart")
		}
	}
	return faults
}

// Each migration down leaves what there was before it, and the way up again leads to the same schema.
func TestMigrationsUpDownUp(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	m := migrator(t, url)
	latest := uint(len(migrationFiles(t)) / 2)
	states := []string{dump(t, url)}
	for version := uint(1); version <= latest; version++ {
		if err := m.Migrate(version); err != nil {
			t.Fatalf("up to %d: %v", version, err)
		}
		states = append(states, dump(t, url))
	}
	full := pgDump(t, url)
	for version := latest; version > 0; version-- {
		if err := m.Steps(-1); err != nil {
			t.Fatalf("down from %d: %v", version, err)
		}
		if got := dump(t, url); got != states[version-1] {
			t.Errorf("migration %d down leaves\n%s\nwant\n%s", version, got, states[version-1])
		}
	}
	if err := m.Up(); err != nil {
		t.Fatalf("up again: %v", err)
	}
	if got := dump(t, url); got != states[latest] {
		t.Errorf("up again makes another schema:\n%s\nwant\n%s", got, states[latest])
	}
	if got := pgDump(t, url); got != full {
		t.Error("pg_dump of the schema differs after down and up")
	}
}

// What the ledger held before kinds of rewards were told apart is split by the rewards of its transfers, and added up on the way back.
func TestLedgerIsSplitByKind(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	m := migrator(t, url)
	conn := dbtest.Connect(t, url, "")
	to := func(version uint) {
		if err := m.Migrate(version); err != nil {
			t.Fatalf("to %d: %v", version, err)
		}
	}
	balances := func(columns string) string {
		var told string
		sql := "SELECT string_agg(concat_ws(' ', " + columns + ", balance), ', ' ORDER BY " + columns + ") FROM ledger_accounts"
		if err := conn.QueryRow(t.Context(), sql).Scan(&told); err != nil {
			t.Fatal(err)
		}
		return told
	}
	to(10)
	const w, version = "'01900000-0000-7000-8000-000000000001'::uuid", "'01900000-0000-7000-8000-000000000002'::uuid"
	for _, sql := range []string{
		`SET session_replication_role = replica`, // none of these needs a program here
		`INSERT INTO participants (workspace_id, id, external_id, state, metadata, version, created_at) VALUES (` + w + `, ` + version + `, 'p', 'active', '{}', 1, now())`,
		`INSERT INTO rewards (workspace_id, id, program_id, program_version_id, participant_id, cause_kind, cause_id, rule_key, beneficiary, level, kind,
			currency, granted, reversed, capped, state, reason, available_at, version, created_at)
		SELECT ` + w + `, ('01900000-0000-7000-8000-00000000001' || n)::uuid, ` + version + `, ` + version + `, ` + version + `, 'manual', gen_random_uuid(), 'manual',
			'participant', 0, (ARRAY['money', 'credit'])[n], 'USD', n * 100, 0, 0, 'pending', 'MANUAL', now(), 1, now() FROM generate_series(1, 2) AS n`,
		`INSERT INTO ledger_accounts (workspace_id, participant_id, currency, kind, balance)
		VALUES (` + w + `, ` + version + `, 'USD', 'expense', -300), (` + w + `, ` + version + `, 'USD', 'pending', 300)`,
		`INSERT INTO ledger_transfers (workspace_id, id, participant_id, currency, from_kind, to_kind, amount, recipe, reason, reward_id, created_at)
		SELECT workspace_id, gen_random_uuid(), participant_id, currency, 'expense', 'pending', granted, 'accrue', 'MANUAL', id, now() FROM rewards`,
		`SET session_replication_role = origin`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	before := balances("currency, kind")
	to(11)
	if got := balances("currency, reward_kind, kind"); got != "USD credit expense -200, USD credit pending 200, USD money expense -100, USD money pending 100" {
		t.Errorf("split: %s", got)
	}
	to(10)
	if got := balances("currency, kind"); got != before {
		t.Errorf("added up again: %s, want %s", got, before)
	}
}

func migrator(t *testing.T, url string) *migrate.Migrate {
	t.Helper()
	files, err := iofs.New(migrations.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	m, err := migrate.NewWithSourceInstance("iofs", files, "pgx5"+strings.TrimPrefix(url, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = m.Close() })
	return m
}

// dump is the schema by the catalogue, with what breaks a rule: functions, types and views among it.
func dump(t *testing.T, url string) string {
	t.Helper()
	conn := dbtest.Connect(t, url, "")
	items, err := validate.Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, i := range items {
		lines = append(lines, i.String())
	}
	for _, r := range validate.Rules {
		offenders, err := r.Offenders(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, offenders...)
	}
	return strings.Join(lines, "\n")
}

// unstable are the lines of pg_dump that are random or tell the time.
var unstable = regexp.MustCompile(`(?m)^(\\(un)?restrict .*|--.*)\n`)

// pgDump is the schema by PostgreSQL's own tool, where that is installed and not older than the server; the catalogue's dump
// stands for it otherwise.
func pgDump(t *testing.T, url string) string {
	t.Helper()
	program, err := exec.LookPath("pg_dump")
	if err != nil {
		t.Log("pg_dump is not installed: compared by the catalogue alone")
		return ""
	}
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), program, "--schema-only", url).CombinedOutput()
	if strings.Contains(string(out), "server version mismatch") {
		t.Log("pg_dump is older than the server: compared by the catalogue alone")
		return ""
	}
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	return unstable.ReplaceAllString(string(out), "")
}
