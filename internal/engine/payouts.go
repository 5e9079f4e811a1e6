package engine

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// payoutWork is the change of one payout, which is locked: payouts come before rewards, and these before accounts.
type payoutWork struct {
	*recorder
	db.Payout
	old  db.Payout
	send bool // once the transaction has ended
}

// changePayout locks a payout, runs a change of it and writes it, if it has moved.
func (e *Engine) changePayout(
	ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, change func(w *payoutWork) error,
) (db.Payout, error) {
	p, err := e.q.GetPayoutForUpdate(ctx, tx.DB(), db.GetPayoutForUpdateParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return p, store.OrNotFound(err, "the payout")
	}
	w := &payoutWork{recorder: e.record(tx, s), Payout: p, old: p}
	if err := change(w); err != nil {
		return p, err
	}
	return w.Payout, w.write(ctx)
}

// write queues the payout as it is now; nothing when it has not changed.
func (w *payoutWork) write(ctx context.Context) error {
	if len(w.events) == 0 {
		return nil
	}
	w.Version = w.old.Version + 1
	var err error
	if w.State == state.PayoutCancelled {
		w.Live, w.DueAt = false, nil
		err = w.e.q.CancelPayout(ctx, w.tx.Guard(), db.CancelPayoutParams{
			WorkspaceID: w.s.Workspace, ID: w.ID, Note: w.Note, FromState: w.old.State, Version: w.old.Version,
		})
	} else {
		err = w.e.q.MovePayout(ctx, w.tx.Guard(), db.MovePayoutParams{
			WorkspaceID: w.s.Workspace, ID: w.ID, ToState: w.State, Attempt: w.Attempt, ProviderKey: w.ProviderKey,
			ProviderReference: w.ProviderReference, Note: w.Note, DueAt: w.DueAt, Tries: w.Tries, PaidAt: w.PaidAt,
			FromState: w.old.State, Version: w.old.Version,
		})
	}
	if err != nil {
		return err
	}
	return w.flush(ctx)
}

// to moves the payout along an arrow.
func (w *payoutWork) to(next state.Payout, event, note string) error {
	if !state.Payouts.Allows(w.State, next) {
		return w.notAllowed("become " + string(next))
	}
	w.State, w.DueAt = next, nil
	w.event(event, "payout", w.ID, payoutData(w.Payout, note))
	return nil
}

func (w *payoutWork) notAllowed(what string) error {
	return problem.StateNotAllowed.With("a payout that is " + string(w.State) + " cannot " + what)
}

// ApprovePayout approves a draft. Errors: not_found, forbidden, state_not_allowed.
func (e *Engine) ApprovePayout(ctx context.Context, tx *store.Tx, s Scope, id, by uuid.UUID) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error {
		run, err := e.q.GetPayoutRun(ctx, tx.DB(), db.GetPayoutRunParams{WorkspaceID: s.Workspace, ID: w.RunID})
		if err != nil {
			return err
		}
		if err := e.mayApprove(ctx, tx, s, run, by); err != nil {
			return err
		}
		return w.approve("")
	})
}

func (w *payoutWork) approve(note string) error {
	err := w.to(state.PayoutApproved, "payout.approved", note)
	if w.Provider.Automatic() {
		w.DueAt = &w.s.Now
	}
	return err
}

// CancelPayout gives the rewards of a payout that was not submitted back. Errors: not_found, state_not_allowed.
func (e *Engine) CancelPayout(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error {
		owner, rewards, err := w.lockRewards(ctx)
		if err != nil {
			return err
		}
		return w.cancel(ctx, owner, rewards, note)
	})
}

func (w *payoutWork) cancel(ctx context.Context, owner db.Participant, rewards []db.ListPayoutRewardsForUpdateRow, note string) error {
	w.Note = &note
	if err := w.to(state.PayoutCancelled, "payout.cancelled", note); err != nil {
		return err
	}
	lost, err := w.e.forfeits(ctx, w.tx.DB(), owner)
	if err != nil {
		return err
	}
	for _, row := range rewards {
		if err := w.unreserve(ctx, row.Reward, row.Amount, lost); err != nil {
			return err
		}
	}
	return nil
}

// forfeits is why a participant loses what comes back to it: it was banned, or erased with its balance forfeited. Empty when it does not.
func (e *Engine) forfeits(ctx context.Context, on store.DBTX, owner db.Participant) (reason.Code, error) {
	switch owner.State {
	case state.ParticipantBanned:
		return reason.ReferrerIneligible, nil
	case state.ParticipantErased:
		erased, err := e.q.ListErasureRequests(ctx, on, db.ListErasureRequestsParams{WorkspaceID: owner.WorkspaceID, ParticipantID: &owner.ID, PageLimit: 1})
		if err != nil || len(erased) == 0 || deref(erased[0].Disposition) != Forfeit {
			return "", err
		}
		return reason.Erased, nil
	}
	return "", nil
}

// unreserve makes a reward available again. One of which nothing is left is cancelled by that, and one that its owner has lost
// meanwhile ends.
func (w *payoutWork) unreserve(ctx context.Context, reward db.Reward, amount int64, why reason.Code) error {
	old := reward
	w.transfer(reward, release, reserved, available, amount, reason.PaidOut)
	reward.State = state.RewardAvailable
	w.event("reward.unreserved", "reward", reward.ID, rewardData(reward))
	switch lost := left(reward); {
	case why != "" && lost > 0:
		if err := w.forfeitReturned(ctx, &reward, why); err != nil {
			return err
		}
	case lost == 0 && reward.Reversed > 0:
		reward.State = state.RewardCancelled
		w.event("reward.cancelled", "reward", reward.ID, notedData(reward))
	}
	return w.moveReward(ctx, old, &reward)
}

// lockRewards locks the owner, as far as rows refer to it, and then the rewards.
func (w *payoutWork) lockRewards(ctx context.Context) (db.Participant, []db.ListPayoutRewardsForUpdateRow, error) {
	owner, err := w.e.q.GetParticipantForKeyShare(ctx, w.tx.DB(), db.GetParticipantForKeyShareParams{WorkspaceID: w.s.Workspace, ID: w.ParticipantID})
	if err != nil {
		return owner, nil, err
	}
	rewards, err := w.e.q.ListPayoutRewardsForUpdate(ctx, w.tx.DB(), db.ListPayoutRewardsForUpdateParams{WorkspaceID: w.s.Workspace, PayoutID: w.ID})
	return owner, rewards, err
}

// SubmitPayout hands an approved payout to its provider, or cancels it when by now it should not be paid. Errors: not_found,
// state_not_allowed.
func (e *Engine) SubmitPayout(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error { return w.submit(ctx) })
}

// submit is the last moment at which a payout can be stopped: afterwards the provider may pay. What was taken back of its rewards since
// they were reserved has made the balance smaller; below zero it would be paid although it was undone, so that the payout is
// cancelled, and the next run pays what is left.
func (w *payoutWork) submit(ctx context.Context) error {
	if w.State != state.PayoutApproved {
		return w.notAllowed("become " + string(state.PayoutSubmitted))
	}
	owner, rewards, err := w.lockRewards(ctx)
	if err != nil {
		return err
	}
	lost, err := w.e.forfeits(ctx, w.tx.DB(), owner)
	if err != nil {
		return err
	}
	// Who was erased is paid what is left, if that was asked for.
	if owner.State != state.ParticipantActive && (owner.State != state.ParticipantErased || lost != "") {
		return w.cancel(ctx, owner, rewards, "the participant is "+string(owner.State))
	}
	balances, err := w.e.q.ListBalancesForUpdate(ctx, w.tx.DB(), db.ListBalancesForUpdateParams{
		WorkspaceID: w.s.Workspace, ParticipantIds: []uuid.UUID{w.ParticipantID}, Currency: w.Currency,
	})
	if err != nil {
		return err
	}
	for _, b := range balances {
		if b.Balance < 0 {
			return w.cancel(ctx, owner, rewards, "more was taken back than is available")
		}
	}
	w.submitted()
	return w.to(state.PayoutSubmitted, "payout.submitted", "")
}

// submitted fixes the key of the attempt.
func (w *payoutWork) submitted() {
	key := w.keyOf(w.Attempt)
	w.ProviderKey, w.Note, w.Tries = &key, nil, 0
}

type payoutEvent struct {
	RunID         uuid.UUID    `json:"run_id"`
	ParticipantID uuid.UUID    `json:"participant_id"`
	State         state.Payout `json:"state"`
	Amount        int64        `json:"amount"`
	Offset        int64        `json:"offset"`
	Currency      string       `json:"currency"`
	Attempt       int64        `json:"attempt"`
	Note          string       `json:"note,omitempty"`
}

func payoutData(p db.Payout, note string) payoutEvent {
	return payoutEvent{p.RunID, p.ParticipantID, p.State, p.Amount, p.OffsetAmount, p.Currency, p.Attempt, note}
}
