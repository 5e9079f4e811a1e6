package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// RecordReversal takes a reversal by the reference of its conversion, which may come later.
func (h handlers) RecordReversal(ctx context.Context, req api.RecordReversalRequestObject) (api.RecordReversalResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.RecordReversalResponseObject.VisitRecordReversalResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordReversalResponseObject, error) {
			out, err := h.engine.RecordReversal(ctx, tx, h.scope(ctx), engine.NewReversal{
				Source: orDefault(b.Source, defaultSource), ExternalID: b.ExternalID, ConversionExternalID: b.ConversionExternalID,
				ConversionType: b.ConversionType, Kind: settlement.Kind(b.Kind), Amount: b.Amount, Currency: b.Currency, Note: b.Reason,
				OccurredAt: b.OccurredAt,
			})
			if err != nil {
				return nil, err
			}
			body, err := h.toReversalResult(ctx, tx, out)
			at := "/v1/reversals/" + out.Reversal.ID.String()
			switch {
			case err != nil:
				return nil, err
			case out.Known:
				return api.RecordReversal200JSONResponse{Body: body}, nil
			case out.Conversion == nil:
				return api.RecordReversal202JSONResponse{Body: body, Headers: api.RecordReversal202ResponseHeaders{Location: at}}, nil
			}
			return api.RecordReversal201JSONResponse{Body: body, Headers: api.RecordReversal201ResponseHeaders{Location: at}}, nil
		})
}

// ReverseConversion takes a reversal of a conversion that is named by its id.
func (h handlers) ReverseConversion(ctx context.Context, req api.ReverseConversionRequestObject) (api.ReverseConversionResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.ReverseConversionResponseObject.VisitReverseConversionResponse,
		func(ctx context.Context, tx *store.Tx) (api.ReverseConversionResponseObject, error) {
			s := h.scope(ctx)
			c, err := h.q.GetConversion(ctx, tx.DB(), db.GetConversionParams{WorkspaceID: s.Workspace, ID: req.ConversionID})
			if err != nil {
				return nil, store.OrNotFound(err, "the conversion")
			}
			out, err := h.engine.RecordReversal(ctx, tx, s, engine.NewReversal{
				Source: c.Source, ExternalID: b.ExternalID, ConversionExternalID: c.ExternalID, ConversionType: c.Type,
				Kind: settlement.Kind(b.Kind), Amount: b.Amount, Currency: b.Currency, Note: b.Reason, OccurredAt: b.OccurredAt,
			})
			if err != nil {
				return nil, err
			}
			body, err := h.toReversalResult(ctx, tx, out)
			if err != nil {
				return nil, err
			}
			if out.Known {
				return api.ReverseConversion200JSONResponse{Body: body}, nil
			}
			return api.ReverseConversion201JSONResponse{Body: body, Headers: api.ReverseConversion201ResponseHeaders{
				Location: "/v1/reversals/" + out.Reversal.ID.String(),
			}}, nil
		})
}

// RestoreReversal records that a chargeback was won; it answers with the chargeback.
func (h handlers) RestoreReversal(ctx context.Context, req api.RestoreReversalRequestObject) (api.RestoreReversalResponseObject, error) {
	return once(ctx, h.store, api.RestoreReversalResponseObject.VisitRestoreReversalResponse,
		func(ctx context.Context, tx *store.Tx) (api.RestoreReversalResponseObject, error) {
			out, err := h.engine.WinDispute(ctx, tx, h.scope(ctx), req.ReversalID, req.Body.ExternalID, req.Body.OccurredAt)
			if err != nil {
				return nil, err
			}
			body, err := h.toReversalResult(ctx, tx, out)
			if err != nil {
				return nil, err
			}
			return api.RestoreReversal200JSONResponse{Body: body}, nil
		})
}

func (h handlers) GetReversal(ctx context.Context, req api.GetReversalRequestObject) (api.GetReversalResponseObject, error) {
	s := h.scope(ctx)
	on := h.store.DB(s.Workspace)
	row, err := h.q.GetReversal(ctx, on, db.GetReversalParams{WorkspaceID: s.Workspace, ID: req.ReversalID})
	if err != nil {
		return nil, store.OrNotFound(err, "the reversal")
	}
	if row.Kind == string(settlement.DisputeWon) {
		return nil, problem.NotFound.With("the reversal does not exist")
	}
	views, err := h.engine.DescribeReversals(ctx, on, s, []db.Reversal{row})
	if err != nil {
		return nil, err
	}
	return api.GetReversal200JSONResponse{Body: toReversal(views[0])}, nil
}

// ListReversals lists reversals, newest first.
func (h handlers) ListReversals(ctx context.Context, req api.ListReversalsRequestObject) (api.ListReversalsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	s := h.scope(ctx)
	on := h.store.DB(s.Workspace)
	rows, err := h.q.ListReversals(ctx, on, db.ListReversalsParams{
		WorkspaceID: s.Workspace, ConversionID: req.Params.ConversionID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Reversal) uuid.UUID { return r.ID })
	views, err := h.engine.DescribeReversals(ctx, on, s, rows)
	if err != nil {
		return nil, err
	}
	return api.ListReversals200JSONResponse{Body: api.ReversalPage{Data: each(views, toReversal), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func (h handlers) toReversalResult(ctx context.Context, tx *store.Tx, r engine.Reversed) (api.ReversalResult, error) {
	out := api.ReversalResult{Reversal: toReversal(r.Reversal), Rewards: each(r.Rewards, toReward)}
	if r.Conversion == nil {
		return out, nil
	}
	p, err := h.q.GetParticipant(ctx, tx.DB(), db.GetParticipantParams{WorkspaceID: r.Conversion.WorkspaceID, ID: r.Conversion.RefereeID})
	if err != nil {
		return out, err
	}
	c := toConversion(*r.Conversion, p.ExternalID)
	out.Conversion = &c
	return out, nil
}

func toReversal(v engine.ReversalView) api.Reversal {
	out := api.Reversal{
		ID: v.ID, ConversionID: orNull(v.ConversionID), Source: v.Source, ExternalID: v.ExternalID,
		ConversionExternalID: v.ConversionExternalID, ConversionType: v.ConversionType, Kind: api.ReversalKind(v.Kind),
		Amount: orNull(v.Amount), AppliedAmount: v.Applied, RestoredAmount: v.Restored, Currency: orNull(v.Currency), Note: orNull(v.Note),
		State: api.ReversalStateApplied, Reason: toReason(settlement.UndoReason(settlement.Kind(v.Kind))),
		OccurredAt: v.OccurredAt.UTC(), ReceivedAt: v.ReceivedAt.UTC(),
	}
	switch {
	case v.ConversionID == nil:
		out.State, out.Reason = api.ReversalStateUnmatched, toReason(reason.ConversionNotFound)
	case v.Refused != "":
		out.State, out.Reason = api.ReversalStateRefused, toReason(v.Refused)
	}
	return out
}
