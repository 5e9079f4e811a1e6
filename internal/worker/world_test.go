package worker

import (
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/oapi-codegen/nullable"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const day = 24 * time.Hour

// world is a server and a database of its own, without background work but what a test begins.
type world struct {
	*testing.T
	server   *servertest.Server
	store    *store.Store
	owner    *pgx.Conn
	database *dbtest.Database
}

func newWorld(t *testing.T, change ...func(*server.Options)) *world {
	t.Helper()
	d := dbtest.New(t)
	return &world{T: t, server: servertest.StartOn(t, d.Store, change...), store: d.Store, owner: d.Owner(t), database: d}
}

// worker makes a worker whose clock stands at now.
func (w *world) worker(now time.Time) *Worker {
	log := slog.New(slog.NewTextHandler(w.Output(), nil))
	return New(Options{Store: w.store, Engine: engine.New(log), Log: log, Now: func() time.Time { return now }})
}

// turn does everything that is due at now.
func (w *world) turn(now time.Time) *Worker {
	w.Helper()
	worker := w.worker(now)
	worker.turn(w.Context())
	return worker
}

// shop is a workspace with an active program: 20 % for the referrer after two weeks; a referral qualifies within 30 days.
type shop struct {
	w       *world
	c       *client.ClientWithResponses
	space   servertest.Workspace
	program uuid.UUID
	code    string
}

func (w *world) shop(space servertest.Workspace) *shop {
	w.Helper()
	s := &shop{w: w, c: w.server.Client(space.Secret), space: space, code: "ADA-2026"}
	made, err := s.c.CreateProgramWithResponse(w.Context(), &client.CreateProgramParams{}, client.NewProgram{
		Name: "Test", Currency: "EUR", LandingURL: "https://shop.example/", Rules: &client.NewRules{
			Qualification: &client.NewQualificationRules{WindowSeconds: ptr(int64(30 * day / time.Second))},
			Rewards: &client.NewRewardRules{{
				Key: "share", Triggers: client.RewardTriggers{"purchase"}, Beneficiary: client.RuleBeneficiaryReferrer,
				Kind: client.RewardKindMoney, Amount: client.RewardAmount{Type: client.RewardAmountTypeBasisPoints, Value: 2000},
				HoldSeconds: ptr(int64(14 * day / time.Second)),
			}},
		},
	})
	w.must(err, made.StatusCode(), http.StatusCreated)
	s.program = made.JSON201.ID
	active, err := s.c.ActivateProgramWithResponse(w.Context(), s.program, &client.ActivateProgramParams{})
	w.must(err, active.StatusCode(), http.StatusOK)
	ada, err := s.c.CreateParticipantWithResponse(w.Context(), &client.CreateParticipantParams{}, client.NewParticipant{ExternalID: "ada"})
	w.must(err, ada.StatusCode(), http.StatusCreated)
	code, err := s.c.CreateCodeWithResponse(w.Context(), &client.CreateCodeParams{}, client.NewCode{
		ProgramID: s.program, ParticipantExternalID: "ada", Value: &s.code,
	})
	w.must(err, code.StatusCode(), http.StatusCreated)
	return s
}

// signup brings a referee.
func (s *shop) signup(referee string) uuid.UUID {
	s.w.Helper()
	made, err := s.c.CreateSignupWithResponse(s.w.Context(), &client.CreateSignupParams{}, client.NewSignup{
		ProgramID: s.program, RefereeExternalID: referee, ExternalID: referee, Code: &s.code,
	})
	s.w.must(err, made.StatusCode(), http.StatusCreated)
	id, err := made.JSON201.ReferralID.Get()
	if err != nil {
		s.w.Fatalf("%s is not attributed: %s", referee, made.JSON201.Reason)
	}
	return id
}

// purchase makes a referee buy for 100.00.
func (s *shop) purchase(referee string) {
	s.w.Helper()
	made, err := s.c.RecordConversionWithResponse(s.w.Context(), &client.RecordConversionParams{}, client.NewConversion{
		ProgramID: s.program, RefereeExternalID: referee, ExternalID: referee, Type: "purchase", Amount: 10_000, Currency: "EUR",
	})
	s.w.must(err, made.StatusCode(), http.StatusCreated)
}

// rewards counts the rewards of a state.
func (s *shop) rewards(state client.RewardState) (n int) {
	s.w.Helper()
	for r, err := range client.All(func(cursor *string) ([]client.Reward, nullable.Nullable[string], error) {
		page, err := s.c.ListRewardsWithResponse(s.w.Context(), &client.ListRewardsParams{Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			s.w.Fatal(err)
		}
		if r.State == state {
			n++
		}
	}
	return n
}

func (w *world) must(err error, got, want int) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	if got != want {
		w.Fatalf("status %d, not %d", got, want)
	}
}

// count runs a query that counts, as the owner.
func (w *world) count(sql string, args ...any) (n int) {
	w.Helper()
	if err := w.owner.QueryRow(w.Context(), sql, args...).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.owner.Exec(w.Context(), sql, args...); err != nil {
		w.Fatal(err)
	}
}

// metric reads one of the worker's metrics; a task picks one of several.
func (w *world) metric(worker *Worker, name, task string) float64 {
	w.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(worker.Metrics()...)
	families, err := registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (task == "" || m.GetLabel()[0].GetValue() == task) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	w.Fatalf("there is no metric %s", name)
	return 0
}

func together(n int, fn func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { fn(i) })
	}
	all.Wait()
}

func ptr[T any](v T) *T { return &v }
