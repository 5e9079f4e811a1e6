package engine

import (
	"context"
	"slices"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// ungranted says which rewards wait, or have waited in vain, for a rate: nothing was granted, so nothing was rated. Those that a person
// has cancelled stay what they are.
func ungranted(w db.Reward) bool {
	return w.Granted == 0 && w.AmountType == nil && w.ReferralID != nil && !final(w)
}

// ungrantedOf finds the reward that waits for what a due owes; nil when none does.
func (h *history) ungrantedOf(due settlement.Due) *db.Reward {
	k := keyOf(due)
	i := slices.IndexFunc(h.rewards, func(w db.Reward) bool { return ungranted(w) && keyOfReward(w) == k })
	if i < 0 {
		return nil
	}
	return &h.rewards[i]
}

// await remembers that something will be owed as soon as there is a rate. Nothing enters the books.
func (r *recorder) await(ctx context.Context, h *history, w db.Reward) error {
	w.State, w.Reason, w.Version = state.RewardPendingFX, reason.FXRateMissing, 1
	w.AmountType, w.AmountValue, w.Tier = nil, nil, 0
	r.event("reward.waiting", "reward", w.ID, rewardData(w))
	h.rewards = append(h.rewards, w)
	return r.insertReward(ctx, w)
}

// stopWaiting cancels the rewards whose conversion has its rate and that are owed nothing all the same, or whose referral has ended.
func (r *recorder) stopWaiting(ctx context.Context, h *history) error {
	for i := range h.rewards {
		w := &h.rewards[i]
		if w.State != state.RewardPendingFX {
			continue
		}
		why := h.waitsInVain(*w)
		if why == "" {
			continue
		}
		old := *w
		w.State, w.Reason = state.RewardCancelled, why
		r.event("reward.cancelled", "reward", w.ID, rewardData(*w))
		if err := r.moveReward(ctx, old, w); err != nil {
			return err
		}
	}
	return nil
}

// waitsInVain is why a reward needs no rate any more, or empty while it does.
func (h *history) waitsInVain(w db.Reward) reason.Code {
	for _, ref := range h.referrals {
		if ref.ID == *w.ReferralID && !isOpen(ref.State) {
			return ref.Reason
		}
	}
	for _, c := range h.conversions {
		switch {
		case c.ID != w.CauseID:
		case c.BaseAmount == nil:
			return ""
		case c.Reason == reason.Counted:
			return reason.NotQualified
		default:
			return c.Reason
		}
	}
	return reason.NotQualified
}
