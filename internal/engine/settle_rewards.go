package engine

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// rewardKey is what makes a reward the same reward: the unique key of the schema.
type rewardKey struct {
	cause       uuid.UUID
	rule        string
	participant uuid.UUID
}

// payDues brings every reward of the history to what its referral owes: it grants what is missing, takes back what is not
// owed any more, and gives back what is owed again.
func (r *recorder) payDues(ctx context.Context, h *history, outcomes []settlement.Outcome) error {
	stored := map[rewardKey]int{}
	for i, w := range h.rewards {
		stored[rewardKey{w.CauseID, w.RuleKey, w.ParticipantID}] = i
	}
	owed := map[rewardKey]bool{}
	for i, o := range outcomes {
		ref := h.referrals[i]
		for _, due := range o.Rewards {
			k := keyOf(ref, due)
			if ref.State == state.ReferralSuperseded && owed[k] {
				continue
			}
			owed[k] = true
			at, known := stored[k]
			var err error
			switch {
			case known:
				w := &h.rewards[at]
				reversed := w.Granted - due.Net
				if barred(ref) && due.Rule.Beneficiary == rules.Referrer && w.State != state.RewardPaid {
					reversed = max(reversed, w.Reversed)
				}
				err = r.adjust(ctx, w, reversed, due.Reason)
			case due.Net > 0 && isOpen(ref.State) && (isLive(ref.State) || due.ConversionID == ""):
				err = r.grant(ctx, h, ref, due, k)
			}
			if err != nil {
				return err
			}
		}
	}
	for i := range h.rewards {
		w := &h.rewards[i]
		if owed[rewardKey{w.CauseID, w.RuleKey, w.ParticipantID}] {
			continue
		}
		if err := r.adjust(ctx, w, w.Granted, h.whyNotOwed(*w)); err != nil {
			return err
		}
	}
	return r.grantUndone(ctx, h, outcomes)
}

// grantUndone grants, and takes back at once, what was undone before it arrived, so that the books tell it as if it had come in order.
func (r *recorder) grantUndone(ctx context.Context, h *history, outcomes []settlement.Outcome) error {
	for i, o := range outcomes {
		ref := h.referrals[i]
		for _, due := range o.Undone {
			if !isLive(ref.State) || due.Granted == 0 {
				continue
			}
			if err := r.grant(ctx, h, ref, due, keyOf(ref, due)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyOf is the reward that a due of a referral is.
func keyOf(ref db.Referral, due settlement.Due) rewardKey {
	who := ref.ReferrerID
	if due.Rule.Beneficiary == rules.Referee {
		who = ref.RefereeID
	}
	return rewardKey{uuid.MustParse(due.CauseID), due.Rule.Key, who}
}

// barred says whether a referral ended with a ban of its referrer, to whom nothing is given back then but what had been paid.
func barred(ref db.Referral) bool {
	return ref.State == state.ReferralRejected && ref.Reason == reason.ReferrerIneligible
}

// isOpen says which referrals may be granted new rewards.
func isOpen(s state.Referral) bool {
	return s != state.ReferralRejected && s != state.ReferralSuperseded
}

// whyNotOwed explains a stored reward that no rule owes: its referral was superseded, or its conversion was taken back, or
// the qualification was.
func (h *history) whyNotOwed(w db.Reward) reason.Code {
	for _, ref := range h.referrals {
		if ref.ID == *w.ReferralID && ref.State == state.ReferralSuperseded {
			return reason.Superseded
		}
	}
	for _, c := range h.conversions {
		if c.ID != w.CauseID {
			continue
		}
		if _, _, why := settlement.Net(c.Amount, h.reversalsOf(c)); why != "" {
			return why
		}
	}
	return reason.NotQualified
}

// grant makes a reward. What was undone before it came is granted and reversed at once.
func (r *recorder) grant(ctx context.Context, h *history, ref db.Referral, due settlement.Due, k rewardKey) error {
	w := db.Reward{
		WorkspaceID: r.s.Workspace, ID: newID(), ProgramID: h.program.ID, ProgramVersionID: ref.ProgramVersionID, ReferralID: &ref.ID,
		ParticipantID: k.participant, CauseKind: "referral", CauseID: k.cause, RuleKey: k.rule, Beneficiary: string(due.Rule.Beneficiary),
		Kind: due.Rule.Kind, Currency: money.Kind(due.Rule.Kind).Currency(h.program.Currency), Granted: due.Granted, AvailableAt: due.AvailableAt, CreatedAt: r.s.Now,
	}
	if due.Rule.Beneficiary == rules.Referrer {
		w.Level = 1
	}
	if due.ConversionID != "" {
		w.CauseKind, w.ConversionID = "conversion", &k.cause
	}
	if err := r.createReward(ctx, &w, due.Granted-due.Net, due.Reason); err != nil {
		return err
	}
	h.rewards = append(h.rewards, w)
	return nil
}

// createReward accrues a new reward, takes back what is already undone, and matures it when its hold is over.
func (r *recorder) createReward(ctx context.Context, w *db.Reward, reversed int64, why reason.Code) error {
	w.State, w.Reason, w.Version = state.RewardPending, why, 1
	r.transfer(*w, accrue, expense, pending, w.Granted, reason.Granted)
	r.event("reward.granted", "reward", w.ID, notedData(*w))
	if reversed > 0 {
		w.Reversed = reversed
		r.takeBack(w, reversed, why)
	}
	r.matureIfDue(w)
	return r.e.q.CreateReward(ctx, r.tx.Write(), db.CreateRewardParams{
		WorkspaceID: w.WorkspaceID, ID: w.ID, ProgramID: w.ProgramID, ProgramVersionID: w.ProgramVersionID, ReferralID: w.ReferralID,
		ConversionID: w.ConversionID, ParticipantID: w.ParticipantID, CauseKind: w.CauseKind, CauseID: w.CauseID, RuleKey: w.RuleKey,
		Beneficiary: w.Beneficiary, Level: w.Level, Kind: w.Kind, Currency: w.Currency, Granted: w.Granted, Reversed: w.Reversed,
		Capped: w.Capped, State: w.State, Reason: w.Reason, Note: w.Note, AvailableAt: w.AvailableAt, CreatedAt: w.CreatedAt,
	})
}

// matureIfDue moves a pending reward to available when its hold is over; the caller writes the row.
func (r *recorder) matureIfDue(w *db.Reward) bool {
	if w.State != state.RewardPending || w.AvailableAt.After(r.s.Now) {
		return false
	}
	w.State = state.RewardAvailable
	r.transfer(*w, mature, pending, available, w.Granted-w.Reversed, w.Reason)
	r.event("reward.available", "reward", w.ID, rewardData(*w))
	return true
}

// final says which cancelled rewards no fact brings back: those that a person cancelled, with a note, or whose owner was
// banned.
func final(w db.Reward) bool {
	return w.State == state.RewardCancelled && (w.Reason == reason.ReversedManual || w.Reason == reason.ReferrerIneligible) && w.Note != nil
}

// adjust brings a reward to a total reversed amount, from wherever its money sits.
func (r *recorder) adjust(ctx context.Context, w *db.Reward, reversed int64, why reason.Code) error {
	delta := reversed - w.Reversed
	if delta == 0 || final(*w) {
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

// takeBack reverses part of a reward. Money that was paid is clawed back into a balance that may fall below zero.
func (r *recorder) takeBack(w *db.Reward, amount int64, why reason.Code) {
	switch w.State {
	case state.RewardPaid:
		r.transfer(*w, clawback, available, expense, amount, why)
	case state.RewardAvailable:
		r.transfer(*w, cancel, available, expense, amount, why)
	default:
		r.transfer(*w, cancel, pending, expense, amount, why)
	}
	if w.Reversed == w.Granted && w.State != state.RewardPaid {
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
	case state.RewardAvailable, state.RewardPaid:
		r.transfer(*w, mature, pending, available, amount, why)
		r.event("reward.reinstated", "reward", w.ID, rewardData(*w))
	default:
		r.event("reward.reinstated", "reward", w.ID, rewardData(*w))
	}
}

// moveReward writes a changed reward.
func (r *recorder) moveReward(ctx context.Context, old db.Reward, w *db.Reward) error {
	w.Version = old.Version + 1
	return r.e.q.MoveReward(ctx, r.tx.Guard(), db.MoveRewardParams{
		WorkspaceID: r.s.Workspace, ID: w.ID, ToState: w.State, Reversed: w.Reversed, Reason: w.Reason, Note: w.Note,
		FromState: old.State, Version: old.Version,
	})
}

type rewardEvent struct {
	ParticipantID uuid.UUID    `json:"participant_id"`
	RuleKey       string       `json:"rule_key"`
	State         state.Reward `json:"state"`
	Reason        reason.Code  `json:"reason"`
	Granted       int64        `json:"granted"`
	Reversed      int64        `json:"reversed"`
	Currency      string       `json:"currency"`
	Note          *string      `json:"note,omitempty"`
}

func rewardData(w db.Reward) rewardEvent {
	return rewardEvent{w.ParticipantID, w.RuleKey, w.State, w.Reason, w.Granted, w.Reversed, w.Currency, nil}
}

// notedData is rewardData with the words of the person who acts.
func notedData(w db.Reward) rewardEvent {
	d := rewardData(w)
	d.Note = w.Note
	return d
}
