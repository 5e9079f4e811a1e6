package server

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/payout"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// SetPayoutPolicy makes or replaces the policy of a currency. The secret of a webhook is in the answer that made it, and nowhere else.
func (h handlers) SetPayoutPolicy(ctx context.Context, req api.SetPayoutPolicyRequestObject) (api.SetPayoutPolicyResponseObject, error) {
	s, b := h.scope(ctx), *req.Body
	n := engine.NewPayoutPolicy{
		Currency: req.Currency, MinimumAmount: b.MinimumAmount, Approval: payable.Approval(orDefault(b.Approval, api.PayoutApprovalManual)),
		ApprovalAmount: given(b.ApprovalAmount), Provider: payable.Provider(orDefault(b.Provider, api.PayoutProviderManual)),
		WebhookURL: given(b.WebhookURL), RotateSecret: orDefault(b.RotateWebhookSecret, false), TaxThreshold: given(b.TaxThreshold),
		FourEyes: orDefault(b.FourEyes, false),
	}
	var p db.PayoutPolicy
	var secret []byte
	var created bool
	err := h.store.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		p, secret, created, err = h.engine.SetPayoutPolicy(ctx, tx, s, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	saved := api.SavedPayoutPolicy{Policy: toPayoutPolicy(p), WebhookSecret: nullable.NewNullNullable[string]()}
	if secret != nil {
		saved.WebhookSecret = nullable.NewNullableWithValue(payout.SecretText(secret))
	}
	if created {
		return api.SetPayoutPolicy201JSONResponse{Body: saved, Headers: api.SetPayoutPolicy201ResponseHeaders{
			Location: "/v1/payout-policies/" + p.Currency, ETag: etag(p.Version),
		}}, nil
	}
	return api.SetPayoutPolicy200JSONResponse{Body: saved, Headers: api.SetPayoutPolicy200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

func (h handlers) GetPayoutPolicy(ctx context.Context, req api.GetPayoutPolicyRequestObject) (api.GetPayoutPolicyResponseObject, error) {
	ws := h.scope(ctx).Workspace
	p, err := h.q.GetPayoutPolicy(ctx, h.store.DB(ws), db.GetPayoutPolicyParams{WorkspaceID: ws, Currency: req.Currency})
	if err != nil {
		return nil, store.OrNotFound(err, "the payout policy")
	}
	return api.GetPayoutPolicy200JSONResponse{Body: toPayoutPolicy(p), Headers: api.GetPayoutPolicy200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

// ListPayoutPolicies lists policies by currency.
func (h handlers) ListPayoutPolicies(ctx context.Context, req api.ListPayoutPoliciesRequestObject) (api.ListPayoutPoliciesResponseObject, error) {
	most, after, err := pageFrom[string](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListPayoutPolicies(ctx, h.store.DB(ws), db.ListPayoutPoliciesParams{WorkspaceID: ws, After: after, PageLimit: most + 1})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.PayoutPolicy) string { return r.Currency })
	return api.ListPayoutPolicies200JSONResponse{Body: api.PayoutPolicyPage{Data: each(rows, toPayoutPolicy), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func toPayoutPolicy(p db.PayoutPolicy) api.PayoutPolicy {
	return api.PayoutPolicy{
		ID: p.ID, Currency: p.Currency, MinimumAmount: p.MinimumAmount, Approval: api.PayoutApproval(p.Approval),
		ApprovalAmount: orNull(p.ApprovalAmount), Provider: api.PayoutProvider(p.Provider), WebhookURL: orNull(p.WebhookURL),
		TaxThreshold: orNull(p.TaxThreshold), FourEyes: p.FourEyes, Version: p.Version, CreatedAt: p.CreatedAt.UTC(),
	}
}
