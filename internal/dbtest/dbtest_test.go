package dbtest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

func TestEveryTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	dbtest.New(t) // the server and the template, unless they are there
	t.Logf("first database: %v", time.Since(begin).Round(time.Millisecond))

	var all sync.WaitGroup
	begin = time.Now()
	names := sync.Map{}
	const n = 8
	for range n {
		d := dbtest.New(t)
		all.Go(func() {
			if _, again := names.LoadOrStore(d.URL, true); again {
				t.Errorf("%s was given twice", d.URL)
			}
		})
	}
	all.Wait()
	t.Logf("each further one: %v", (time.Since(begin) / n).Round(time.Millisecond))
}

func TestTheApplicationIsNotTheOwner(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.App(t).Exec(t.Context(), "DROP TABLE clicks"); err == nil {
		t.Error("the application dropped a table")
	}
	if _, err := d.Owner(t).Exec(t.Context(), "DROP TABLE clicks"); err != nil {
		t.Error(err)
	}
}

func TestTxIsUndone(t *testing.T) {
	t.Parallel()
	for range 2 {
		t.Run("same row", func(t *testing.T) {
			_, err := dbtest.Tx(t).Exec(t.Context(), `
				INSERT INTO workspaces (workspace_id, name, mode, slug, paired_workspace_id, hash_key, created_at)
				VALUES ('00000000-0000-7000-8000-00000000abcd', 'x', 'test', 'tx-is-undone', '00000000-0000-7000-8000-00000000abcd', sha256('x'), '2026-01-01')`)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
