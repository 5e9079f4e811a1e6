package server

import (
	"context"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// RecordChurn takes the fact that a referee left.
func (h handlers) RecordChurn(ctx context.Context, req api.RecordChurnRequestObject) (api.RecordChurnResponseObject, error) {
	return once(ctx, h.store, api.RecordChurnResponseObject.VisitRecordChurnResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordChurnResponseObject, error) {
			out, err := h.engine.RecordChurn(ctx, tx, h.scope(ctx), fromNewChurn(*req.Body, engine.KindChurn))
			body := toChurnResult(out, req.Body.RefereeExternalID)
			switch {
			case err != nil:
				return nil, err
			case out.Known:
				return api.RecordChurn200JSONResponse{Body: body}, nil
			case out.Referral == nil:
				return api.RecordChurn202JSONResponse{Body: body}, nil
			}
			return api.RecordChurn201JSONResponse{Body: body}, nil
		})
}

// RecordReactivation takes the fact that a referee came back.
func (h handlers) RecordReactivation(ctx context.Context, req api.RecordReactivationRequestObject) (api.RecordReactivationResponseObject, error) {
	return once(ctx, h.store, api.RecordReactivationResponseObject.VisitRecordReactivationResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordReactivationResponseObject, error) {
			out, err := h.engine.RecordChurn(ctx, tx, h.scope(ctx), fromNewChurn(*req.Body, engine.KindReactivation))
			body := toChurnResult(out, req.Body.RefereeExternalID)
			switch {
			case err != nil:
				return nil, err
			case out.Known:
				return api.RecordReactivation200JSONResponse{Body: body}, nil
			case out.Referral == nil:
				return api.RecordReactivation202JSONResponse{Body: body}, nil
			}
			return api.RecordReactivation201JSONResponse{Body: body}, nil
		})
}

func fromNewChurn(b api.NewChurn, kind string) engine.NewChurn {
	return engine.NewChurn{
		ProgramID: b.ProgramID, RefereeExternalID: b.RefereeExternalID, Kind: kind, Source: orDefault(b.Source, defaultSource),
		ExternalID: b.ExternalID, OccurredAt: b.OccurredAt,
	}
}

func toChurnResult(c engine.Churned, referee string) api.ChurnResult {
	out := api.ChurnResult{
		Churn: api.Churn{
			ID: c.Churn.ID, Kind: api.ChurnKind(c.Churn.Kind), ProgramID: c.Churn.ProgramID, RefereeID: c.Churn.RefereeID,
			RefereeExternalID: referee, Source: c.Churn.Source, ExternalID: c.Churn.ExternalID,
			OccurredAt: c.Churn.OccurredAt.UTC(), ReceivedAt: c.Churn.ReceivedAt.UTC(),
		},
		Effective: c.Effective, Reason: toReason(reason.NoReferral), Rewards: each(c.Rewards, toReward),
	}
	out.ReferralID = orNull[api.NullableID](nil)
	if c.Referral != nil {
		out.ReferralID, out.Reason = orNull(&c.Referral.ID), toReason(c.Referral.Reason)
	}
	return out
}
