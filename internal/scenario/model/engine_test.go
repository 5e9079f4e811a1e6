package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// TestRandomLivesComeToTheSameInAnyOrder tells each life to the engine in two orders of arrival, with the clock moving on and due work
// done in between, and compares what became of it with the model. -rapid.checks sets how many lives.
func TestRandomLivesComeToTheSameInAnyOrder(t *testing.T) {
	inAnyOrder(t, 1, someLife, life.told)
}

// TestCompaniesComeToTheSameInAnyOrder does so with many lives at once, each of which matters to the others.
func TestCompaniesComeToTheSameInAnyOrder(t *testing.T) {
	inAnyOrder(t, 8, someCompany, life.toldTogether)
}

func inAnyOrder(t *testing.T, each int, some func(*rapid.T) life, told func(life) map[string]string) {
	d := dbtest.New(t)
	e := engine.New(slog.New(slog.DiscardHandler))
	check(t, each, func(t *rapid.T) {
		l := some(t)
		want := told(l)
		w := newWorkspace(t, d.Store, e, l)
		for order := range 2 {
			if got := w.live(order, someOrder(t, l, order)); !maps.Equal(got, want) {
				t.Fatalf("order %d: %s\nrules %s\nfacts %v", order, differences(got, want), l.terms(), l.facts)
			}
		}
		w.stop()
	})
	examine(t, d, e)
}

// someOrder draws an order of arrival: the first time most facts are in time and some are late, the second time they come as they like.
func someOrder(t *rapid.T, l life, order int) []fact {
	type arrival struct {
		fact
		when time.Duration
	}
	var all []arrival
	for _, f := range l.facts {
		if l.strict && f.kind == "signup" && f.at < time.Hour {
			all = append(all, arrival{f, 0})
			continue
		}
		late := rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 20 * day}).Draw(t, "late")
		if order == 1 {
			late = rapid.SampledFrom([]time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(t, "arrives")*100*day - f.at
		}
		all = append(all, arrival{f, f.at + late})
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.when, b.when) })
	var out []fact
	for _, a := range all {
		out = append(out, a.fact)
	}
	return out
}

// workspace tells lives to an engine.
type workspace struct {
	t     *rapid.T
	st    *store.Store
	e     *engine.Engine
	life  life
	scope engine.Scope

	name    string
	program uuid.UUID
	codes   map[string]string
	ids     map[string]uuid.UUID // of clicks and reversals
	ended   bool
	heard   []heard
	payouts []uuid.UUID
	spent   []uuid.UUID
}

// heard is a fact as it arrived.
type heard struct {
	fact
	now     time.Duration
	refused bool
}

func (h heard) String() string { return fmt.Sprint(h.now, ": ", h.fact) }

func newWorkspace(t *rapid.T, st *store.Store, e *engine.Engine, l life) *workspace {
	w := &workspace{t: t, st: st, e: e, life: l}
	w.in(0, func(ctx context.Context, tx *store.Tx) error {
		pair, err := e.CreateWorkspacePair(ctx, tx, l.began, engine.NewWorkspacePair{Name: "model", FirstKey: func(s db.Workspace) db.APIKey {
			return db.APIKey{WorkspaceID: s.WorkspaceID, ID: s.WorkspaceID, Kind: "secret", SecretHash: make([]byte, 32), Scopes: []string{}, CreatedAt: l.began}
		}})
		w.scope = engine.Scope{Workspace: pair.Test.WorkspaceID, Test: true, HashKey: pair.Test.HashKey, MaxPast: 400 * day}
		return err
	})
	return w
}

// stop leaves the clock at the end, for who looks at it later.
func (w *workspace) stop() {
	w.in(w.life.until, func(ctx context.Context, tx *store.Tx) error {
		_, err := w.e.MoveClock(ctx, tx, w.scope, w.life.began.Add(w.life.until))
		return err
	})
}

func (w *workspace) in(now time.Duration, fn func(ctx context.Context, tx *store.Tx) error) error {
	w.scope.Now = w.life.began.Add(now)
	err := w.st.InTx(context.Background(), w.scope.Workspace, fn)
	if p, refused := errors.AsType[*problem.Error](err); err != nil && (!refused || p.Code == problem.Conflict.Code) {
		w.fail(err)
	}
	return err
}

func (w *workspace) fail(err error) {
	w.t.Fatalf("%v\nrules %s\nheard %v", err, w.life.terms(), w.heard)
}

func (w *workspace) must(now time.Duration, fn func(ctx context.Context, tx *store.Tx) error) {
	if err := w.in(now, fn); err != nil {
		w.fail(err)
	}
}

// live lets the facts of a life arrive in an order, and says what became of it.
func (w *workspace) live(order int, facts []fact) map[string]string {
	l := w.life
	w.name, w.codes, w.ids, w.ended, w.heard = fmt.Sprint(order), map[string]string{}, map[string]uuid.UUID{}, false, nil
	w.must(0, w.open)
	w.must(0, func(ctx context.Context, tx *store.Tx) error {
		_, err := w.e.MoveProgram(ctx, tx, w.scope, w.program, state.ProgramActive)
		return err
	})
	w.must(0, w.issue)
	for who, above := range l.tree {
		w.must(0, w.grow(who, above.by))
	}
	w.must(0, func(ctx context.Context, tx *store.Tx) error {
		_, err := w.e.PublishVersion(ctx, tx, w.scope, w.program, l.rules)
		return err
	})
	var now time.Duration
	for refusals := 0; len(facts) > 0; {
		f := facts[0]
		now = max(now, f.at)
		w.pass(now)
		facts = facts[1:]
		if f.act() {
			w.act(f, now)
			continue
		}
		if w.early(f, facts) || w.in(now, func(ctx context.Context, tx *store.Tx) error { return w.tell(ctx, tx, f) }) != nil {
			facts = append(facts, f) // a sender tries again later
			if refusals++; refusals > 200 {
				w.t.Fatalf("%+v is never accepted", f)
			}
			continue
		}
		if w.heard = append(w.heard, heard{f, now, false}); f.kind == "rate" {
			w.pass(now)
		}
	}
	w.pass(w.life.until)
	return w.read()
}

// early says whether a fact cannot be told before one of those that are still to come.
func (w *workspace) early(f fact, rest []fact) bool {
	return slices.ContainsFunc(rest, func(r fact) bool {
		// A referral that churned or expired has no way to another referrer: a click that would have won may come too late.
		return f.restores != "" && r.ref == f.restores || w.life.strict && f.kind == "reversal" && r.of == f.of && r.at < f.at || f.kind == "signup" && r.kind == "click" && !w.life.patient
	})
}

// pass moves the clock: the program ends on its way, and what is due is done.
func (w *workspace) pass(now time.Duration) {
	if end := w.life.ends; end != nil && *end <= now && !w.ended {
		w.ended = true
		w.must(*end, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.e.MoveProgram(ctx, tx, w.scope, w.program, state.ProgramEnded)
			return err
		})
	}
	if now != w.life.until && !w.life.strict && rapid.IntRange(0, 3).Draw(w.t, "due") > 0 {
		return
	}
	w.scope.Now = w.life.began.Add(now)
	if _, err := w.e.RunDue(context.Background(), w.st, w.scope); err != nil {
		w.fail(err)
	}
}

// open makes the program. Those above B join under its first version, which pays nothing and does not let them expire.
func (w *workspace) open(ctx context.Context, tx *store.Tx) error {
	first := rules.Default()
	first.Qualification.WindowSeconds = int64(730 * day / time.Second)
	p, _, err := w.e.CreateProgram(ctx, tx, w.scope, engine.NewProgram{
		Name: "model", Currency: "USD", LandingURL: "https://shop.example", TimeZone: "UTC", Rules: &first,
		HonorPendingSeconds: int64(w.life.honor / time.Second),
	})
	w.program = p.ID
	return err
}

func (w *workspace) issue(ctx context.Context, tx *store.Tx) error {
	var wanted []engine.NewCode
	owners := []string{"A", "C", "F", "G", "R", "B0"}
	for _, who := range owners {
		wanted = append(wanted, engine.NewCode{ParticipantExternalID: w.my(who)})
	}
	made, err := w.e.CreateCodes(ctx, tx, w.scope, w.program, wanted)
	if err != nil {
		return err
	}
	for i, who := range owners {
		w.codes[who] = made[i].Code.Value
	}
	return nil
}

// grow lets those join who can refer B, below those who referred them.
func (w *workspace) grow(who, above string) func(ctx context.Context, tx *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		code := w.codes[above]
		_, err := w.e.CreateSignup(ctx, tx, w.scope, engine.NewSignup{
			ProgramID: w.program, RefereeExternalID: w.my(who), ExternalID: w.my("join-" + who), Code: &code,
		})
		return err
	}
}

func (w *workspace) my(name string) string { return name + "-" + w.name }
