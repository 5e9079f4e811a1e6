package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateManualReward grants a reward by hand.
func (h handlers) CreateManualReward(ctx context.Context, req api.CreateManualRewardRequestObject) (api.CreateManualRewardResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.CreateManualRewardResponseObject.VisitCreateManualRewardResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateManualRewardResponseObject, error) {
			row, known, err := h.engine.CreateReward(ctx, tx, h.scope(ctx), engine.NewReward{
				ProgramID: b.ProgramID, ParticipantExternalID: b.ParticipantExternalID, ExternalID: b.ExternalID, Amount: b.Amount,
				Currency: b.Currency, Kind: string(b.Kind), Note: b.Reason, ExpiresAt: engine.InMicroseconds(b.ExpiresAt),
			})
			if err != nil {
				return nil, err
			}
			if known {
				return api.CreateManualReward200JSONResponse{Body: toReward(row)}, nil
			}
			return api.CreateManualReward201JSONResponse{Body: toReward(row), Headers: api.CreateManualReward201ResponseHeaders{
				Location: "/v1/rewards/" + row.ID.String(),
			}}, nil
		})
}

// CancelReward takes a reward back for good.
func (h handlers) CancelReward(ctx context.Context, req api.CancelRewardRequestObject) (api.CancelRewardResponseObject, error) {
	return once(ctx, h.store, api.CancelRewardResponseObject.VisitCancelRewardResponse,
		func(ctx context.Context, tx *store.Tx) (api.CancelRewardResponseObject, error) {
			row, err := h.engine.CancelReward(ctx, tx, h.scope(ctx), req.RewardID, req.Body.Reason)
			return api.CancelReward200JSONResponse{Body: toReward(row)}, err
		})
}

// HoldReward keeps a reward from becoming available.
func (h handlers) HoldReward(ctx context.Context, req api.HoldRewardRequestObject) (api.HoldRewardResponseObject, error) {
	return once(ctx, h.store, api.HoldRewardResponseObject.VisitHoldRewardResponse,
		func(ctx context.Context, tx *store.Tx) (api.HoldRewardResponseObject, error) {
			row, err := h.engine.HoldReward(ctx, tx, h.scope(ctx), req.RewardID, req.Body.Reason)
			return api.HoldReward200JSONResponse{Body: toReward(row)}, err
		})
}

// ReleaseReward ends a hold.
func (h handlers) ReleaseReward(ctx context.Context, req api.ReleaseRewardRequestObject) (api.ReleaseRewardResponseObject, error) {
	return once(ctx, h.store, api.ReleaseRewardResponseObject.VisitReleaseRewardResponse,
		func(ctx context.Context, tx *store.Tx) (api.ReleaseRewardResponseObject, error) {
			row, err := h.engine.ReleaseReward(ctx, tx, h.scope(ctx), req.RewardID)
			return api.ReleaseReward200JSONResponse{Body: toReward(row)}, err
		})
}

func (h handlers) GetReward(ctx context.Context, req api.GetRewardRequestObject) (api.GetRewardResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetReward(ctx, h.store.DB(ws), db.GetRewardParams{WorkspaceID: ws, ID: req.RewardID})
	if err != nil {
		return nil, store.OrNotFound(err, "the reward")
	}
	return api.GetReward200JSONResponse{Body: toReward(row)}, nil
}

// ListRewards lists rewards, newest first.
func (h handlers) ListRewards(ctx context.Context, req api.ListRewardsRequestObject) (api.ListRewardsResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[uuid.UUID](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListRewards(ctx, h.store.DB(ws), db.ListRewardsParams{
		WorkspaceID: ws, ParticipantID: p.ParticipantID, ReferralID: p.ReferralID, ConversionID: p.ConversionID, State: filter(p.State),
		Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Reward) uuid.UUID { return r.ID })
	return api.ListRewards200JSONResponse{Body: api.RewardPage{Data: each(rows, toReward), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func toReward(r db.Reward) api.Reward {
	return api.Reward{
		ID: r.ID, ProgramID: r.ProgramID, ProgramVersionID: orNull(&r.ProgramVersionID), RuleKey: r.RuleKey, ReferralID: orNull(r.ReferralID),
		ConversionID: orNull(r.ConversionID), ParticipantID: r.ParticipantID, Beneficiary: api.Beneficiary(r.Beneficiary),
		Level: int64(r.Level), Tier: int64(r.Tier), Capped: r.Capped, Kind: api.RewardKind(r.Kind), Currency: r.Currency,
		Granted: r.Granted, Reversed: r.Reversed, Net: r.Granted - r.Reversed, Redeemed: r.Redeemed, State: api.RewardState(r.State),
		Reason: toReason(r.Reason), AvailableAt: r.AvailableAt.UTC(), ExpiresAt: orNullTime(r.ExpiresAt), CreatedAt: r.CreatedAt.UTC(),
		Version: r.Version,
	}
}
