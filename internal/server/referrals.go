package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateReferral attributes a referee by hand; a refusal is an answer with a reason.
func (h handlers) CreateReferral(ctx context.Context, req api.CreateReferralRequestObject) (api.CreateReferralResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.CreateReferralResponseObject.VisitCreateReferralResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateReferralResponseObject, error) {
			out, err := h.engine.CreateReferral(ctx, tx, h.scope(ctx), engine.ManualReferral{
				ProgramID: b.ProgramID, ReferrerExternalID: b.ReferrerExternalID, RefereeExternalID: b.RefereeExternalID,
				OccurredAt: b.OccurredAt, Note: b.Reason,
			})
			if err != nil {
				return nil, err
			}
			if !out.Answer.Attributed {
				return api.CreateReferral200JSONResponse{Body: toAttributionResult(out)}, nil
			}
			return api.CreateReferral201JSONResponse{Body: toAttributionResult(out), Headers: api.CreateReferral201ResponseHeaders{
				Location: "/v1/referrals/" + out.Decision.ReferralID.String(),
			}}, nil
		})
}

// ReattributeReferral gives a referral to another referrer.
func (h handlers) ReattributeReferral(ctx context.Context, req api.ReattributeReferralRequestObject) (api.ReattributeReferralResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.ReattributeReferralResponseObject.VisitReattributeReferralResponse,
		func(ctx context.Context, tx *store.Tx) (api.ReattributeReferralResponseObject, error) {
			out, err := h.engine.ReattributeReferral(ctx, tx, h.scope(ctx), req.ReferralID, engine.Reattribution{
				Code: b.Code, ReferrerExternalID: b.ReferrerExternalID, Note: b.Reason,
			})
			if err != nil {
				return nil, err
			}
			if !out.Answer.Attributed {
				return api.ReattributeReferral200JSONResponse{Body: toAttributionResult(out)}, nil
			}
			return api.ReattributeReferral201JSONResponse{Body: toAttributionResult(out), Headers: api.ReattributeReferral201ResponseHeaders{
				Location: "/v1/referrals/" + out.Decision.ReferralID.String(),
			}}, nil
		})
}

// RejectReferral ends a referral by hand.
func (h handlers) RejectReferral(ctx context.Context, req api.RejectReferralRequestObject) (api.RejectReferralResponseObject, error) {
	return once(ctx, h.store, api.RejectReferralResponseObject.VisitRejectReferralResponse,
		func(ctx context.Context, tx *store.Tx) (api.RejectReferralResponseObject, error) {
			row, err := h.engine.RejectReferral(ctx, tx, h.scope(ctx), req.ReferralID, req.Body.Reason)
			return api.RejectReferral200JSONResponse{Body: toReferral(row)}, err
		})
}

func (h handlers) GetReferral(ctx context.Context, req api.GetReferralRequestObject) (api.GetReferralResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetReferral(ctx, h.store.DB(ws), db.GetReferralParams{WorkspaceID: ws, ID: req.ReferralID})
	if err != nil {
		return nil, store.OrNotFound(err, "the referral")
	}
	return api.GetReferral200JSONResponse{Body: toReferral(row)}, nil
}

// ListReferrals lists referrals, newest first.
func (h handlers) ListReferrals(ctx context.Context, req api.ListReferralsRequestObject) (api.ListReferralsResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[uuid.UUID](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListReferrals(ctx, h.store.DB(ws), db.ListReferralsParams{
		WorkspaceID: ws, ProgramID: p.ProgramID, ReferrerID: p.ReferrerID, RefereeID: p.RefereeID, State: filter(p.State),
		Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Referral) uuid.UUID { return r.ID })
	return api.ListReferrals200JSONResponse{Body: api.ReferralPage{Data: each(rows, toReferral), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func toAttributionResult(a engine.Attributed) api.AttributionResult {
	d := a.Decision
	return api.AttributionResult{
		Attributed: d.Attributed, Reason: toReason(d.Reason), DecisionID: d.ID, ReferralID: orNull(d.ReferralID), ReferrerID: orNull(d.ReferrerID),
	}
}

func toReferral(r db.Referral) api.Referral {
	return api.Referral{
		ID: r.ID, ProgramID: r.ProgramID, ProgramVersionID: r.ProgramVersionID, ReferrerID: r.ReferrerID, RefereeID: r.RefereeID,
		CodeID: orNull(r.CodeID), DecisionID: r.DecisionID, State: api.ReferralState(r.State), Reason: toReason(r.Reason),
		AttributedAt: r.AttributedAt.UTC(), QualifyBy: r.QualifyBy.UTC(), QualifiedAt: orNullTime(r.QualifiedAt),
		QualifyingConversionID: orNull(r.QualifyingConversionID), ChurnedAt: orNullTime(r.ChurnedAt), Version: r.Version,
		CreatedAt: r.CreatedAt.UTC(),
	}
}
