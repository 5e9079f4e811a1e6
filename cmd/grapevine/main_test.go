package main

import (
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
)

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	_, overview, _ := ran(t, nil, "help")
	for _, name := range []string{"serve", "migrate", "validate", "example", "conform", "doctor", "keys", "version"} {
		code, asked, stderr := ran(t, nil, "help", name)
		if code != 0 || stderr != "" || !strings.HasPrefix(asked, "Usage: grapevine "+name) {
			t.Errorf("help %s: exit status %d, %q, %q", name, code, asked, stderr)
		}
		if _, flag, _ := ran(t, nil, name, "-h"); flag != asked {
			t.Errorf("%s -h says something else than help %s", name, name)
		}
		if !strings.Contains(overview, "\n  "+name+" ") {
			t.Errorf("the overview does not name %s", name)
		}
	}
	if _, serve, _ := ran(t, nil, "help", "serve"); !strings.Contains(serve, "GRAPEVINE_LISTEN") || !strings.Contains(serve, "-demo") {
		t.Errorf("help serve lacks settings or flags:\n%s", serve)
	}
}

func TestACommandLineThatCannotBeUnderstoodIsStatus2(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "fly", "help fly", "serve now", "serve -fly", "migrate", "migrate sideways", "migrate up 1", "migrate down", "migrate down 0",
		"migrate force x", "example -key gv", "conform -key gv", "conform x", "validate this", "doctor this", "version this", "keys", "keys fly", "keys create",
		"keys workspace", "keys revoke -workspace x", "keys list x",
	} {
		code, stdout, stderr := ran(t, nil, strings.Fields(line)...)
		if code != 2 || stdout != "" || stderr == "" {
			t.Errorf("%q: exit status %d, %q, %q", line, code, stdout, stderr)
		}
	}
}

func TestToolsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	nowhere := map[string]string{"GRAPEVINE_DATA_DIR": t.TempDir() + "/none"}
	for _, line := range []string{"migrate status", "keys list", "doctor"} {
		code, _, stderr := ran(t, nowhere, strings.Fields(line)...)
		if code != 1 || !strings.Contains(stderr, "DATABASE_URL") {
			t.Errorf("%s without a database: exit status %d, %q", line, code, stderr)
		}
	}
	code, _, stderr := ran(t, map[string]string{"GRAPEVINE_LISTEN": "x", "GRAPEVINE_RATE_LIMIT": "many"}, "serve")
	if code != 1 || !strings.Contains(stderr, "GRAPEVINE_RATE_LIMIT") {
		t.Errorf("a setting that cannot be read: exit status %d, %q", code, stderr)
	}
}

func TestVersionNamesContractAndSchema(t *testing.T) {
	t.Parallel()
	code, stdout, _ := ran(t, nil, "version")
	if code != 0 || !strings.HasPrefix(stdout, "grapevine "+version()+", ") || !strings.Contains(stdout, "schema ") {
		t.Errorf("exit status %d, %q", code, stdout)
	}
}

func TestMigrateMovesTheSchema(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": dbtest.Empty(t)}
	for _, step := range []struct {
		line, says string
		code       int
	}{
		{"migrate status", "schema version 0 of ", 1},
		{"migrate up", ", clean", 0},
		{"migrate status", ", clean", 0},
		{"migrate down 1", ", clean", 0},
		{"migrate status", ", clean", 1},
		{"migrate force 3", "schema version 3 of ", 0},
		{"doctor", "", 1},
	} {
		code, stdout, stderr := ran(t, env, strings.Fields(step.line)...)
		if code != step.code || !strings.Contains(stdout, step.says) {
			t.Fatalf("%s: exit status %d, %q, %q", step.line, code, stdout, stderr)
		}
		if code == 1 && !strings.Contains(stderr, "grapevine migrate up") {
			t.Errorf("%s does not say what to do: %q", step.line, stderr)
		}
	}
}

func TestMigrateDownAllLeavesNothing(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": dbtest.New(t).URL}
	code, stdout, stderr := ran(t, env, "migrate", "down", "all")
	if code != 0 || !strings.HasPrefix(stdout, "schema version 0 of ") {
		t.Errorf("exit status %d, %q, %q", code, stdout, stderr)
	}
}

func TestKeysAreMadeListedAndRevoked(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	env := map[string]string{"DATABASE_URL": d.URL}
	do := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := ran(t, env, append([]string{"keys"}, args...)...)
		if code != 0 {
			t.Fatalf("keys %v: exit status %d, %s", args, code, stderr)
		}
		return stdout
	}
	made := strings.Split(do("workspace", "-name", "Acme", "-link-host", "go.acme.example"), "\n")
	live, err := apikey.Parse(made[1])
	if err != nil {
		t.Fatalf("%q: %v", made, err)
	}
	if _, err := apikey.Parse(made[3]); err != nil {
		t.Fatalf("%q: %v", made, err)
	}
	workspace := live.WorkspaceID.String()
	narrow, err := apikey.Parse(strings.TrimSpace(do("create", "-workspace", workspace, "-name", "CI", "-scopes", "codes:read, clicks:write", "-expires", "24h")))
	if err != nil || narrow.Kind != apikey.Secret {
		t.Fatal(narrow.Kind, err)
	}
	open, err := apikey.Parse(strings.TrimSpace(do("create", "-workspace", workspace, "-kind", "publishable")))
	if err != nil || open.Kind != apikey.Publishable {
		t.Fatal(open.Kind, err)
	}
	do("revoke", "-workspace", workspace, "-key", open.ID.String())
	list := do("list", "-workspace", workspace)
	for _, line := range []struct{ id, state string }{
		{live.ID.String(), "valid"}, {narrow.ID.String(), "until "}, {open.ID.String(), "revoked "}, {narrow.ID.String(), "clicks:write,codes:read"},
	} {
		found := false
		for row := range strings.Lines(list) {
			found = found || strings.Contains(row, line.id) && strings.Contains(row, line.state)
		}
		if !found {
			t.Errorf("no line with %v in\n%s", line, list)
		}
	}
	if strings.Contains(list, made[1]) {
		t.Error("the list shows a key")
	}
	if _, err := d.Owner(t).Exec(t.Context(), `
		INSERT INTO api_keys (workspace_id, id, name, kind, prefix, last_four, secret_hash, scopes, created_at)
		SELECT workspace_id, gen_random_uuid(), 'more', kind, prefix, last_four, secret_hash, scopes, created_at
		FROM api_keys, generate_series(1, $1) WHERE id = $2`, keyPage, live.ID); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(do("list", "-workspace", workspace), "gv_live_"); n != keyPage+3 {
		t.Errorf("%d keys are listed, not %d", n, keyPage+3)
	}
	for _, wrong := range [][]string{
		{"create", "-workspace", workspace, "-scopes", "moon:write"},
		{"create", "-workspace", workspace, "-kind", "golden"},
		{"create", "-workspace", workspace, "-kind", "publishable", "-scopes", "codes:read"},
		{"create", "-workspace", workspace, "-expires", "-1h"},
		{"create", "-workspace", "nowhere"},
		{"revoke", "-workspace", workspace, "-key", workspace},
		{"revoke", "-workspace", workspace, "-key", "x"},
		{"workspace", "-name", "Other", "-link-host", "GO.acme.example"},
	} {
		if code, stdout, stderr := ran(t, env, append([]string{"keys"}, wrong...)...); code != 1 || stdout != "" || stderr == "" {
			t.Errorf("keys %v: exit status %d, %q, %q", wrong, code, stdout, stderr)
		}
	}
}
