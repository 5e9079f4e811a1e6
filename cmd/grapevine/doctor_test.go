package main

import (
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

func TestDoctorTellsWhatItFinds(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	// The server of the tests does without durability, so something is always found.
	code, out := tool(t, d.URL, "doctor")
	if code == 0 != (out == "nothing found\n") || strings.Contains(strings.ReplaceAll(out, "durable: ", ""), ": ") {
		t.Errorf("an empty database: exit %d, printed\n%s", code, out)
	}
	if _, err := d.Owner(t).Exec(t.Context(), `
		INSERT INTO click_batches (workspace_id, id, first_click_id, last_click_id)
		SELECT workspace_id, workspace_id, workspace_id, workspace_id FROM workspaces;
		INSERT INTO clicks (workspace_id, id, batch_id, program_id, code_id, referrer_id, classification, source, consent, visitor, day, occurred_at, received_at)
		SELECT workspace_id, '00000000-0000-0000-0000-000000000001', workspace_id, workspace_id, workspace_id, workspace_id, 'human', 'api', 'unknown', '',
			created_at, created_at, created_at FROM workspaces`); err != nil {
		t.Fatal(err)
	}
	code, out = tool(t, d.URL, "doctor")
	for _, want := range []string{"markers_cover_clicks: ", "default_partition_empty: "} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, printed\n%s\nwant %s", code, out, want)
		}
	}
	if code, _ := tool(t, d.URL, "doctor", "more"); code != 2 {
		t.Errorf("a wrong command line: exit %d", code)
	}
}
