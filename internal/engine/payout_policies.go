package engine

import (
	"context"
	"io"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewPayoutPolicy is a whole policy of a currency. ApprovalAmount belongs to payable.OverAmount.
type NewPayoutPolicy struct {
	Currency       string
	MinimumAmount  int64
	Approval       payable.Approval
	ApprovalAmount *int64
	Provider       payable.Provider
	WebhookURL     *string
	RotateSecret   bool
	TaxThreshold   *int64
	FourEyes       bool
}

// webhookSecretBytes is the length of the key that signs what a webhook provider gets.
const webhookSecretBytes = 32

// SetPayoutPolicy makes the policy of a currency, or replaces it. Secret is the webhook's when this made it, nil otherwise. Errors:
// validation_failed.
func (e *Engine) SetPayoutPolicy(ctx context.Context, tx *store.Tx, s Scope, n NewPayoutPolicy) (
	p db.PayoutPolicy, secret []byte, created bool, err error,
) {
	if err := e.checkPayoutPolicy(n); err != nil {
		return p, nil, false, err
	}
	p, err = e.q.GetPayoutPolicyForUpdate(ctx, tx.DB(), db.GetPayoutPolicyForUpdateParams{WorkspaceID: s.Workspace, Currency: n.Currency})
	if optional(err) != nil {
		return p, nil, false, err
	}
	if created = err != nil; created {
		p = db.PayoutPolicy{WorkspaceID: s.Workspace, ID: newID(), Currency: n.Currency, CreatedAt: s.Now}
	}
	p.MinimumAmount, p.Approval, p.ApprovalAmount, p.TaxThreshold, p.FourEyes = n.MinimumAmount, n.Approval, n.ApprovalAmount, n.TaxThreshold, n.FourEyes
	p.Provider, p.WebhookURL = n.Provider, n.WebhookURL
	if n.WebhookURL != nil && (p.WebhookSecret == nil || n.RotateSecret) {
		secret = make([]byte, webhookSecretBytes)
		if _, err := io.ReadFull(e.random, secret); err != nil {
			return p, nil, false, err
		}
		p.WebhookSecret = secret
	}
	r := e.record(tx, s)
	if err := r.writePayoutPolicy(ctx, &p, created); err != nil {
		return p, nil, false, err
	}
	r.event("payout_policy.set", "payout_policy", p.ID, payoutPolicyData(p))
	return p, secret, created, r.flush(ctx)
}

func (e *Engine) checkPayoutPolicy(n NewPayoutPolicy) error {
	fault := func(pointer, message string) error {
		return problem.ValidationFailed.With(pointer + " " + message + ".").WithErrors([]problem.FieldError{{Pointer: pointer, Message: message}})
	}
	switch {
	case n.Approval == payable.OverAmount && n.ApprovalAmount == nil:
		return fault("/approval_amount", "is needed for this approval")
	case n.Approval != payable.OverAmount && n.ApprovalAmount != nil:
		return fault("/approval_amount", "is of no use for this approval")
	case n.FourEyes && n.Approval == payable.Automatic:
		return fault("/four_eyes", "has no meaning where nobody approves")
	case n.Provider == payable.Webhook && n.WebhookURL == nil:
		return fault("/webhook_url", "is needed for this provider")
	}
	if n.WebhookURL != nil {
		if err := e.providers.CheckAddress(*n.WebhookURL); err != nil {
			return fault("/webhook_url", err.Error())
		}
	}
	return nil
}

func (r *recorder) writePayoutPolicy(ctx context.Context, p *db.PayoutPolicy, created bool) error {
	if created {
		p.Version = 1
		return r.e.q.CreatePayoutPolicy(ctx, r.tx.Write(), db.CreatePayoutPolicyParams{
			WorkspaceID: p.WorkspaceID, ID: p.ID, Currency: p.Currency, MinimumAmount: p.MinimumAmount, Approval: p.Approval,
			ApprovalAmount: p.ApprovalAmount, Provider: p.Provider, WebhookURL: p.WebhookURL, WebhookSecret: p.WebhookSecret,
			TaxThreshold: p.TaxThreshold, FourEyes: p.FourEyes, CreatedAt: p.CreatedAt,
		})
	}
	p.Version++
	return r.e.q.UpdatePayoutPolicy(ctx, r.tx.Guard(), db.UpdatePayoutPolicyParams{
		WorkspaceID: p.WorkspaceID, ID: p.ID, MinimumAmount: p.MinimumAmount, Approval: p.Approval, ApprovalAmount: p.ApprovalAmount,
		Provider: p.Provider, WebhookURL: p.WebhookURL, WebhookSecret: p.WebhookSecret, TaxThreshold: p.TaxThreshold, FourEyes: p.FourEyes,
		Version: p.Version - 1,
	})
}

type payoutPolicyEvent struct {
	Currency       string           `json:"currency"`
	MinimumAmount  int64            `json:"minimum_amount"`
	Approval       payable.Approval `json:"approval"`
	ApprovalAmount *int64           `json:"approval_amount"`
	Provider       payable.Provider `json:"provider"`
	TaxThreshold   *int64           `json:"tax_threshold"`
	FourEyes       bool             `json:"four_eyes"`
}

func payoutPolicyData(p db.PayoutPolicy) payoutPolicyEvent {
	return payoutPolicyEvent{p.Currency, p.MinimumAmount, p.Approval, p.ApprovalAmount, p.Provider, p.TaxThreshold, p.FourEyes}
}

// mayApprove refuses the key that made a run where four eyes are wanted.
func (e *Engine) mayApprove(ctx context.Context, tx *store.Tx, s Scope, run db.PayoutRun, by uuid.UUID) error {
	p, err := e.q.GetPayoutPolicy(ctx, tx.DB(), db.GetPayoutPolicyParams{WorkspaceID: s.Workspace, Currency: run.Currency})
	if err == nil && p.FourEyes && run.CreatedBy == by {
		return problem.Forbidden.With("The key that made the run may not approve it: another one has to.")
	}
	return err
}
