package engine

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// priceNew finds what a new conversion is worth in its program's currency. Without a rate it stays open. Errors: currency_mismatch for
// a currency that cannot be converted, amount_not_allowed for an amount that is too large when it is.
func (r *recorder) priceNew(ctx context.Context, c *db.Conversion) error {
	if c.Currency == c.BaseCurrency {
		c.BaseAmount = &c.Amount
		return nil
	}
	for _, code := range []string{c.Currency, c.BaseCurrency} {
		if _, ok := money.Digits(code); !ok {
			return problem.CurrencyMismatch.With("the program counts in " + c.BaseCurrency + ", and " + code + " has no minor unit in ISO 4217").
				WithErrors([]problem.FieldError{{Pointer: "/currency", Message: "cannot be converted"}})
		}
	}
	// Who records a rate of the pair locks this alone, and prices what waits afterwards: so the conversion sees the rate, or is seen.
	key := waitsForRate(c.Currency, c.BaseCurrency)
	err := r.tx.Load(ctx,
		func(tx store.DBTX) error {
			return r.e.q.EnsureFactKey(ctx, tx, db.EnsureFactKeyParams{WorkspaceID: r.s.Workspace, Key: key})
		},
		func(tx store.DBTX) error {
			_, err := r.e.q.ShareFactKey(ctx, tx, db.ShareFactKeyParams{WorkspaceID: r.s.Workspace, Key: key})
			return err
		},
		func(tx store.DBTX) error { return r.price(ctx, tx, c) })
	if errors.Is(err, money.ErrTooLarge) {
		return problem.AmountNotAllowed.With("the amount is too large in " + c.BaseCurrency).
			WithErrors([]problem.FieldError{{Pointer: "/amount", Message: "is too large in the program's currency"}})
	}
	return err
}

// price gives a conversion the newest rate of its pair that holds when it occurred, if there is one. Error: money.ErrTooLarge, and the rate
// is noted as refused.
func (r *recorder) price(ctx context.Context, on store.DBTX, c *db.Conversion) error {
	row, err := r.e.q.GetExchangeRateAt(ctx, on, db.GetExchangeRateAtParams{
		WorkspaceID: r.s.Workspace, FromCurrency: c.Currency, ToCurrency: c.BaseCurrency, At: c.OccurredAt,
	})
	if err != nil {
		return optional(err)
	}
	rate, err := money.ParseRate(row.Rate)
	if err != nil {
		return err
	}
	base, err := money.Convert(c.Amount, c.Currency, c.BaseCurrency, rate)
	if err != nil {
		c.RefusedRateID = &row.ID
		return err
	}
	c.BaseAmount, c.ExchangeRateID, c.ExchangeRate, c.ExchangeRateSource, c.ExchangeRateAt = &base, &row.ID, &row.Rate, &row.Source, &row.EffectiveAt
	return nil
}

// exchangeOf is how the amounts of a conversion are converted; nil when they are in the program's currency, or have no rate yet.
func exchangeOf(c db.Conversion) *money.Exchange {
	if c.ExchangeRate == nil {
		return nil
	}
	rate, err := money.ParseRate(*c.ExchangeRate)
	if err != nil {
		panic(err) // it was parsed when it was stored
	}
	return &money.Exchange{From: c.Currency, To: c.BaseCurrency, Rate: rate}
}

// setReversed computes what is gone of a conversion, in both currencies.
func (h *history) setReversed(c *db.Conversion) {
	c.ReversedAmount, _, _ = settlement.Net(c.Amount, h.reversalsOf(*c))
	x := exchangeOf(*c)
	switch {
	case c.BaseAmount == nil:
		c.BaseReversedAmount = 0
	case x == nil:
		c.BaseReversedAmount = c.ReversedAmount
	default:
		c.BaseReversedAmount = *c.BaseAmount - x.Of(c.Amount-c.ReversedAmount)
	}
}

// PriceConversions gives conversions that waited for a rate the one that is there now, with everything that follows from it, and says
// how many: referee by referee, each in a transaction of its own, at most so many. Another process may do the same at the same time.
func (e *Engine) PriceConversions(ctx context.Context, st *store.Store, s Scope, most int) (priced int, err error) {
	var after uuid.UUID // passed by, so that one that cannot be priced holds up no other
	for range most {
		next, err := e.q.GetConversionToPrice(ctx, st.DB(s.Workspace), db.GetConversionToPriceParams{WorkspaceID: s.Workspace, After: after})
		if err != nil {
			return priced, optional(err)
		}
		after = next.ID
		n := 0
		if err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) error {
			n, err = e.priceHistory(ctx, tx, s, next.ProgramID, next.RefereeExternalID)
			return err
		}); err != nil {
			return priced, err
		}
		priced += n
	}
	return priced, nil
}

// priceHistory prices what waits of one referee, and settles the referee with that.
func (e *Engine) priceHistory(ctx context.Context, tx *store.Tx, s Scope, program uuid.UUID, externalID string) (priced int, err error) {
	h, err := e.loadHistory(ctx, tx, s, program, referee{ExternalID: externalID})
	if err != nil {
		return 0, err
	}
	b := h.mark()
	r := e.record(tx, s)
	h.priced = map[uuid.UUID]bool{}
	for i := range h.conversions {
		c := &h.conversions[i]
		if c.BaseAmount != nil {
			continue
		}
		err := r.price(ctx, tx.DB(), c)
		if errors.Is(err, money.ErrTooLarge) {
			err = r.refuseRate(ctx, b, c)
		}
		if err != nil {
			return 0, err
		}
		if c.BaseAmount != nil {
			h.priced[c.ID] = true
		}
	}
	if len(h.priced) > 0 {
		if err := r.settle(ctx, h, b); err != nil {
			return 0, err
		}
	}
	return len(h.priced), r.flush(ctx)
}

// refuseRate notes the rate that makes a stored conversion too large, so that it waits for a newer one and is not tried for ever.
func (r *recorder) refuseRate(ctx context.Context, b before, c *db.Conversion) error {
	if same(b.conversions[c.ID].RefusedRateID, c.RefusedRateID) {
		return nil
	}
	r.event("conversion.rate_refused", "conversion", c.ID, struct {
		Amount         int64     `json:"amount"`
		Currency       string    `json:"currency"`
		BaseCurrency   string    `json:"base_currency"`
		ExchangeRateID uuid.UUID `json:"exchange_rate_id"`
	}{c.Amount, c.Currency, c.BaseCurrency, *c.RefusedRateID})
	err := r.e.q.RefuseRate(ctx, r.tx.Guard(), db.RefuseRateParams{
		WorkspaceID: r.s.Workspace, ID: c.ID, RefusedRateID: c.RefusedRateID, Version: c.Version,
	})
	c.Version++
	b.conversions[c.ID] = *c
	return err
}

// priceConversion writes the rate of a stored conversion, and gives the row as it is then.
func (r *recorder) priceConversion(ctx context.Context, old db.Conversion, c *db.Conversion) (db.Conversion, error) {
	r.event("conversion.priced", "conversion", c.ID, struct {
		BaseAmount   int64     `json:"base_amount"`
		BaseCurrency string    `json:"base_currency"`
		Rate         string    `json:"rate"`
		Source       string    `json:"source"`
		EffectiveAt  time.Time `json:"effective_at"`
	}{*c.BaseAmount, c.BaseCurrency, *c.ExchangeRate, *c.ExchangeRateSource, *c.ExchangeRateAt})
	err := r.e.q.PriceConversion(ctx, r.tx.Guard(), db.PriceConversionParams{
		WorkspaceID: r.s.Workspace, ID: c.ID, BaseAmount: c.BaseAmount, BaseReversedAmount: c.BaseReversedAmount, ExchangeRateID: c.ExchangeRateID, ExchangeRate: c.ExchangeRate,
		ExchangeRateSource: c.ExchangeRateSource, ExchangeRateAt: c.ExchangeRateAt, Version: old.Version,
	})
	old.Version++
	c.Version = old.Version
	return old, err
}
