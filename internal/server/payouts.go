package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// ApprovePayout approves a draft.
func (h handlers) ApprovePayout(ctx context.Context, req api.ApprovePayoutRequestObject) (api.ApprovePayoutResponseObject, error) {
	return once(ctx, h.store, api.ApprovePayoutResponseObject.VisitApprovePayoutResponse,
		func(ctx context.Context, tx *store.Tx) (api.ApprovePayoutResponseObject, error) {
			p, err := h.engine.ApprovePayout(ctx, tx, h.scope(ctx), req.PayoutID, principalFrom(ctx).KeyID)
			return api.ApprovePayout200JSONResponse{Body: toPayout(p)}, err
		})
}

// CancelPayout gives the rewards of a payout back.
func (h handlers) CancelPayout(ctx context.Context, req api.CancelPayoutRequestObject) (api.CancelPayoutResponseObject, error) {
	return once(ctx, h.store, api.CancelPayoutResponseObject.VisitCancelPayoutResponse,
		func(ctx context.Context, tx *store.Tx) (api.CancelPayoutResponseObject, error) {
			p, err := h.engine.CancelPayout(ctx, tx, h.scope(ctx), req.PayoutID, req.Body.Reason)
			return api.CancelPayout200JSONResponse{Body: toPayout(p)}, err
		})
}

// SubmitPayout hands a payout over.
func (h handlers) SubmitPayout(ctx context.Context, req api.SubmitPayoutRequestObject) (api.SubmitPayoutResponseObject, error) {
	return once(ctx, h.store, api.SubmitPayoutResponseObject.VisitSubmitPayoutResponse,
		func(ctx context.Context, tx *store.Tx) (api.SubmitPayoutResponseObject, error) {
			p, err := h.engine.SubmitPayout(ctx, tx, h.scope(ctx), req.PayoutID)
			return api.SubmitPayout200JSONResponse{Body: toPayout(p)}, err
		})
}

// MarkPayoutPaid records that the provider has paid.
func (h handlers) MarkPayoutPaid(ctx context.Context, req api.MarkPayoutPaidRequestObject) (api.MarkPayoutPaidResponseObject, error) {
	return once(ctx, h.store, api.MarkPayoutPaidResponseObject.VisitMarkPayoutPaidResponse,
		func(ctx context.Context, tx *store.Tx) (api.MarkPayoutPaidResponseObject, error) {
			p, err := h.engine.MarkPayoutPaid(ctx, tx, h.scope(ctx), req.PayoutID, req.Body.ProviderReference, req.Body.ProviderKey)
			return api.MarkPayoutPaid200JSONResponse{Body: toPayout(p)}, err
		})
}

// MarkPayoutFailed records that the provider has not paid.
func (h handlers) MarkPayoutFailed(ctx context.Context, req api.MarkPayoutFailedRequestObject) (api.MarkPayoutFailedResponseObject, error) {
	return once(ctx, h.store, api.MarkPayoutFailedResponseObject.VisitMarkPayoutFailedResponse,
		func(ctx context.Context, tx *store.Tx) (api.MarkPayoutFailedResponseObject, error) {
			p, err := h.engine.FailPayout(ctx, tx, h.scope(ctx), req.PayoutID, req.Body.Reason, req.Body.ProviderKey)
			return api.MarkPayoutFailed200JSONResponse{Body: toPayout(p)}, err
		})
}

// ReturnPayout records that what was paid came back.
func (h handlers) ReturnPayout(ctx context.Context, req api.ReturnPayoutRequestObject) (api.ReturnPayoutResponseObject, error) {
	return once(ctx, h.store, api.ReturnPayoutResponseObject.VisitReturnPayoutResponse,
		func(ctx context.Context, tx *store.Tx) (api.ReturnPayoutResponseObject, error) {
			p, err := h.engine.ReturnPayout(ctx, tx, h.scope(ctx), req.PayoutID, req.Body.Reason, req.Body.ProviderKey)
			return api.ReturnPayout200JSONResponse{Body: toPayout(p)}, err
		})
}

// RetryPayout makes a payout a draft again.
func (h handlers) RetryPayout(ctx context.Context, req api.RetryPayoutRequestObject) (api.RetryPayoutResponseObject, error) {
	return once(ctx, h.store, api.RetryPayoutResponseObject.VisitRetryPayoutResponse,
		func(ctx context.Context, tx *store.Tx) (api.RetryPayoutResponseObject, error) {
			p, err := h.engine.RetryPayout(ctx, tx, h.scope(ctx), req.PayoutID)
			return api.RetryPayout200JSONResponse{Body: toPayout(p)}, err
		})
}

func (h handlers) GetPayout(ctx context.Context, req api.GetPayoutRequestObject) (api.GetPayoutResponseObject, error) {
	ws := h.scope(ctx).Workspace
	p, err := h.q.GetPayout(ctx, h.store.DB(ws), db.GetPayoutParams{WorkspaceID: ws, ID: req.PayoutID})
	if err != nil {
		return nil, store.OrNotFound(err, "the payout")
	}
	return api.GetPayout200JSONResponse{Body: toPayout(p)}, nil
}

// ListPayouts lists payouts, newest first.
func (h handlers) ListPayouts(ctx context.Context, req api.ListPayoutsRequestObject) (api.ListPayoutsResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[uuid.UUID](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListPayouts(ctx, h.store.DB(ws), db.ListPayoutsParams{
		WorkspaceID: ws, RunID: p.RunID, ParticipantID: p.ParticipantID, State: filter(p.State), Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Payout) uuid.UUID { return r.ID })
	return api.ListPayouts200JSONResponse{Body: api.PayoutPage{Data: each(rows, toPayout), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// ListPayoutItems lists the rewards that a payout pays.
func (h handlers) ListPayoutItems(ctx context.Context, req api.ListPayoutItemsRequestObject) (api.ListPayoutItemsResponseObject, error) {
	most, after, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	if _, err := h.q.GetPayout(ctx, h.store.DB(ws), db.GetPayoutParams{WorkspaceID: ws, ID: req.PayoutID}); err != nil {
		return nil, store.OrNotFound(err, "the payout")
	}
	rows, err := h.q.ListPayoutItems(ctx, h.store.DB(ws), db.ListPayoutItemsParams{
		WorkspaceID: ws, PayoutID: req.PayoutID, After: after, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.PayoutItem) uuid.UUID { return r.RewardID })
	page := api.PayoutItemPage{Data: []api.PayoutItem{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, api.PayoutItem{RewardID: r.RewardID, Amount: r.Amount, Offset: r.OffsetAmount})
	}
	return api.ListPayoutItems200JSONResponse{Body: page}, nil
}

// GetPayoutTotals adds up what was paid to a participant in a year.
func (h handlers) GetPayoutTotals(ctx context.Context, req api.GetPayoutTotalsRequestObject) (api.GetPayoutTotalsResponseObject, error) {
	ws := h.scope(ctx).Workspace
	owner, err := h.q.GetParticipant(ctx, h.store.DB(ws), db.GetParticipantParams{WorkspaceID: ws, ID: req.ParticipantID})
	if err != nil {
		return nil, store.OrNotFound(err, "the participant")
	}
	from, to := engine.YearOf(int(req.Params.Year))
	rows, err := h.q.ListPayoutTotals(ctx, h.store.DB(ws), db.ListPayoutTotalsParams{
		WorkspaceID: ws, ParticipantID: req.ParticipantID, FromTime: from, ToTime: to,
	})
	if err != nil {
		return nil, err
	}
	totals := api.PayoutTotals{
		ParticipantID: req.ParticipantID, Year: req.Params.Year, TaxDataRecordedAt: orNullTime(owner.TaxDataRecordedAt), Data: []api.PayoutTotal{},
	}
	for _, r := range rows {
		totals.Data = append(totals.Data, api.PayoutTotal{Currency: r.Currency, Paid: r.Paid, Payouts: r.Payouts})
	}
	return api.GetPayoutTotals200JSONResponse{Body: totals}, nil
}

func toPayout(p db.Payout) api.Payout {
	return api.Payout{
		ID: p.ID, RunID: p.RunID, ParticipantID: p.ParticipantID, Currency: p.Currency, Amount: p.Amount, Offset: p.OffsetAmount,
		State: api.PayoutState(p.State), Provider: api.PayoutProvider(p.Provider), Attempt: p.Attempt, ProviderKey: orNull(p.ProviderKey),
		ProviderReference: orNull(p.ProviderReference), Note: orNull(p.Note), PaidAt: orNullTime(p.PaidAt), Version: p.Version,
		CreatedAt: p.CreatedAt.UTC(),
	}
}
