package engine

import (
	"context"
	"errors"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/payout"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// pauses are the times between the tries to reach a provider. All are longer than one try takes, so that no two processes try at once.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// mostTries is how often a provider is asked before a payout fails. Whether it was paid is not known then.
const mostTries = 8

// runPayouts goes on with runs that are being prepared, submits what was approved, and sends what was submitted. It says how much it did.
func (e *Engine) runPayouts(ctx context.Context, st *store.Store, s Scope) (int, error) {
	for done := 0; ; done++ {
		var prepared bool
		var next *payoutWork
		err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
			if prepared, err = e.preparePayouts(ctx, tx, s); prepared || err != nil {
				return err
			}
			next, err = e.advancePayout(ctx, tx, s)
			return err
		})
		if err == nil && next != nil && next.send {
			err = e.sendPayout(ctx, st, s, next.Payout)
		}
		if err != nil || !prepared && next == nil {
			return done, err
		}
	}
}

// advancePayout takes the next payout that is due a step on: submits it, or counts a try and gives it to be sent. The next try is noted
// before this one is made, so that it is made even when this process ends.
func (e *Engine) advancePayout(ctx context.Context, tx *store.Tx, s Scope) (*payoutWork, error) {
	p, err := e.q.GetDuePayoutForUpdate(ctx, tx.DB(), db.GetDuePayoutForUpdateParams{WorkspaceID: s.Workspace, Now: s.Now})
	if err != nil {
		return nil, optional(err)
	}
	w := &payoutWork{recorder: e.record(tx, s), Payout: p, old: p}
	switch {
	case p.State == state.PayoutApproved:
		if err := w.submit(ctx); err != nil {
			return nil, err
		}
		if w.State == state.PayoutSubmitted {
			w.DueAt = &s.Now
		}
	case p.State == state.PayoutSubmitted && p.Tries < mostTries:
		w.Tries++
		next := s.Now.Add(pauses[min(int(w.Tries), len(pauses))-1])
		w.DueAt, w.send = &next, true
		return w, e.queueTry(ctx, tx, w)
	case p.State == state.PayoutSubmitted:
		if err := w.fail("the provider could not be reached, or did not say whether it will pay"); err != nil {
			return nil, err
		}
	}
	return w, w.write(ctx)
}

func (e *Engine) queueTry(ctx context.Context, tx *store.Tx, w *payoutWork) error {
	return e.q.NotePayoutTry(ctx, tx.Guard(), db.NotePayoutTryParams{WorkspaceID: w.s.Workspace, ID: w.ID, Tries: w.Tries, DueAt: w.DueAt, Version: w.Version})
}

// sendPayout hands a submitted payout to its provider, outside of any transaction, and records what it said. A provider that cannot be
// reached is asked again later.
func (e *Engine) sendPayout(ctx context.Context, st *store.Store, s Scope, p db.Payout) error {
	provider, order, err := e.orderOf(ctx, st, s, p)
	if err != nil {
		return err
	}
	failure := provider.Send(ctx, order)
	if failure != nil && !errors.Is(failure, payout.ErrRefused) {
		e.log.WarnContext(ctx, "a payout could not be handed over and is tried again", "payout_id", p.ID, "tries", p.Tries, "error", payout.LogText(failure))
		return nil
	}
	return st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) error {
		now, err := e.q.GetPayoutForUpdate(ctx, tx.DB(), db.GetPayoutForUpdateParams{WorkspaceID: s.Workspace, ID: p.ID})
		if err != nil {
			return err
		}
		if now.State != state.PayoutSubmitted || now.Attempt != p.Attempt {
			return nil // the outcome was faster
		}
		next := &payoutWork{recorder: e.record(tx, s), Payout: now, old: now}
		if failure == nil {
			next.DueAt, next.Tries = nil, 0
			return e.queueTry(ctx, tx, next)
		}
		next.Tries = 0 // what became of it is known
		if err := next.fail("the provider refused it"); err != nil {
			return err
		}
		return next.write(ctx)
	})
}

func (e *Engine) orderOf(ctx context.Context, st *store.Store, s Scope, p db.Payout) (payout.Provider, payout.Order, error) {
	on := st.DB(s.Workspace)
	owner, err := e.q.GetParticipant(ctx, on, db.GetParticipantParams{WorkspaceID: s.Workspace, ID: p.ParticipantID})
	if err != nil {
		return nil, payout.Order{}, err
	}
	policy, err := e.q.GetPayoutPolicy(ctx, on, db.GetPayoutPolicyParams{WorkspaceID: s.Workspace, Currency: p.Currency})
	if err != nil {
		return nil, payout.Order{}, err
	}
	order := payout.Order{
		Key: deref(p.ProviderKey), PayoutID: p.ID.String(), Attempt: p.Attempt, ParticipantID: p.ParticipantID.String(),
		ParticipantExternalID: owner.ExternalID, Currency: p.Currency, Amount: p.Amount, Test: s.Test,
	}
	if p.Provider == payable.Webhook && policy.WebhookURL != nil {
		return e.providers.Webhook(*policy.WebhookURL, policy.WebhookSecret), order, nil
	}
	return payout.Manual{}, order, nil
}
