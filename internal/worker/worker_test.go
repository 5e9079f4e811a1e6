package worker

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
)

func TestLiveRewardsMatureByTheWallClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	for _, referee := range []string{"alan", "grace"} {
		s.signup(referee)
		s.purchase(referee)
	}
	w.turn(time.Now().Add(13 * day))
	if n := s.rewards(client.RewardStatePending); n != 2 {
		t.Errorf("a day too early %d are pending, not 2", n)
	}
	worker := w.turn(time.Now().Add(15 * day))
	if n := s.rewards(client.RewardStateAvailable); n != 2 {
		t.Errorf("%d are available, not 2", n)
	}
	if n := w.metric(worker, "grapevine_worker_done_total", "mature"); n != 2 {
		t.Errorf("%v are counted as matured, not 2", n)
	}
}

func TestTestWorkspacesGoByTheirOwnClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, test := w.server.Pair()
	s := w.shop(test)
	s.signup("alan")
	s.purchase("alan")
	// As if the server had ended between moving the clock and doing what is due.
	move := func(by time.Duration) {
		at := time.Now().Add(by).UTC().Truncate(time.Microsecond)
		if err := db.New().SetClock(t.Context(), w.store.DB(test.ID), db.SetClockParams{WorkspaceID: test.ID, ClockAt: &at}); err != nil {
			t.Fatal(err)
		}
	}
	move(time.Hour)
	w.turn(time.Now().Add(100 * day))
	if n := s.rewards(client.RewardStatePending); n != 1 {
		t.Error("a reward matured by the wall clock in a workspace whose clock stands still")
	}
	move(15 * day)
	w.turn(time.Now())
	if n := s.rewards(client.RewardStateAvailable); n != 1 {
		t.Error("a reward did not mature although the workspace's clock has passed its hold")
	}
}

func TestReferralsExpireWhenTheirWindowHasClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	late, bought := s.signup("alan"), s.signup("grace")
	s.purchase("grace")
	worker := w.turn(time.Now().Add(31 * day))
	for id, want := range map[uuid.UUID]client.ReferralState{late: client.ReferralStateExpired, bought: client.ReferralStateQualified} {
		got, err := s.c.GetReferralWithResponse(t.Context(), id)
		w.must(err, got.StatusCode(), http.StatusOK)
		if got.JSON200.State != want {
			t.Errorf("the referral is %s, not %s", got.JSON200.State, want)
		}
	}
	if n := w.metric(worker, "grapevine_worker_done_total", "expire"); n != 1 {
		t.Errorf("%v are counted as expired, not 1", n)
	}
}

func TestClicksAreFoldedIntoTheStatistics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	w.shop(live)
	res, _ := w.server.Do(http.MethodGet, "/r/"+live.Slug+"/ADA-2026", "", "", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	if res.StatusCode != http.StatusFound {
		t.Fatalf("status %d", res.StatusCode)
	}
	if n := w.count("SELECT count(*) FROM click_batches"); n != 1 {
		t.Fatalf("%d batches wait, not 1", n)
	}
	w.turn(time.Now())
	if n := w.count("SELECT count(*) FROM click_batches"); n != 0 {
		t.Errorf("%d batches still wait", n)
	}
	if n := w.count("SELECT coalesce(sum(human_clicks), 0) FROM program_days"); n != 1 {
		t.Errorf("%d clicks are counted, not 1", n)
	}
}

func TestATurnWithoutWorkLocksNoWorkspace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	w.shop(live)
	w.turn(time.Now()) // begins the chain of the log
	locks := func() int { return w.count("SELECT sum(xmax::text::bigint) FROM workspaces") }
	before := locks()
	w.turn(time.Now())
	if locks() != before {
		t.Error("a workspace was locked")
	}
}

func TestIdempotencyKeysAreForgottenAfterAWeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, test := w.server.Pair()
	now := time.Now().UTC()
	insert := func(workspace uuid.UUID, prefix string, n int, age time.Duration) {
		w.exec(`
			INSERT INTO idempotency_keys (workspace_id, key, operation, fingerprint, created_at)
			SELECT $1, $2 || n, 'createProgram', '\x00', $3 FROM generate_series(1, $4) AS n`, workspace, prefix, now.Add(-age), n)
	}
	const backlog = keyBatch + 10 // more than one statement deletes
	insert(live.ID, "old-", backlog, 7*day+time.Minute)
	insert(live.ID, "young-", 3, 7*day-time.Minute)
	insert(test.ID, "old-", 2, 8*day)
	insert(engine.OperatorWorkspace, "old-", 2, 8*day)
	worker := w.turn(now)
	if n := w.count("SELECT count(*) FROM idempotency_keys WHERE key LIKE 'old-%'"); n != 0 {
		t.Errorf("%d old keys are still there", n)
	}
	if n := w.count("SELECT count(*) FROM idempotency_keys WHERE key LIKE 'young-%'"); n != 3 {
		t.Errorf("%d young keys are left, not 3", n)
	}
	if n := w.metric(worker, "grapevine_worker_done_total", "forget_keys"); n != backlog+4 {
		t.Errorf("%v are counted as forgotten, not %d", n, backlog+4)
	}
}

func TestPartitionsAreMadeAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := time.Now().UTC().AddDate(1, 0, 0)
	w.turn(in)
	for ahead := range 4 {
		month := time.Date(in.Year(), in.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC).Format("200601")
		if n := w.count("SELECT count(*) FROM pg_class WHERE relname = 'clicks_' || $1", month); n != 1 {
			t.Errorf("there is no partition for %s", month)
		}
	}
}

func TestSeveralWorkersDoEverythingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	const referees = 12
	for i := range referees {
		name := "referee-" + string(rune('a'+i))
		s.signup(name)
		if i%2 == 0 {
			s.purchase(name)
		}
	}
	in := time.Now().Add(40 * day)
	workers := make([]*Worker, 4)
	together(len(workers), func(i int) {
		workers[i] = w.worker(in)
		for range 3 { // what another holds is left to it, and done by the next turn when that fails
			workers[i].turn(t.Context())
		}
	})
	for task, want := range map[string]float64{"mature": referees / 2, "expire": referees / 2} {
		var sum float64
		for _, worker := range workers {
			sum += w.metric(worker, "grapevine_worker_done_total", task)
		}
		if sum != want {
			t.Errorf("%s was done %v times, not %v", task, sum, want)
		}
	}
	if n := w.count("SELECT count(*) FROM ledger_transfers WHERE recipe = 'mature'"); n != referees/2 {
		t.Errorf("%d transfers for %d rewards", n, referees/2)
	}
	if n := w.count("SELECT coalesce(sum(balance), -1)::bigint FROM ledger_accounts"); n != 0 {
		t.Errorf("the books are off by %d", n)
	}
}

func TestAWorkspaceThatFailsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken, _ := w.server.Pair()
	sound, _ := w.server.Pair()
	shops := map[uuid.UUID]*shop{broken.ID: w.shop(broken), sound.ID: w.shop(sound)}
	for _, s := range shops {
		s.signup("alan")
		s.purchase("alan")
	}
	// The database refuses to take from the account what is no longer there.
	w.exec("UPDATE ledger_accounts SET balance = 0 WHERE workspace_id = $1 AND kind = 'pending'", broken.ID)
	now := time.Now().Add(15 * day)
	worker := w.worker(now.Add(-time.Minute))
	worker.now, worker.metrics.now = func() time.Time { return now }, func() time.Time { return now }
	worker.turn(t.Context())
	if n := shops[sound.ID].rewards(client.RewardStateAvailable); n != 1 {
		t.Error("the sound workspace was held up")
	}
	if n := w.metric(worker, "grapevine_worker_failures_total", "due"); n != 1 {
		t.Errorf("%v failures are counted, not 1", n)
	}
	if lag := w.metric(worker, "grapevine_worker_lag_seconds", ""); lag != 60 {
		t.Errorf("the lag is %v s after a turn that failed, not 60", lag)
	}
	w.exec("UPDATE ledger_accounts SET balance = 2000 WHERE workspace_id = $1 AND kind = 'pending'", broken.ID)
	worker.turn(t.Context())
	if n := shops[broken.ID].rewards(client.RewardStateAvailable); n != 1 {
		t.Error("what failed was not tried again")
	}
	if lag := w.metric(worker, "grapevine_worker_lag_seconds", ""); lag != 0 {
		t.Errorf("the lag is %v s after a turn that did everything, not 0", lag)
	}
}

func TestAPanicIsAFailureThatDoesNotTellItsValue(t *testing.T) {
	t.Parallel()
	err := sheltered(t.Context(), func(context.Context) error { panic("alan@example.com") })
	if err == nil || strings.Contains(err.Error(), "alan") {
		t.Errorf("got %v", err)
	}
	want := errors.New("as it is")
	if err := sheltered(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestRunTakesATurnForEachTickAndStopsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ticks := make(chan time.Time)
	worker := w.worker(time.Now())
	worker.ticks = ticks
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		worker.Run(ctx)
	}()
	ticks <- time.Now() // taken only after the first turn
	live, _ := w.server.Pair()
	w.shop(live)
	res, _ := w.server.Do(http.MethodGet, "/r/"+live.Slug+"/ADA-2026", "", "", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	if res.StatusCode != http.StatusFound {
		t.Fatalf("status %d", res.StatusCode)
	}
	ticks <- time.Now() // the turn of the tick before has ended, and may or may not have seen the click
	ticks <- time.Now() // the one that must have
	if n := w.count("SELECT count(*) FROM click_batches"); n != 0 {
		t.Error("a tick did not begin a turn")
	}
	stop()
	<-ended
	worker.turn(ctx)
	if n := w.metric(worker, "grapevine_worker_failures_total", "list_workspaces"); n != 0 {
		t.Error("being stopped was counted as a failure")
	}
}

func TestAWorkerWithoutItsDatabaseGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker := w.worker(time.Now())
	w.server.Stop()
	w.store.Close()
	worker.turn(t.Context())
	worker.turn(t.Context())
	if n := w.metric(worker, "grapevine_worker_failures_total", "list_workspaces"); n != 2 {
		t.Errorf("%v failures are counted, not 2", n)
	}
}
