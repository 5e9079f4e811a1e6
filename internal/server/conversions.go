package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// RecordConversion answers 201 when the conversion was judged, 202 when it waits for its signup, 200 when it is known.
func (h handlers) RecordConversion(ctx context.Context, req api.RecordConversionRequestObject) (api.RecordConversionResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.RecordConversionResponseObject.VisitRecordConversionResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordConversionResponseObject, error) {
			out, err := h.engine.RecordConversion(ctx, tx, h.scope(ctx), fromNewConversion(b))
			if err != nil {
				return nil, err
			}
			body := api.ConversionResult{
				Conversion: toConversion(out.Conversion, b.RefereeExternalID), Reason: toReason(out.Conversion.Reason),
				Rewards: each(out.Rewards, toReward),
			}
			at := "/v1/conversions/" + out.Conversion.ID.String()
			switch {
			case out.Known:
				return api.RecordConversion200JSONResponse{Body: body}, nil
			case out.Conversion.State == state.ConversionUnmatched:
				return api.RecordConversion202JSONResponse{Body: body, Headers: api.RecordConversion202ResponseHeaders{Location: at}}, nil
			}
			return api.RecordConversion201JSONResponse{Body: body, Headers: api.RecordConversion201ResponseHeaders{Location: at}}, nil
		})
}

// PreviewConversion judges a conversion and writes nothing.
func (h handlers) PreviewConversion(ctx context.Context, req api.PreviewConversionRequestObject) (api.PreviewConversionResponseObject, error) {
	out, err := h.engine.PreviewConversion(ctx, h.store, h.scope(ctx), fromNewConversion(*req.Body))
	if err != nil {
		return nil, err
	}
	body := api.ConversionPreview{
		State: api.ConversionState(out.Conversion.State), Reason: toReason(out.Conversion.Reason), ReferralID: orNull(out.Conversion.ReferralID),
		Rewards: []api.PreviewedReward{},
	}
	for _, w := range out.Rewards {
		body.Rewards = append(body.Rewards, toPreviewedReward(w))
	}
	return api.PreviewConversion200JSONResponse{Body: body}, nil
}

func toPreviewedReward(w db.Reward) api.PreviewedReward {
	r := toReward(w)
	return api.PreviewedReward{
		ParticipantID: r.ParticipantID, RuleKey: r.RuleKey, Beneficiary: r.Beneficiary, Level: r.Level, Tier: r.Tier, Kind: r.Kind,
		Currency: r.Currency, Granted: r.Granted, Capped: r.Capped, Reversed: r.Reversed, State: r.State, Reason: r.Reason,
		AvailableAt: r.AvailableAt,
	}
}

func fromNewConversion(b api.NewConversion) engine.NewConversion {
	return engine.NewConversion{
		ProgramID: b.ProgramID, RefereeExternalID: b.RefereeExternalID, Source: orDefault(b.Source, defaultSource),
		ExternalID: b.ExternalID, Type: b.Type, Amount: b.Amount, Currency: b.Currency, OccurredAt: b.OccurredAt,
		Metadata: fromMetadata(b.Metadata),
	}
}

func (h handlers) GetConversion(ctx context.Context, req api.GetConversionRequestObject) (api.GetConversionResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetConversionWithReferee(ctx, h.store.DB(ws), db.GetConversionWithRefereeParams{WorkspaceID: ws, ID: req.ConversionID})
	if err != nil {
		return nil, store.OrNotFound(err, "the conversion")
	}
	return api.GetConversion200JSONResponse{Body: toConversion(row.Conversion, row.RefereeExternalID)}, nil
}

// ListConversions lists conversions, newest first.
func (h handlers) ListConversions(ctx context.Context, req api.ListConversionsRequestObject) (api.ListConversionsResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[uuid.UUID](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListConversions(ctx, h.store.DB(ws), db.ListConversionsParams{
		WorkspaceID: ws, ProgramID: p.ProgramID, RefereeID: p.RefereeID, ReferralID: p.ReferralID, State: filter(p.State),
		Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.ListConversionsRow) uuid.UUID { return r.Conversion.ID })
	page := api.ConversionPage{Data: []api.Conversion{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, toConversion(r.Conversion, r.RefereeExternalID))
	}
	return api.ListConversions200JSONResponse{Body: page}, nil
}

func toConversion(c db.Conversion, referee string) api.Conversion {
	out := api.Conversion{
		ID: c.ID, ProgramID: c.ProgramID, RefereeID: c.RefereeID, RefereeExternalID: referee, ReferralID: orNull(c.ReferralID),
		Source: c.Source, ExternalID: c.ExternalID, Type: c.Type, Amount: c.Amount, Currency: c.Currency,
		ReversedAmount: c.ReversedAmount, NetAmount: c.Amount - c.ReversedAmount, BaseCurrency: c.BaseCurrency,
		BaseAmount: orNull(c.BaseAmount), BaseNetAmount: orNull(c.BaseAmount), State: api.ConversionState(c.State),
		Reason: toReason(c.Reason), OccurredAt: c.OccurredAt.UTC(), ReceivedAt: c.ReceivedAt.UTC(), Metadata: toMetadata(c.Metadata),
	}
	if c.BaseAmount != nil {
		out.BaseNetAmount.Set(*c.BaseAmount - c.BaseReversedAmount)
	}
	if c.ExchangeRate != nil {
		out.ExchangeRate = &api.AppliedRate{Rate: *c.ExchangeRate, Source: *c.ExchangeRateSource, EffectiveAt: c.ExchangeRateAt.UTC()}
	}
	return out
}

// filter is a filter by one value of an enum.
func filter[E ~string](e *E) *string {
	if e == nil {
		return nil
	}
	s := string(*e)
	return &s
}
