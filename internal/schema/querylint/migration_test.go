package querylint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/schema/querylint"
)

func TestMigrationsKeepTheRules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../sql/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no migrations: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		findings, err := querylint.LintMigration(string(content))
		if err != nil || len(findings) > 0 {
			t.Errorf("%s: %q, %v", filepath.Base(file), findings, err)
		}
	}
}

func TestFaultyMigrationsAreFound(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`BEGIN; CREATE TABLE a (); COMMIT;`:                                             "transaction",
		`CREATE INDEX CONCURRENTLY a_b_idx ON a (b); CREATE TABLE c ();`:                "concurrently",
		`ALTER TABLE a ADD CONSTRAINT x CHECK (b > 0), ADD CONSTRAINT y CHECK (c > 0);`: "several constraints",
		`COMMENT ON TABLE a IS 'One; two.';`:                                            "semicolon",
		`CREATE TABLE a ()`:                                                             "semicolon",
		"-- first this; then that\nCREATE TABLE a ();":                                  "semicolon",
		`CREATE INDEX CONCURRENTLY a_b_idx ON a (b);`:                                   "",
		`ALTER TABLE a ADD COLUMN b bigint, ADD CONSTRAINT a_b_check CHECK (b > 0);`:    "",
	} {
		findings, err := querylint.LintMigration(sql)
		if err != nil || (len(findings) == 0) != (want == "") || !strings.Contains(strings.Join(findings, "\n"), want) {
			t.Errorf("%s: %q, %v", sql, findings, err)
		}
	}
}
