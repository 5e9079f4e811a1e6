package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewExchangeRate says what a unit of one currency is worth in another from a moment on; now, without one.
type NewExchangeRate struct {
	From, To    string
	Rate        string
	Source      string
	EffectiveAt *time.Time
}

// RecordExchangeRate stores a rate. Known says that it had been recorded before. Sales that wait for it are priced afterwards, by
// PriceConversions. Errors: validation_failed, and conflict when the pair, source and moment have another rate already.
func (e *Engine) RecordExchangeRate(ctx context.Context, tx *store.Tx, s Scope, n NewExchangeRate) (row db.ExchangeRate, known bool, err error) {
	rate, err := n.parse()
	if err != nil {
		return row, false, err
	}
	at := s.Now
	if n.EffectiveAt != nil {
		at = n.EffectiveAt.UTC().Truncate(time.Microsecond)
	}
	// Sales of the pair look for a rate under the same lock: each sees the rate, or is seen by who prices what waits for it.
	err = tx.Load(ctx,
		func(tx store.DBTX) error {
			return e.q.LockFactKey(ctx, tx, db.LockFactKeyParams{WorkspaceID: s.Workspace, Key: waitsForRate(n.From, n.To)})
		},
		func(tx store.DBTX) (err error) {
			row, err = e.q.GetExchangeRateByReference(ctx, tx, db.GetExchangeRateByReferenceParams{
				WorkspaceID: s.Workspace, FromCurrency: n.From, ToCurrency: n.To, EffectiveAt: at, Source: n.Source,
			})
			return optional(err)
		})
	if err != nil {
		return row, false, err
	}
	if row.ID != uuid.Nil {
		if was, err := money.ParseRate(row.Rate); err != nil || was != rate {
			return row, false, problem.Conflict.With("the pair has the rate " + row.Rate + " by this source from this moment on, and rates are never changed").
				WithErrors([]problem.FieldError{{Pointer: "/rate", Message: "differs from the stored one"}})
		}
		return row, true, nil
	}
	row = db.ExchangeRate{
		WorkspaceID: s.Workspace, ID: newID(), FromCurrency: n.From, ToCurrency: n.To, Rate: n.Rate, Source: n.Source, EffectiveAt: at,
		CreatedAt: s.Now,
	}
	r := e.record(tx, s)
	r.event("exchange_rate.recorded", "exchange_rate", row.ID, struct {
		From        string    `json:"from_currency"`
		To          string    `json:"to_currency"`
		Rate        string    `json:"rate"`
		Source      string    `json:"source"`
		EffectiveAt time.Time `json:"effective_at"`
	}{row.FromCurrency, row.ToCurrency, row.Rate, row.Source, row.EffectiveAt})
	if err := e.q.CreateExchangeRate(ctx, tx.Write(), db.CreateExchangeRateParams(row)); err != nil {
		return row, false, err
	}
	return row, false, r.flush(ctx)
}

// parse reads the rate, which needs two different currencies that have minor units.
func (n NewExchangeRate) parse() (money.Rate, error) {
	rate, err := money.ParseRate(n.Rate)
	var faults []problem.FieldError
	if err != nil {
		faults = append(faults, problem.FieldError{Pointer: "/rate", Message: "is not over zero"})
	}
	for _, c := range []struct{ pointer, code string }{{"/from_currency", n.From}, {"/to_currency", n.To}} {
		if _, ok := money.Digits(c.code); !ok {
			faults = append(faults, problem.FieldError{Pointer: c.pointer, Message: "is no currency of ISO 4217 with a minor unit"})
		}
	}
	if n.From == n.To {
		faults = append(faults, problem.FieldError{Pointer: "/to_currency", Message: "is the same currency"})
	}
	if len(faults) > 0 {
		return rate, problem.ValidationFailed.With("a rate is a decimal number over zero between two currencies").WithErrors(faults)
	}
	return rate, nil
}
