package worker

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/doctor"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/payout"
	"github.com/grapevine-referrals/grapevine/internal/server"
)

const (
	racers    = 4 // workers, as many processes would have
	referrers = 5
	buyers    = 4                  // of each referrer; one more never buys
	each      = buyers*2500 + 1250 // what a referrer makes: 25 % of every sale, and of the one that is worth 50.00
)

// rush is a workspace in which everything becomes due at once.
type rush struct {
	*shop
	pay *httptest.Server

	mu     sync.Mutex
	orders map[string]int // how often each payout was handed over
}

// newRush has referrers bring buyers in March 2030. A sale pays the referrer 20 %, 25 % when the month makes 300.00, after two weeks, and
// the referee credit for 20 days. One sale of each referrer waits for a rate.
func newRush(w *world) *rush {
	w.Helper()
	r := &rush{orders: map[string]int{}}
	r.pay = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.orders[in.Header.Get("webhook-id")]++
		out.WriteHeader(http.StatusAccepted)
	}))
	w.Cleanup(r.pay.Close)
	_, test := w.server.Pair()
	r.shop = &shop{w: w, c: w.server.Client(test.Secret), space: test}
	r.clock(time.Date(2030, 3, 5, 12, 0, 0, 0, time.UTC))
	r.offer()
	for i := range referrers {
		r.code = fmt.Sprintf("REFERRER-%d", i)
		owner, err := r.c.CreateParticipantWithResponse(w.Context(), &client.CreateParticipantParams{}, client.NewParticipant{ExternalID: r.code})
		w.must(err, owner.StatusCode(), http.StatusCreated)
		code, err := r.c.CreateCodeWithResponse(w.Context(), &client.CreateCodeParams{}, client.NewCode{
			ProgramID: r.program, ParticipantExternalID: r.code, Value: &r.code,
		})
		w.must(err, code.StatusCode(), http.StatusCreated)
		for j := range buyers {
			name := fmt.Sprintf("buyer %d of %d", j, i)
			r.signup(name)
			r.purchase(name)
		}
		r.signup(fmt.Sprintf("nobody of %d", i))
		dollars, err := r.c.RecordConversionWithResponse(w.Context(), &client.RecordConversionParams{}, client.NewConversion{
			ProgramID: r.program, RefereeExternalID: fmt.Sprintf("buyer 0 of %d", i), ExternalID: fmt.Sprintf("dollars %d", i),
			Type: "purchase", Amount: 10_000, Currency: "USD",
		})
		w.must(err, dollars.StatusCode(), http.StatusCreated)
	}
	return r
}

func (r *rush) offer() {
	r.w.Helper()
	made, err := r.c.CreateProgramWithResponse(r.w.Context(), &client.CreateProgramParams{}, client.NewProgram{
		Name: "Rush", Currency: "EUR", LandingURL: "https://shop.example/", Rules: &client.NewRules{
			Qualification: &client.NewQualificationRules{WindowSeconds: ptr(int64(30 * day / time.Second))},
			Rewards: &client.NewRewardRules{{
				Key: "share", Triggers: client.RewardTriggers{"purchase"}, Beneficiary: client.RuleBeneficiaryReferrer,
				Kind: client.RewardKindMoney, Amount: client.RewardAmount{Type: client.RewardAmountTypeBasisPoints, Value: 2000},
				HoldSeconds: ptr(int64(14 * day / time.Second)),
				Tiers: nullable.NewNullableWithValue(client.NewTiers{
					Measure: client.RewardMeasureRevenue, Period: ptr(client.MeasurePeriodMonth), Mode: ptr(client.TierModeRecompute),
					Steps: client.TierSteps{{From: 30_000, Amount: client.RewardAmount{Type: client.RewardAmountTypeBasisPoints, Value: 2500}}},
				}),
			}, {
				Key: "welcome", Triggers: client.RewardTriggers{"qualified"}, Beneficiary: client.RuleBeneficiaryReferee,
				Kind: client.RewardKindCredit, Amount: client.RewardAmount{Type: client.RewardAmountTypeFixed, Value: 500},
				ExpiresAfterSeconds: nullable.NewNullableWithValue(int64(20 * day / time.Second)),
			}},
		},
	})
	r.w.must(err, made.StatusCode(), http.StatusCreated)
	r.program = made.JSON201.ID
	active, err := r.c.ActivateProgramWithResponse(r.w.Context(), r.program, &client.ActivateProgramParams{})
	r.w.must(err, active.StatusCode(), http.StatusOK)
}

// clock moves the clock of the workspace without doing what is due.
func (r *rush) clock(at time.Time) {
	r.w.Helper()
	if err := db.New().SetClock(r.w.Context(), r.w.store.DB(r.space.ID), db.SetClockParams{WorkspaceID: r.space.ID, ClockAt: &at}); err != nil {
		r.w.Fatal(err)
	}
}

// race has workers take a turn each while nothing is due, so that the rest begins at once, and then three turns at the same time after due
// has made the work. It gives the sum of what they say they did.
func (r *rush) race(due func()) map[string]float64 {
	r.w.Helper()
	workers, done := make([]*Worker, racers), map[string]float64{}
	together(racers, func(i int) {
		workers[i] = r.w.worker(time.Now())
		workers[i].engine = engine.New(slog.New(slog.NewTextHandler(r.w.Output(), nil))).PayThrough(payout.New(true))
		workers[i].turn(r.w.Context())
	})
	due()
	together(racers, func(i int) {
		for range 3 {
			workers[i].turn(r.w.Context())
		}
	})
	for _, worker := range workers {
		for _, task := range doneTasks {
			done[task] += r.w.metric(worker, "grapevine_worker_done_total", task)
		}
		for _, task := range failingTasks {
			if n := r.w.metric(worker, "grapevine_worker_failures_total", task); n > 0 {
				r.w.Errorf("%s failed %v times", task, n)
			}
		}
	}
	return done
}

// healthy has the doctor look through the database.
func (w *world) healthy() {
	w.Helper()
	checks := slices.DeleteFunc(doctor.Checks(), func(c doctor.Check) bool { return c.Name == "durable" })
	findings, err := doctor.Examine(w.Context(), w.database.App(w), checks)
	if err != nil {
		w.Fatal(err)
	}
	unsettled, err := doctor.Settlements(w.Context(), w.database.App(w), w.store, engine.New(nil), time.Now())
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range append(findings, unsettled...) {
		w.Error(f)
	}
}

// none expects a query to count nothing.
func (w *world) none(what, sql string) {
	w.Helper()
	if n := w.count("SELECT count(*) FROM (" + sql + ") AS found"); n > 0 {
		w.Errorf("%d %s", n, what)
	}
}

func TestWorkersRaceOverEverythingThatIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *server.Options) { o.AllowPrivateTargets = true })
	r := newRush(w)
	done := r.race(func() {
		w.exec(`INSERT INTO exchange_rates SELECT workspace_id, gen_random_uuid(), 'USD', 'EUR', '0.5', 'bank', occurred_at, occurred_at
			FROM conversions WHERE currency = 'USD' LIMIT 1`)
		r.clock(time.Date(2030, 4, 20, 12, 0, 0, 0, time.UTC)) // holds, windows, credit and March are over
	})
	for task, want := range map[string]float64{
		"mature": referrers * buyers, "expire": referrers, "expire_rewards": referrers * buyers, "price": referrers,
	} {
		if got := done[task]; got != want {
			t.Errorf("%s was done %v times, not %v", task, got, want)
		}
	}
	w.none("rewards moved twice the same way", `SELECT FROM ledger_transfers WHERE recipe IN ('mature', 'expire') GROUP BY reward_id, recipe HAVING count(*) > 1`)
	w.none("rewards told of the same twice", `SELECT FROM events WHERE type IN ('reward.matured', 'reward.expired', 'reward.rerated', 'referral.expired')
		GROUP BY subject_id, type HAVING count(*) > 1`)
	w.none("referrers with another sum than 25 % make", fmt.Sprintf(`SELECT FROM rewards WHERE rule_key = 'share'
		GROUP BY participant_id HAVING sum(granted) <> %d OR bool_or(state <> 'available')`, each))
	w.none("months still open", "SELECT FROM tier_periods WHERE closed_at IS NULL")
	w.healthy()

	r.race(r.runPayouts)
	w.none("payouts that are not submitted", "SELECT FROM payouts WHERE state <> 'submitted'")
	w.none("rewards reserved twice", "SELECT FROM ledger_transfers WHERE recipe = 'reserve' GROUP BY reward_id HAVING count(*) > 1")
	if n := w.count("SELECT sum(amount) FROM payouts"); n != referrers*each {
		t.Errorf("%d are paid out", n)
	}
	if len(r.orders) != referrers {
		t.Errorf("%d payouts were handed over, not %d", len(r.orders), referrers)
	}
	for key, n := range r.orders {
		if n != 1 {
			t.Errorf("payout %s was handed over %d times", key, n)
		}
	}
	w.healthy()
}

// runPayouts begins a run over everybody whose payouts are approved by themselves.
func (r *rush) runPayouts() {
	r.w.Helper()
	policy, err := r.c.SetPayoutPolicyWithResponse(r.w.Context(), "EUR", client.NewPayoutPolicy{
		MinimumAmount: 1, Approval: ptr(client.PayoutApprovalAutomatic), Provider: ptr(client.PayoutProviderWebhook),
		WebhookURL: nullable.NewNullableWithValue(r.pay.URL),
	})
	r.w.must(err, policy.StatusCode(), http.StatusCreated)
	run, err := r.c.CreatePayoutRunWithResponse(r.w.Context(), &client.CreatePayoutRunParams{}, client.NewPayoutRun{Currency: "EUR"})
	r.w.must(err, run.StatusCode(), http.StatusCreated)
}
