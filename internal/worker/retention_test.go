package worker

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/doctor"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// click follows the shop's link as another visitor each time, and gives the click's id.
func (s *shop) click(agent string) uuid.UUID {
	s.w.Helper()
	res, _ := s.w.server.Do(http.MethodGet, "/r/"+s.space.Slug+"/ADA-2026", "", "", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/"+agent)
	to, err := res.Location()
	if err != nil {
		s.w.Fatal(err)
	}
	id, err := uuid.Parse(to.Query().Get("gv_click"))
	if err != nil {
		s.w.Fatalf("%s names no click", to)
	}
	return id
}

// visit signs somebody up who came by a click.
func (s *shop) visit(referee string, click uuid.UUID) *client.CreateSignupResult {
	s.w.Helper()
	made, err := s.c.CreateSignupWithResponse(s.w.Context(), &client.CreateSignupParams{}, client.NewSignup{
		ProgramID: s.program, RefereeExternalID: referee, ExternalID: referee, ClickIds: []uuid.UUID{click},
	})
	if err != nil {
		s.w.Fatal(err)
	}
	return made
}

// keeper is a worker that keeps clicks for so long.
func (w *world) keeper(now time.Time, keep time.Duration) *Worker {
	worker := w.worker(now)
	worker.keepClicks, worker.maxFactAge = keep, 30*day
	return worker
}

func (w *world) clicks(on servertest.Workspace) int {
	w.Helper()
	return w.count("SELECT count(*) FROM clicks WHERE workspace_id = $1", on.ID)
}

func TestClicksAreDroppedAfterTheirTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	first := s.click("140.0")
	referral, err := s.visit("alan", first).JSON201.ReferralID.Get()
	if err != nil {
		t.Fatal(err)
	}
	s.click("141.0")
	w.turn(time.Now()) // folds and seals
	told := func() (text string) {
		why, err := s.c.ExplainReferralWithResponse(t.Context(), referral)
		w.must(err, why.StatusCode(), http.StatusOK)
		decisions, err := s.c.ListDecisionsWithResponse(t.Context(), &client.ListDecisionsParams{})
		w.must(err, decisions.StatusCode(), http.StatusOK)
		replay, err := s.c.ReplayDecisionWithResponse(t.Context(), decisions.JSON200.Data[0].ID, &client.ReplayDecisionParams{})
		w.must(err, replay.StatusCode(), http.StatusOK)
		for _, answer := range []any{why.JSON200, decisions.JSON200, replay.JSON200} {
			b, _ := json.Marshal(answer)
			text += string(b)
		}
		return text
	}
	inTime := time.Now().Add(80 * day) // the window of 30 days, and twice what may be told late
	w.keeper(inTime, day).turn(t.Context())
	if n := w.clicks(live); n != 2 {
		t.Fatalf("%d clicks are there that a signup may still come of, not 2", n)
	}
	late := time.Now().Add(200 * day)
	w.turn(late)
	w.keeper(late, 300*day).turn(t.Context())
	if n := w.clicks(live); n != 2 {
		t.Fatalf("%d clicks are kept, not 2", n)
	}
	before := told()
	worker := w.keeper(late, 100*day)
	worker.turn(t.Context())
	if n := w.clicks(live); n != 0 {
		t.Fatalf("%d clicks are left", n)
	}
	if n := w.metric(worker, "grapevine_worker_done_total", "drop_clicks"); n < 2 {
		t.Errorf("%v partitions are counted as dropped", n)
	}
	got, err := s.c.GetClickWithResponse(t.Context(), first)
	w.must(err, got.StatusCode(), http.StatusNotFound)
	if after := told(); after != before {
		t.Errorf("what is told of the referral changed:\n%s\n%s", before, after)
	}
	if n := w.count("SELECT sum(human_clicks) FROM program_days"); n != 2 {
		t.Errorf("%d clicks are counted, not 2", n)
	}
	if res := s.visit("grace", first); res.StatusCode() != http.StatusCreated || res.JSON201.Attributed {
		t.Errorf("a signup by a dropped click: %s", res.Body)
	}
	// The clock of the doctor is the wall's, which is past months that were never made here.
	checks := slices.DeleteFunc(doctor.Checks(), func(c doctor.Check) bool {
		return slices.Contains([]string{"durable", "partitions_ahead", "default_partition_empty"}, c.Name)
	})
	findings, err := doctor.Examine(t.Context(), w.database.App(t), checks)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

func TestClicksThatAreNotCountedAreNotDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	s.click("140.0")
	late := time.Now().Add(200 * day)
	if _, err := w.store.DropClicks(t.Context(), late.Add(-100*day), late, 30*day); !errors.Is(err, store.ErrUnfolded) {
		t.Errorf("%v, not %v", err, store.ErrUnfolded)
	}
	worker := w.keeper(late, 100*day) // upkeep comes first: nothing is folded yet
	worker.turn(t.Context())
	if n := w.metric(worker, "grapevine_worker_failures_total", "drop_clicks"); n != 1 || w.clicks(live) != 1 {
		t.Errorf("%v failures, %d clicks", n, w.clicks(live))
	}
	worker = w.keeper(late, 100*day)
	worker.turn(t.Context())
	if n := w.clicks(live); n != 0 {
		t.Errorf("%d clicks are left that were counted", n)
	}
	if n := w.count("SELECT sum(human_clicks) FROM program_days"); n != 1 {
		t.Errorf("%d clicks are counted, not 1", n)
	}
}

func TestClicksAreKeptForEverUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	s.click("140.0")
	w.turn(time.Now())
	w.turn(time.Now().AddDate(20, 0, 0))
	if n := w.clicks(live); n != 1 {
		t.Errorf("%d clicks are left, not 1", n)
	}
}

func TestSeveralProcessesDropClicksWhileOthersAreWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	s.click("140.0")
	w.turn(time.Now())
	late := time.Now().Add(200 * day)
	w.turn(late) // so that the months of late are there
	together(8, func(i int) {
		if i < 4 {
			if _, err := w.store.DropClicks(t.Context(), late.Add(-100*day), late, 30*day); err != nil && !errors.Is(err, store.ErrUnfolded) {
				t.Error(err)
			}
			return
		}
		for range 10 {
			s.click("150.0") // goes into the default partition, or into one that is about to be dropped and is not counted
		}
	})
	w.turn(time.Now())
	if n := w.count("SELECT sum(clicks) FROM program_days"); n != 41 {
		t.Errorf("%d clicks are counted, not 41", n)
	}
}
