package validate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/validate"
)

func TestRequiredIsWhatTheMigrationsMake(t *testing.T) {
	t.Parallel()
	have, err := validate.Read(t.Context(), dbtest.New(t).Owner(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(have, validate.Required()) {
		for _, line := range validate.Compare(have, validate.Required()) {
			t.Error("schema.txt: " + line)
		}
		t.Error("internal/validate/schema.txt is not what the migrations make: run `make catalogue`")
	}
}

func TestMigratedDatabaseIsValid(t *testing.T) {
	t.Parallel()
	lines, err := validate.Schema(t.Context(), dbtest.New(t).Owner(t))
	if err != nil || len(lines) > 0 {
		t.Errorf("%q, %v", lines, err)
	}
}

// The application's role sees what the owner sees, so that an operator can check with either.
func TestApplicationRoleCanValidate(t *testing.T) {
	t.Parallel()
	lines, err := validate.Schema(t.Context(), dbtest.New(t).App(t))
	if err != nil || len(lines) > 0 {
		t.Errorf("%q, %v", lines, err)
	}
}

func TestEmptyDatabaseLacksEverything(t *testing.T) {
	t.Parallel()
	lines, err := validate.Schema(t.Context(), dbtest.Connect(t, dbtest.Empty(t), ""))
	if err != nil || len(lines) != len(validate.Required()) {
		t.Errorf("%d lines, want one for each of %d: %v", len(lines), len(validate.Required()), err)
	}
}

// Every single thing that is required is taken away once.
func TestEverythingRemovedIsMissed(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).Owner(t)
	for _, item := range validate.Required() {
		sql := removal(item)
		lines := after(t, conn, sql)
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(line, ": "+item.String()) }) {
			t.Errorf("%s: not missed, found %q", sql, lines)
		}
	}
}

func removal(item validate.Item) string {
	table, part, _ := strings.Cut(item.Name, ".")
	switch item.Kind {
	case "table":
		return fmt.Sprintf("DROP TABLE %s CASCADE", table)
	case "column":
		if item.Name == "clicks.id" { // the key of the partitions cannot be dropped
			return "ALTER TABLE clicks RENAME COLUMN id TO was_id"
		}
		return fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s CASCADE", table, part)
	case "key", "check":
		return fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s CASCADE", table, part)
	case "index":
		return "DROP INDEX " + part
	case "privilege":
		right, column, isColumn := strings.Cut(item.Name, ".")
		if isColumn {
			return fmt.Sprintf("REVOKE %s FROM grapevine_app", strings.Replace(right, " ON ", " ("+column+") ON ", 1))
		}
		return fmt.Sprintf("REVOKE %s FROM grapevine_app", right)
	}
	return "there is no way to remove a " + item.Kind
}

// after compares what is left once a statement has run, and undoes it.
func after(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}()
	if _, err := tx.Exec(t.Context(), sql); err != nil {
		t.Errorf("%s: %v", sql, err)
		return nil
	}
	have, err := validate.Read(t.Context(), tx)
	if err != nil {
		t.Error(err)
	}
	return validate.Compare(validate.Required(), have)
}

func TestDifferencesAreTold(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).Owner(t)
	for sql, want := range map[string]string{
		`ALTER TABLE rewards ALTER granted TYPE integer`:                                                                               "differs: column | rewards.granted | bigint NOT NULL, found integer NOT NULL",
		`ALTER TABLE rewards ALTER granted DROP NOT NULL`:                                                                              "differs: column | rewards.granted | bigint NOT NULL, found bigint",
		`ALTER TABLE idempotency_keys ALTER replayed_count SET DEFAULT 1`:                                                              "found bigint NOT NULL DEFAULT 1",
		`ALTER TABLE codes DROP CONSTRAINT codes_uses_check, ADD CONSTRAINT codes_uses_check CHECK (uses >= 0)`:                        "found CHECK ((uses >= 0))",
		`ALTER TABLE codes DROP CONSTRAINT codes_uses_check, ADD CONSTRAINT codes_uses_check CHECK (uses >= 0) NOT VALID`:              "NOT VALID",
		`DROP INDEX referrals_referee_id_key; CREATE INDEX referrals_referee_id_key ON referrals (workspace_id, referee_id)`:           "differs: index | referrals.referrals_referee_id_key",
		`ALTER TABLE codes DROP CONSTRAINT codes_folded_value_key, ADD CONSTRAINT codes_folded_value_key UNIQUE (workspace_id, value)`: "found UNIQUE (workspace_id, value)",
		`GRANT DELETE ON events TO grapevine_app`:                                                                                      "too much: privilege | DELETE ON events",
		`GRANT UPDATE (amount) ON ledger_transfers TO grapevine_app`:                                                                   "too much: privilege | UPDATE ON ledger_transfers.amount",
		`GRANT TRUNCATE ON clicks_default TO grapevine_app`:                                                                            "too much: privilege | TRUNCATE ON clicks_default",
		`GRANT DELETE ON signups TO PUBLIC`:                                                                                            "too much: privilege | DELETE ON signups",
	} {
		if lines := after(t, conn, sql); !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("%s: found %q, want %q", sql, lines, want)
		}
	}
}

func TestRoleAndRulesArePartOfTheSchema(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).Owner(t)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `ALTER ROLE grapevine_app SUPERUSER; CREATE VIEW x AS SELECT 1`); err != nil {
		t.Fatal(err)
	}
	lines, err := validate.Schema(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"rule broken: no views: x",
		"rule broken: the application's role has no rights of its own: grapevine_app",
		"too much: privilege | DELETE ON rewards",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not told, found %q", want, lines)
		}
	}
}
