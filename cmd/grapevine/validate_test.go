package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// tool runs a sub-command on a database and returns its exit status and what it printed.
func tool(t *testing.T, url string, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := map[string]string{"DATABASE_URL": url, "GRAPEVINE_DATA_DIR": t.TempDir()}
	code := run(t.Context(), args, func(name string) string { return env[name] }, &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Logf("stderr of %q: %s", args, stderr.String())
	}
	return code, stdout.String()
}

func TestValidateTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if code, out := tool(t, d.URL, "validate"); code != 0 {
		t.Fatalf("a healthy database: exit %d\n%s", code, out)
	}
	for _, sql := range []string{
		`ALTER TABLE codes DROP COLUMN starts_at`, `DROP INDEX codes_program_id_idx`, `ALTER TABLE codes DROP CONSTRAINT codes_uses_check`,
		`REVOKE INSERT ON codes FROM grapevine_app`, `GRANT DELETE ON events TO grapevine_app`, `CREATE VIEW extra AS SELECT 1`,
	} {
		if _, err := d.Owner(t).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	without := bytes.Replace(gen.OpenAPIYAML, []byte("        - CODE_DISABLED\n"), nil, 1)
	if err := os.WriteFile(file, without, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := tool(t, d.URL, "validate", "-contract", file)
	want := []string{
		"missing: check | codes.codes_uses_check | CHECK (((uses >= 0) AND ((max_uses IS NULL) OR (uses <= max_uses))))",
		"missing: column | codes.starts_at | timestamp with time zone",
		"missing: index | codes.codes_program_id_idx | CREATE INDEX codes_program_id_idx ON codes USING btree (workspace_id, program_id, id)",
		"missing: privilege | INSERT ON codes",
		"missing: privilege | UPDATE ON codes.starts_at",
		"too much: privilege | DELETE ON events",
		"rule broken: no views: extra",
		"rule broken: the application's role only adds to what is append-only: DELETE ON events",
		"missing: reason code | CODE_DISABLED",
	}
	if code != 1 || out != strings.Join(want, "\n")+"\n" {
		t.Errorf("exit %d, printed\n%s\nwant\n%s", code, out, strings.Join(want, "\n"))
	}
}

func TestValidateWithoutADatabaseStartsOne(t *testing.T) {
	t.Parallel()
	if code, out := tool(t, "", "validate"); code != 0 {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _ := tool(t, "", "validate", "more"); code != 2 {
		t.Errorf("a wrong command line: exit %d", code)
	}
}

func TestValidateWritesWhatItRequires(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "schema.txt")
	if code, out := tool(t, "", "validate", "-write", file); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../internal/validate/schema.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("schema.txt is not what `grapevine validate -write` writes: run `make catalogue`")
	}
}
