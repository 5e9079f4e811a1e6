package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewReward is a reward that a person grants. ExternalID names it, so that sending it again grants nothing more.
type NewReward struct {
	ProgramID             uuid.UUID
	ParticipantExternalID string
	ExternalID            string
	Amount                int64
	Currency              string
	Kind                  string
	Note                  string
	ExpiresAt             *time.Time
}

// manualRule stands where a rule's key stands for rewards that no rule granted.
const manualRule = "manual"

// CreateReward grants a reward by hand, available at once. Known says that it had been granted before. Errors:
// unknown_reference, currency_mismatch, conflict when the external id was used for a different reward.
func (e *Engine) CreateReward(ctx context.Context, tx *store.Tx, s Scope, n NewReward) (w db.Reward, known bool, err error) {
	h := &history{}
	var owner db.Participant
	err = tx.Load(ctx, e.loadProgram(ctx, s, n.ProgramID, h), func(tx store.DBTX) (err error) {
		owner, err = e.q.GetParticipantByExternalIDForUpdate(ctx, tx, db.GetParticipantByExternalIDForUpdateParams{
			WorkspaceID: s.Workspace, ExternalID: n.ParticipantExternalID,
		})
		return lookUp(err, "/participant_external_id", "the participant")
	})
	if err != nil {
		return w, false, err
	}
	if h.current == nil {
		return w, false, problem.StateNotAllowed.With("the program has no published version")
	}
	if counted := money.Kind(n.Kind).Currency(h.program.Currency); n.Currency != counted {
		return w, false, problem.CurrencyMismatch.With("the program counts " + n.Kind + " in " + counted).
			WithErrors([]problem.FieldError{{Pointer: "/currency", Message: "must be " + counted}})
	}
	cause := uuid.NewSHA1(h.program.ID, []byte("reward\x00"+n.ExternalID))
	w, err = e.q.GetManualReward(ctx, tx.DB(), db.GetManualRewardParams{WorkspaceID: s.Workspace, CauseID: cause})
	if optional(err) != nil {
		return w, false, err
	}
	if err == nil {
		if w.ParticipantID != owner.ID || w.Granted != n.Amount || w.Kind != n.Kind {
			return w, false, problem.Conflict.With("external_id was used for a different reward").
				WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
		}
		return w, true, nil
	}
	if n.ExpiresAt != nil && (n.Kind == string(money.KindMoney) || !n.ExpiresAt.After(s.Now)) {
		return w, false, problem.ValidationFailed.With("only what is not money expires, and only in the future").
			WithErrors([]problem.FieldError{{Pointer: "/expires_at", Message: "must be in the future, and is not for money"}})
	}
	r := e.record(tx, s)
	w = db.Reward{
		WorkspaceID: s.Workspace, ID: newID(), ProgramID: h.program.ID, ProgramVersionID: h.current.ID, ParticipantID: owner.ID,
		CauseKind: "manual", CauseID: cause, RuleKey: manualRule, Beneficiary: "participant", Kind: n.Kind, Currency: n.Currency,
		Granted: n.Amount, Note: &n.Note, AvailableAt: s.Now, ExpiresAt: n.ExpiresAt, CreatedAt: s.Now,
	}
	if err := r.createReward(ctx, &w, 0, reason.Manual); err != nil {
		return w, false, err
	}
	r.countManual(h, w, counts{rewardsGranted: w.Granted})
	return w, false, r.flush(ctx)
}

// countManual counts a reward that belongs to no history: for its program, on the day it was granted, if it is in the program's
// currency.
func (r *recorder) countManual(h *history, w db.Reward, c counts) {
	if w.Currency != h.program.Currency {
		return
	}
	k := cell{program: w.ProgramID, day: calendar.Day(w.CreatedAt, h.zone), shard: int16(w.ParticipantID[15] % shards)}
	r.counts[k] = r.counts[k].plus(c, 1)
}

// changeReward runs a change of one reward by hand and counts the difference. The history of a rule's reward is locked first, in
// the order of every other write.
func (e *Engine) changeReward(
	ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, change func(r *recorder, w *db.Reward) error,
) (db.Reward, error) {
	w, err := e.q.GetReward(ctx, tx.DB(), db.GetRewardParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return w, store.OrNotFound(err, "the reward")
	}
	r := e.record(tx, s)
	if w.ReferralID == nil {
		return e.changeManual(ctx, tx, s, r, w, change)
	}
	h, _, err := e.loadHistoryOf(ctx, tx, s, *w.ReferralID)
	if err != nil {
		return w, err
	}
	h.tally(-1, r.counts)
	for i := range h.rewards {
		if h.rewards[i].ID != id {
			continue
		}
		if err := change(r, &h.rewards[i]); err != nil {
			return w, err
		}
		w = h.rewards[i]
	}
	h.tally(1, r.counts)
	return w, r.flush(ctx)
}

func (e *Engine) changeManual(
	ctx context.Context, tx *store.Tx, s Scope, r *recorder, w db.Reward, change func(r *recorder, w *db.Reward) error,
) (db.Reward, error) {
	h := &history{}
	err := tx.Load(ctx, e.loadProgram(ctx, s, w.ProgramID, h), func(tx store.DBTX) (err error) {
		w, err = e.q.GetRewardForUpdate(ctx, tx, db.GetRewardForUpdateParams{WorkspaceID: s.Workspace, ID: w.ID})
		return err
	})
	if err != nil {
		return w, err
	}
	was := w.Reversed
	if err := change(r, &w); err != nil {
		return w, err
	}
	r.countManual(h, w, counts{rewardsReversed: w.Reversed - was})
	return w, r.flush(ctx)
}

// CancelReward takes what is left of a reward back for good: no later fact reinstates it. What was redeemed stays. Errors: not_found, state_not_allowed.
func (e *Engine) CancelReward(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Reward, error) {
	return e.changeReward(ctx, tx, s, id, func(r *recorder, w *db.Reward) error {
		if !state.Rewards.Allows(w.State, state.RewardCancelled) {
			return rewardNotAllowed(*w, "cancelled")
		}
		old := *w
		w.Note, w.Reason, w.Reversed = &note, reason.ReversedManual, w.Granted-w.Redeemed
		r.takeBack(w, left(old), reason.ReversedManual)
		return r.moveReward(ctx, old, w)
	})
}

// HoldReward keeps a reward from becoming available, or takes it back to pending, until it is released. Errors: not_found,
// state_not_allowed.
func (e *Engine) HoldReward(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Reward, error) {
	return e.changeReward(ctx, tx, s, id, func(r *recorder, w *db.Reward) error {
		if !state.Rewards.Allows(w.State, state.RewardHeld) {
			return rewardNotAllowed(*w, "held")
		}
		old := *w
		w.State, w.Note = state.RewardHeld, &note
		if old.State == state.RewardAvailable {
			r.transfer(*w, hold, available, pending, left(*w), w.Reason)
		}
		r.event("reward.held", "reward", w.ID, notedData(*w))
		return r.moveReward(ctx, old, w)
	})
}

// ReleaseReward ends a hold: the reward is available when its time has come, pending otherwise. The time until it expires begins
// anew: a hold is not the fault of the one who waits. Errors: not_found,
// state_not_allowed.
func (e *Engine) ReleaseReward(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Reward, error) {
	return e.changeReward(ctx, tx, s, id, func(r *recorder, w *db.Reward) error {
		if w.State != state.RewardHeld {
			return rewardNotAllowed(*w, "released")
		}
		old := *w
		w.State, w.Note = state.RewardPending, nil
		if w.ExpiresAt != nil && w.AvailableAt.Before(s.Now) {
			w.AvailableAt, w.ExpiresAt = s.Now, new(s.Now.Add(w.ExpiresAt.Sub(w.AvailableAt)))
		}
		r.event("reward.released", "reward", w.ID, rewardData(*w))
		r.matureIfDue(w)
		return r.moveReward(ctx, old, w)
	})
}

func rewardNotAllowed(w db.Reward, what string) error {
	return problem.StateNotAllowed.With("a reward that is " + string(w.State) + " cannot be " + what)
}
