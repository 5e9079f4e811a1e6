package scenario

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/doctor"
	"github.com/grapevine-referrals/grapevine/internal/engine"
)

// standing checks what must hold after every situation: the doctor finds nothing. It balances the books, compares counters with
// facts, replays every decision, and settles every referee again. Durability is off in tests.
func (w *world) standing() {
	w.t.Helper()
	ctx := w.t.Context()
	conn, err := pgx.Connect(ctx, w.db.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(ctx)
	checks := slices.DeleteFunc(doctor.Checks(), func(c doctor.Check) bool { return c.Name == "durable" })
	findings, err := doctor.Examine(ctx, conn, checks)
	if err != nil {
		w.t.Fatal(err)
	}
	unsettled, err := doctor.Settlements(ctx, conn, w.db.Store, engine.New(nil), t0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range append(findings, unsettled...) {
		w.t.Errorf("doctor: %v", f)
	}
	w.do("GET", "/v1/ledger/trial-balance", nil).want(200, "balanced", true)
}
