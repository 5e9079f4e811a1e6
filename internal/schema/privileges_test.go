package schema_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// Facts are added and never changed; nothing is deleted but what only serves until it was worked on.
func TestFactsAreAppendOnly(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).App(t)
	newWorld(t, conn)
	deletable := map[string]bool{"idempotency_keys": true, "click_batches": true, "resettlements": true, "event_batches": true}
	appendOnly := map[string]bool{
		"clicks": true, "signups": true, "attribution_decisions": true, "reversals": true, "churns": true, "ledger_transfers": true,
		"events": true, "event_seals": true, "event_checkpoints": true, "erasure_tombstones": true, "exchange_rates": true,
		"program_versions": true, "visitor_days": true, "credit_redemptions": true, "credit_redemption_items": true, "credit_redemption_voids": true,
		"payout_skips": true,
	}
	// Where a person can be named or known again, its erasure writes over it.
	erasable := map[string][]string{
		"clicks":  {"visitor", "visitor_key", "address_hash", "utm", "referrer_host"},
		"signups": {"external_id", "fingerprint", "metadata"}, "reversals": {"external_id", "conversion_external_id", "fingerprint", "note"},
		"churns": {"external_id", "fingerprint"}, "events": {"note", "note_salt"}, "visitor_days": {"visitor"},
		"credit_redemptions": {"external_id", "note"}, "credit_redemption_voids": {"note"},
	}
	for _, table := range tables(t, conn) {
		if !deletable[table] {
			mustBeForbidden(t, conn, "DELETE FROM "+table)
		}
		mustBeForbidden(t, conn, "TRUNCATE "+table+" CASCADE")
		mustBeForbidden(t, conn, fmt.Sprintf("UPDATE %s SET workspace_id = workspace_id", table))
		if !appendOnly[table] {
			continue
		}
		for _, column := range columns(t, conn, table) {
			if slices.Contains(erasable[table], column) {
				continue
			}
			mustBeForbidden(t, conn, fmt.Sprintf("UPDATE %s SET %s = %s", table, column, column))
		}
		delete(appendOnly, table)
	}
	for table := range appendOnly {
		t.Errorf("there is no table %s", table)
	}
}

func TestApplicationCannotHelpItself(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).App(t)
	for _, sql := range []string{
		`ALTER TABLE codes DROP CONSTRAINT codes_uses_check`,
		`ALTER TABLE events DISABLE TRIGGER ALL`,
		`DROP TABLE events`,
		`DROP INDEX referrals_referee_id_key`,
		`CREATE TABLE mine (id bigint)`,
		`CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
		`CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
		`CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING`,
		`CREATE TABLE mine PARTITION OF clicks FOR VALUES FROM ('00000000-0000-0000-0000-000000000000') TO ('00000000-0000-0000-0000-000000000001')`,
		`ALTER TABLE events OWNER TO grapevine_app`,
		`ALTER ROLE grapevine_app SUPERUSER`,
		`CREATE ROLE mine`,
		`SET session_replication_role = replica`,
		`INSERT INTO clicks_default SELECT * FROM clicks`,
		`SELECT * FROM clicks_default`,
		`UPDATE schema_migrations SET version = 0`,
		`COPY events TO PROGRAM 'true'`,
	} {
		mustBeForbidden(t, conn, sql)
	}
}

// A right to grant would be no error but a warning, so the outcome is asked for.
func TestApplicationCannotGrantItself(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).App(t)
	if _, err := conn.Exec(t.Context(), `GRANT DELETE ON events TO grapevine_app`); err != nil && sqlState(err) != forbidden {
		t.Fatal(err)
	}
	mustBeForbidden(t, conn, `DELETE FROM events`)
}

func mustBeForbidden(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); sqlState(err) != forbidden {
		t.Errorf("%s: %v, want SQLSTATE %s", sql, err, forbidden)
	}
}

func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

func tables(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	return strs(t, conn, `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname !~ '^schema_migrations' ORDER BY 1`)
}

func columns(t *testing.T, conn *pgx.Conn, table string) []string {
	t.Helper()
	return strs(t, conn, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, table)
}

func strs(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(out) == 0 {
		t.Fatalf("%d rows, %v", len(out), err)
	}
	return out
}
