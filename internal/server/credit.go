package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateCreditRedemption takes an amount from what a participant has available.
func (h handlers) CreateCreditRedemption(ctx context.Context, req api.CreateCreditRedemptionRequestObject) (api.CreateCreditRedemptionResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.CreateCreditRedemptionResponseObject.VisitCreateCreditRedemptionResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateCreditRedemptionResponseObject, error) {
			out, known, err := h.engine.RedeemCredit(ctx, tx, h.scope(ctx), engine.NewRedemption{
				ParticipantExternalID: b.ParticipantExternalID, Kind: string(b.RewardKind), Currency: b.Currency, Amount: b.Amount,
				ExternalID: b.ExternalID, Note: b.Note,
			})
			if err != nil {
				return nil, err
			}
			if known {
				return api.CreateCreditRedemption200JSONResponse{Body: toCreditRedemption(out)}, nil
			}
			return api.CreateCreditRedemption201JSONResponse{Body: toCreditRedemption(out), Headers: api.CreateCreditRedemption201ResponseHeaders{
				Location: "/v1/credit-redemptions/" + out.ID.String(),
			}}, nil
		})
}

// VoidCreditRedemption gives back what a redemption took.
func (h handlers) VoidCreditRedemption(ctx context.Context, req api.VoidCreditRedemptionRequestObject) (api.VoidCreditRedemptionResponseObject, error) {
	return once(ctx, h.store, api.VoidCreditRedemptionResponseObject.VisitVoidCreditRedemptionResponse,
		func(ctx context.Context, tx *store.Tx) (api.VoidCreditRedemptionResponseObject, error) {
			out, err := h.engine.VoidRedemption(ctx, tx, h.scope(ctx), req.RedemptionID, req.Body.Reason)
			return api.VoidCreditRedemption200JSONResponse{Body: toCreditRedemption(out)}, err
		})
}

func (h handlers) GetCreditRedemption(ctx context.Context, req api.GetCreditRedemptionRequestObject) (api.GetCreditRedemptionResponseObject, error) {
	ws := h.scope(ctx).Workspace
	on := h.store.DB(ws)
	row, err := h.q.GetRedemption(ctx, on, db.GetRedemptionParams{WorkspaceID: ws, ID: req.RedemptionID})
	if err != nil {
		return nil, store.OrNotFound(err, "the redemption")
	}
	list, err := h.engine.WithItems(ctx, on, []db.CreditRedemption{row})
	if err != nil {
		return nil, err
	}
	return api.GetCreditRedemption200JSONResponse{Body: toCreditRedemption(list[0])}, nil
}

// ListCreditRedemptions lists redemptions, newest first.
func (h handlers) ListCreditRedemptions(ctx context.Context, req api.ListCreditRedemptionsRequestObject) (api.ListCreditRedemptionsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	on := h.store.DB(ws)
	rows, err := h.q.ListRedemptions(ctx, on, db.ListRedemptionsParams{
		WorkspaceID: ws, ParticipantID: req.Params.ParticipantID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.CreditRedemption) uuid.UUID { return r.ID })
	list, err := h.engine.WithItems(ctx, on, rows)
	if err != nil {
		return nil, err
	}
	return api.ListCreditRedemptions200JSONResponse{Body: api.CreditRedemptionPage{Data: each(list, toCreditRedemption), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func toCreditRedemption(r engine.Redemption) api.CreditRedemption {
	out := api.CreditRedemption{
		ID: r.ID, ParticipantID: r.ParticipantID, RewardKind: api.RedeemableKind(r.RewardKind), Currency: r.Currency, Amount: r.Amount,
		ExternalID: r.ExternalID, Note: orNull(r.Note), State: api.CreditRedemptionStateRedeemed, Items: []api.CreditRedemptionItem{},
		CreatedAt: r.CreatedAt.UTC(), VoidedAt: orNullTime(nil), VoidReason: orNull[string](nil),
	}
	for _, item := range r.Items {
		out.Items = append(out.Items, api.CreditRedemptionItem{RewardID: item.RewardID, Amount: item.Amount})
	}
	if v := r.Void; v != nil {
		out.State, out.VoidedAt, out.VoidReason = api.CreditRedemptionStateVoided, orNullTime(&v.CreatedAt), orNull(&v.Note)
		out.Lapsed = v.Lapsed
	}
	return out
}

// GetLiability adds up what the workspace owes.
func (h handlers) GetLiability(ctx context.Context, _ api.GetLiabilityRequestObject) (api.GetLiabilityResponseObject, error) {
	ws := h.scope(ctx).Workspace
	rows, err := h.q.GetLiability(ctx, h.store.DB(ws), ws)
	if err != nil {
		return nil, err
	}
	out := api.Liability{Data: []api.LiabilityRow{}}
	for _, r := range rows {
		out.Data = append(out.Data, api.LiabilityRow{
			Currency: r.Currency, RewardKind: api.RewardKind(r.RewardKind), Pending: r.Pending, Available: r.Available,
			CarriedForward: r.CarriedForward, Reserved: r.Reserved,
		})
	}
	return api.GetLiability200JSONResponse{Body: out}, nil
}
