package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// fewConversions is how many conversions a rate settles before it is answered; background work goes on with the others.
const fewConversions = 100

// RecordExchangeRate stores a rate, 201, or 200 when it is known, and settles what waited for it. That runs in transactions of its own,
// because the rate stands whatever becomes of them.
func (h handlers) RecordExchangeRate(
	ctx context.Context, req api.RecordExchangeRateRequestObject,
) (api.RecordExchangeRateResponseObject, error) {
	b, s := *req.Body, h.scope(ctx)
	stored, err := once(ctx, h.store, api.RecordExchangeRateResponseObject.VisitRecordExchangeRateResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordExchangeRateResponseObject, error) {
			row, known, err := h.engine.RecordExchangeRate(ctx, tx, s, engine.NewExchangeRate{
				From: b.FromCurrency, To: b.ToCurrency, Rate: b.Rate, Source: orDefault(b.Source, defaultSource), EffectiveAt: b.EffectiveAt,
			})
			switch {
			case err != nil:
				return nil, err
			case known:
				return api.RecordExchangeRate200JSONResponse{Body: toExchangeRate(row)}, nil
			}
			return api.RecordExchangeRate201JSONResponse{Body: toExchangeRate(row)}, nil
		})
	if err != nil {
		return nil, err
	}
	if _, err := h.engine.PriceConversions(ctx, h.store, s, fewConversions); err != nil {
		h.edge.log.LogAttrs(ctx, slog.LevelWarn, "conversions are left to background work", slog.String("cause", store.LogText(err)))
	}
	return stored, nil
}

// ratePosition is where a page of rates ends.
type ratePosition struct {
	EffectiveAt time.Time
	ID          uuid.UUID
}

// ListExchangeRates lists rates, newest first.
func (h handlers) ListExchangeRates(ctx context.Context, req api.ListExchangeRatesRequestObject) (api.ListExchangeRatesResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[ratePosition](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	list := db.ListExchangeRatesParams{WorkspaceID: ws, FromCurrency: p.FromCurrency, ToCurrency: p.ToCurrency, PageLimit: most + 1}
	if before != nil {
		list.BeforeEffectiveAt, list.BeforeID = &before.EffectiveAt, &before.ID
	}
	rows, err := h.q.ListExchangeRates(ctx, h.store.DB(ws), list)
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.ExchangeRate) ratePosition { return ratePosition{r.EffectiveAt.UTC(), r.ID} })
	return api.ListExchangeRates200JSONResponse{Body: api.ExchangeRatePage{Data: each(rows, toExchangeRate), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func toExchangeRate(r db.ExchangeRate) api.ExchangeRate {
	return api.ExchangeRate{
		ID: r.ID, FromCurrency: r.FromCurrency, ToCurrency: r.ToCurrency, Rate: r.Rate, Source: r.Source,
		EffectiveAt: r.EffectiveAt.UTC(), CreatedAt: r.CreatedAt.UTC(),
	}
}
