package worker

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

const dueSeconds = "grapevine_worker_due_seconds"

func TestWhatATurnLeavesIsToldByItsAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	began := time.Now()
	s.signup("alan")
	s.purchase("alan")
	// The database refuses to take from the account what is no longer there.
	w.exec("UPDATE ledger_accounts SET balance = 0 WHERE workspace_id = $1 AND kind = 'pending'", live.ID)
	now := began.Add(20 * day)
	worker := w.worker(now)
	worker.now, worker.metrics.now = func() time.Time { return now }, func() time.Time { return now }
	for range 2 { // it gets older
		worker.turn(t.Context())
		want := now.Sub(began.Add(14 * day)).Seconds()
		if got := w.metric(worker, dueSeconds, "mature"); got > want || got < want-60 {
			t.Errorf("the reward has been due for %v s, not %v", got, want)
		}
		if got := w.metric(worker, dueSeconds, "seal"); got != 0 {
			t.Errorf("what failed kept the log from being sealed for %v s", got)
		}
		now = now.Add(day)
	}
	w.exec("UPDATE ledger_accounts SET balance = 2000 WHERE workspace_id = $1 AND kind = 'pending'", live.ID)
	worker.turn(t.Context())
	if got := w.metric(worker, dueSeconds, "mature"); got != 0 {
		t.Errorf("%v s are told when nothing is due", got)
	}
}

func TestDueWorkOfTestWorkspacesIsAsOldAsTheirClockSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, test := w.server.Pair()
	s := w.shop(test)
	s.signup("alan")
	s.purchase("alan")
	w.exec("UPDATE workspaces SET clock_at = (SELECT available_at + interval '1 hour' FROM rewards) WHERE workspace_id = $1", test.ID)
	if ages := w.ages(test.ID, time.Now().Add(100*day)); ages["mature"] != time.Hour {
		t.Errorf("the reward has been due for %v, not an hour", ages["mature"])
	}
}

// ages measures what is due in a workspace.
func (w *world) ages(workspace uuid.UUID, now time.Time) map[string]time.Duration {
	w.Helper()
	worker, ages := w.worker(now), map[string]time.Duration{}
	rows, err := worker.q.ListAllWorkspaces(w.Context(), w.store.DB(uuid.Nil))
	for _, row := range rows {
		if err == nil && row.WorkspaceID == workspace {
			err = worker.measure(w.Context(), row, ages)
		}
	}
	if err != nil {
		w.Fatal(err)
	}
	return ages
}

// Each task is given a piece of work that is due now, and looked at in an hour.
func TestEveryTaskIsMeasured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	for _, referee := range []string{"alan", "grace", "barbara"} {
		s.signup(referee)
	}
	s.purchase("alan")
	s.purchase("grace")
	dollars := client.NewConversion{ProgramID: s.program, RefereeExternalID: "grace", ExternalID: "in dollars", Type: "purchase", Amount: 100, Currency: "USD"}
	waits, err := s.c.RecordConversionWithResponse(t.Context(), &client.RecordConversionParams{}, dollars)
	w.must(err, waits.StatusCode(), http.StatusCreated)
	w.exec("SET session_replication_role = replica") // the rows need not refer to anything
	for _, sql := range []string{
		"UPDATE rewards SET available_at = created_at WHERE workspace_id = $1",
		`UPDATE rewards SET state = 'available', expires_at = created_at, kind = 'credit'
			WHERE workspace_id = $1 AND id = (SELECT max(id::text)::uuid FROM rewards WHERE state = 'pending')`,
		"UPDATE referrals SET qualify_by = created_at WHERE workspace_id = $1 AND state = 'attributed'",
		"INSERT INTO resettlements SELECT $1, program_id, referee_id, created_at, created_at, id FROM referrals WHERE workspace_id = $1 LIMIT 1",
		`INSERT INTO exchange_rates SELECT $1, gen_random_uuid(), 'USD', 'EUR', '0.9', 'bank', occurred_at, received_at FROM conversions
			WHERE workspace_id = $1 AND currency = 'USD'`,
		"INSERT INTO tier_periods SELECT $1, id, id, 'share', '2026-01-01', '2026-02-01', now(), NULL, 1 FROM programs WHERE workspace_id = $1",
		"INSERT INTO payout_runs SELECT $1, id, id, 'EUR', 'preparing', NULL, id, id, 0, now() FROM programs WHERE workspace_id = $1",
		"INSERT INTO erasure_requests SELECT $1, id, id, NULL, NULL, false, 'running', now() FROM programs WHERE workspace_id = $1",
		`INSERT INTO idempotency_keys (workspace_id, key, operation, fingerprint, created_at)
			VALUES ($1, 'old', 'createProgram', '\x00', now() - interval '7 days')`,
	} {
		w.exec(sql, live.ID)
	}
	res, _ := w.server.Do(http.MethodGet, "/r/"+live.Slug+"/ADA-2026", "", "", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	if res.StatusCode != http.StatusFound {
		t.Fatalf("status %d", res.StatusCode)
	}
	ages := w.ages(live.ID, time.Now().Add(time.Hour))
	for _, task := range dueTasks {
		if task == "partitions" || task == "drop_clicks" {
			continue
		}
		if age := ages[task]; age < 59*time.Minute || age > 61*time.Minute {
			t.Errorf("%s has been due for %v, not an hour", task, age)
		}
	}
}

func TestNoTaskIsMissingFromTheMetrics(t *testing.T) {
	t.Parallel()
	query, err := os.ReadFile("../../sql/queries/due.sql")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{"partitions": true, "drop_clicks": true} // not of a workspace
	for _, m := range regexp.MustCompile(`'(\w+)'(?:::text AS task)?, (?:true|false)`).FindAllStringSubmatch(string(query), -1) {
		found[m[1]] = true
		if !slices.Contains(dueTasks, m[1]) {
			t.Errorf("%s is not among the labels", m[1])
		}
	}
	if len(found) != len(dueTasks) {
		t.Errorf("%d tasks are found, %d are labels", len(found), len(dueTasks))
	}
}

func TestPartitionsThatCannotBeMadeAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now().AddDate(2, 0, 0)
	worker := w.worker(now)
	worker.now = func() time.Time { return now }
	busy, err := w.owner.Begin(t.Context())
	if err == nil {
		_, err = busy.Exec(t.Context(), "LOCK TABLE clicks")
	}
	if err != nil {
		t.Fatal(err)
	}
	worker.turn(t.Context())
	now = now.Add(30 * time.Second) // before it is tried again
	worker.turn(t.Context())
	if got := w.metric(worker, dueSeconds, "partitions"); got != 30 {
		t.Errorf("partitions are %v s late, not 30", got)
	}
	if err := busy.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	worker.turn(t.Context())
	if got := w.metric(worker, dueSeconds, "partitions"); got != 0 {
		t.Errorf("partitions are %v s late when they are there", got)
	}
}

// A sale waits for a rate, and the one that comes makes it larger than an amount can be.
func TestASaleThatNoRateFitsIsNotTriedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.server.Pair()
	s := w.shop(live)
	referral := s.signup("alan")
	sold, err := s.c.RecordConversionWithResponse(t.Context(), &client.RecordConversionParams{}, client.NewConversion{
		ProgramID: s.program, RefereeExternalID: "alan", ExternalID: "o1", Type: "purchase", Amount: 10_000, Currency: "USD",
	})
	w.must(err, sold.StatusCode(), http.StatusCreated)
	rate := func(value string, before time.Duration) {
		res, err := s.c.RecordExchangeRateWithResponse(t.Context(), &client.RecordExchangeRateParams{}, client.NewExchangeRate{
			FromCurrency: "USD", ToCurrency: "EUR", Rate: value, Source: ptr("bank"), EffectiveAt: ptr(time.Now().Add(-before)),
		})
		w.must(err, res.StatusCode(), http.StatusCreated)
	}
	refused := func() int { return w.count("SELECT count(*) FROM events WHERE type = 'conversion.rate_refused'") }
	rate("999999999999", 3*day)
	if ages := w.ages(live.ID, time.Now().Add(time.Hour)); ages["price"] != 0 || refused() != 1 {
		t.Errorf("it is still due, for %v; it was told %d times that the rate does not fit", ages["price"], refused())
	}
	rate("2", 4*day) // another one holds
	rate("888888888888", 2*day)
	w.turn(time.Now())
	if refused() != 2 || s.rewards(client.RewardStatePendingFx) != 1 {
		t.Errorf("refused %d times, %d rewards wait", refused(), s.rewards(client.RewardStatePendingFx))
	}
	why, err := s.c.ExplainReferralWithResponse(t.Context(), referral)
	w.must(err, why.StatusCode(), http.StatusOK)
	if last := why.JSON200.Steps[len(why.JSON200.Steps)-1]; last.Title != "Exchange rate refused" {
		t.Errorf("the explanation ends with %s: %s", last.Title, last.Detail)
	}
	rate("0.5", day)
	if n := w.count("SELECT base_amount FROM conversions"); n != 5000 || s.rewards(client.RewardStatePending) != 1 {
		t.Errorf("it is worth %d, and %d rewards are pending", n, s.rewards(client.RewardStatePending))
	}
	w.turn(time.Now())
	w.healthy()
}
