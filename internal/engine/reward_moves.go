package engine

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// createReward accrues a new reward, or one that waited for a rate, takes back what is already undone, and matures it when its hold is over.
func (r *recorder) createReward(ctx context.Context, w *db.Reward, reversed int64, why reason.Code) error {
	w.State, w.Reason = state.RewardPending, why
	w.Version++
	r.use(*w, w.Granted-reversed)
	if w.Granted == 0 { // a limit or the tree left nothing, and it is told so
		w.State = state.RewardCancelled
	}
	r.transfer(*w, accrue, expense, pending, w.Granted, reason.Granted)
	r.event("reward.granted", "reward", w.ID, notedData(*w))
	if reversed > 0 {
		w.Reversed = reversed
		r.takeBack(w, reversed, why)
	}
	r.matureIfDue(w)
	if w.Version > 1 {
		return r.e.q.GrantReward(ctx, r.tx.Guard(), db.GrantRewardParams{
			WorkspaceID: w.WorkspaceID, ID: w.ID, ToState: w.State, Granted: w.Granted, Reversed: w.Reversed, Capped: w.Capped, Limits: w.Limits,
			Tier: w.Tier, AmountType: w.AmountType, AmountValue: w.AmountValue, Reason: w.Reason, Note: w.Note, Version: w.Version - 1,
		})
	}
	return r.insertReward(ctx, *w)
}

func (r *recorder) insertReward(ctx context.Context, w db.Reward) error {
	return r.e.q.CreateReward(ctx, r.tx.Write(), db.CreateRewardParams{
		WorkspaceID: w.WorkspaceID, ID: w.ID, ProgramID: w.ProgramID, ProgramVersionID: w.ProgramVersionID, ReferralID: w.ReferralID,
		ConversionID: w.ConversionID, ParticipantID: w.ParticipantID, CauseKind: w.CauseKind, CauseID: w.CauseID, RuleKey: w.RuleKey,
		Beneficiary: w.Beneficiary, Level: w.Level, Tier: w.Tier, AmountType: w.AmountType, AmountValue: w.AmountValue, Kind: w.Kind,
		Currency: w.Currency, Granted: w.Granted, Reversed: w.Reversed, Capped: w.Capped, Limits: append([]string{}, w.Limits...),
		State: w.State, Reason: w.Reason, Note: w.Note, AvailableAt: w.AvailableAt, ExpiresAt: w.ExpiresAt, CreatedAt: w.CreatedAt,
	})
}

// matureIfDue moves a pending reward to available when its hold is over, and on to expired when that has passed too; the caller writes
// the row.
func (r *recorder) matureIfDue(w *db.Reward) bool {
	if w.State != state.RewardPending || w.AvailableAt.After(r.s.Now) {
		return false
	}
	w.State = state.RewardAvailable
	r.transfer(*w, mature, pending, available, left(*w), w.Reason)
	r.event("reward.available", "reward", w.ID, rewardData(*w))
	r.expireIfDue(w)
	return true
}

// final says of which rewards no fact brings back what was taken: those that a person cancelled, with a note, or whose owner was
// banned or erased. Of one that had been redeemed in part, the rest is meant, and a fact can take more.
func final(w db.Reward) bool {
	byHand := w.Reason == reason.ReversedManual || w.Reason == reason.ReferrerIneligible || w.Reason == reason.Erased
	return (w.State == state.RewardCancelled || w.State == state.RewardRedeemed) && byHand && w.Note != nil
}

// adjust brings a reward to a total reversed amount, from wherever its money sits.
func (r *recorder) adjust(ctx context.Context, w *db.Reward, reversed int64, why reason.Code) error {
	if final(*w) {
		reversed, why = max(reversed, w.Reversed), w.Reason
	}
	delta := reversed - w.Reversed
	if delta == 0 {
		return nil
	}
	old := *w
	w.Reversed, w.Reason = reversed, why
	switch {
	case delta > 0:
		if r.takeBack(w, delta, why); w.State == state.RewardCancelled {
			w.Note = nil // of a hold, which has ended; with one, nothing would bring the reward back
		}
	default:
		r.giveBack(w, -delta, why)
	}
	return r.moveReward(ctx, old, w)
}

// takeBack reverses part of a reward. What was paid or redeemed is clawed back into a balance that may fall below zero.
func (r *recorder) takeBack(w *db.Reward, amount int64, why reason.Code) {
	gone := min(amount, max(-left(*w), 0))
	switch w.State {
	case state.RewardPaid, state.RewardReserved: // what a payout holds stays as it is until it is cancelled
		gone = amount
	case state.RewardAvailable, state.RewardRedeemed:
		r.transfer(*w, cancel, available, expense, amount-gone, why)
	case state.RewardExpired:
		r.transfer(*w, cancel, breakage, expense, amount-gone, why)
	default:
		r.transfer(*w, cancel, pending, expense, amount-gone, why)
	}
	r.transfer(*w, clawback, available, expense, gone, why)
	switch {
	case w.State == state.RewardPaid, w.State == state.RewardReserved, w.State == state.RewardExpired, left(*w) > 0:
	case w.Redeemed > 0:
		w.State = state.RewardRedeemed
	default:
		w.State = state.RewardCancelled
		r.event("reward.cancelled", "reward", w.ID, notedData(*w))
		return
	}
	r.event("reward.reversed", "reward", w.ID, rewardData(*w))
}

// giveBack reinstates part of a reward, to where it would be now.
func (r *recorder) giveBack(w *db.Reward, amount int64, why reason.Code) {
	r.transfer(*w, accrue, expense, pending, amount, why)
	switch w.State {
	case state.RewardCancelled:
		w.State = state.RewardPending
		r.event("reward.reinstated", "reward", w.ID, rewardData(*w))
		r.matureIfDue(w)
	case state.RewardAvailable, state.RewardReserved, state.RewardPaid, state.RewardRedeemed, state.RewardExpired:
		r.transfer(*w, mature, pending, available, amount, why)
		r.event("reward.reinstated", "reward", w.ID, rewardData(*w))
		if w.State == state.RewardExpired { // what settles no debt has lapsed with the rest
			r.transfer(*w, expire, available, breakage, min(amount, max(left(*w), 0)), reason.RewardExpired)
		}
		if w.State == state.RewardRedeemed && left(*w) > 0 {
			w.State = state.RewardAvailable
		}
		r.expireIfDue(w)
	default:
		r.event("reward.reinstated", "reward", w.ID, rewardData(*w))
	}
}

// moveReward writes a changed reward.
func (r *recorder) moveReward(ctx context.Context, old db.Reward, w *db.Reward) error {
	w.Version = old.Version + 1
	r.use(*w, w.Granted-w.Reversed-old.Granted+old.Reversed)
	return r.e.q.MoveReward(ctx, r.tx.Guard(), db.MoveRewardParams{
		WorkspaceID: r.s.Workspace, ID: w.ID, ToState: w.State, Reversed: w.Reversed, Redeemed: w.Redeemed, Capped: w.Capped, Tier: w.Tier,
		AmountType: w.AmountType, AmountValue: w.AmountValue, Reason: w.Reason, Note: w.Note, AvailableAt: w.AvailableAt,
		ExpiresAt: w.ExpiresAt, FromState: old.State, Version: old.Version,
	})
}

type rewardEvent struct {
	ParticipantID uuid.UUID    `json:"participant_id"`
	RuleKey       string       `json:"rule_key"`
	State         state.Reward `json:"state"`
	Reason        reason.Code  `json:"reason"`
	Granted       int64        `json:"granted"`
	Reversed      int64        `json:"reversed"`
	Redeemed      int64        `json:"redeemed,omitempty"`
	Amount        int64        `json:"amount,omitempty"`
	Currency      string       `json:"currency"`
	Note          *string      `json:"note,omitempty"`
}

func rewardData(w db.Reward) rewardEvent {
	return rewardEvent{
		ParticipantID: w.ParticipantID, RuleKey: w.RuleKey, State: w.State, Reason: w.Reason, Granted: w.Granted, Reversed: w.Reversed,
		Redeemed: w.Redeemed, Currency: w.Currency,
	}
}

// notedData is rewardData with the words of the person who acts.
func notedData(w db.Reward) rewardEvent {
	d := rewardData(w)
	d.Note = w.Note
	return d
}
