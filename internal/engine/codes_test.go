package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// dice gives each of its bytes for one draw of a code, and the last one for ever.
type dice []byte

func (d *dice) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat((*d)[:1], len(p)))
	if len(*d) > 1 {
		*d = (*d)[1:]
	}
	return len(p), nil
}

// program is where codes are made by dice.
type program struct {
	*testing.T
	engine *Engine
	store  *store.Store
	scope  Scope
	id     uuid.UUID
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{
		T: t, engine: New(slog.New(slog.NewTextHandler(t.Output(), nil))), store: dbtest.DB(t), id: dbtest.ID(t),
		scope: Scope{Workspace: dbtest.ID(t), HashKey: make([]byte, 32), Now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)},
	}
	q, pool := db.New(), p.store.DB(p.scope.Workspace)
	p.must(q.CreateWorkspace(t.Context(), pool, db.CreateWorkspaceParams{
		WorkspaceID: p.scope.Workspace, Name: "Test", Mode: "live", Slug: "0123456789", PairedWorkspaceID: p.scope.Workspace,
		HashKey: p.scope.HashKey, CreatedAt: p.scope.Now,
	}))
	p.must(q.CreateProgram(t.Context(), pool, db.CreateProgramParams{
		WorkspaceID: p.scope.Workspace, ID: p.id, Name: "Test", Currency: "EUR", State: state.ProgramDraft, LandingURL: "https://shop.example/",
		AllowedHosts: []string{}, TimeZone: "UTC", Timeline: state.Timeline{}, CreatedAt: p.scope.Now,
	}))
	return p
}

func (p *program) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// draw makes generated codes with these dice, one for each owner.
func (p *program) draw(d dice, owners ...string) ([]string, error) {
	p.engine.random = &d
	var all []NewCode
	for _, owner := range owners {
		all = append(all, NewCode{ParticipantExternalID: owner})
	}
	var values []string
	err := p.store.InTx(p.Context(), p.scope.Workspace, func(ctx context.Context, tx *store.Tx) error {
		made, err := p.engine.CreateCodes(ctx, tx, p.scope, p.id, all)
		values = nil
		for _, m := range made {
			if m.Problem != nil {
				err = errors.Join(err, m.Problem)
			}
			values = append(values, m.Code.FoldedValue)
		}
		return err
	})
	return values, err
}

func (p *program) codes() int {
	p.Helper()
	rows, err := db.New().ListCodes(p.Context(), p.store.DB(p.scope.Workspace), db.ListCodesParams{WorkspaceID: p.scope.Workspace, PageLimit: 100})
	p.must(err)
	return len(rows)
}

func TestATakenValueIsDrawnAgain(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	for _, c := range []struct {
		name   string
		dice   dice
		owners []string
		want   []string
	}{
		{"the first is free", dice{0}, []string{"ada"}, []string{"22222222222"}},
		{"one that another participant has is drawn again", dice{0, 0, 1}, []string{"bob"}, []string{"33333333333"}},
		{"one that the same participant has as well", dice{0, 1, 2}, []string{"ada"}, []string{"44444444444"}},
		{"two of one batch do not meet", dice{4, 4, 4, 5}, []string{"ada", "bob"}, []string{"66666666666", "77777777777"}},
		{"the last draw counts", dice{0, 0, 0, 0, 0, 0, 0, 0, 0, 6}, []string{"ada"}, []string{"88888888888"}},
	} {
		before := p.codes()
		got, err := p.draw(c.dice, c.owners...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for i, want := range c.want {
			if got[i] != want {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
		if made := p.codes() - before; made != len(c.want) {
			t.Errorf("%s: %d codes are stored, want %d", c.name, made, len(c.want))
		}
	}
}

func TestDrawingEnds(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	if _, err := p.draw(dice{0}, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.draw(dice{0}, "bob"); !errors.Is(err, problem.Unavailable) {
		t.Errorf("got %v, want %v", err, problem.Unavailable)
	}
	if n := p.codes(); n != 1 {
		t.Errorf("%d codes are stored, want 1", n)
	}
}
