package engine

import (
	"cmp"
	"context"
	"slices"

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
	level       int32
}

func keyOf(due settlement.Due) rewardKey {
	return rewardKey{uuid.MustParse(due.CauseID), due.Rule.Key, uuid.MustParse(due.ParticipantID), int32(due.Level)}
}

func keyOfReward(w db.Reward) rewardKey {
	return rewardKey{w.CauseID, w.RuleKey, w.ParticipantID, w.Level}
}

// payDues brings every reward of the history to what its referral owes: it takes back what is not owed any more, and then, with the room
// that this makes under caps and the budget, grants what is missing and gives back what is owed again.
func (r *recorder) payDues(ctx context.Context, h *history, outcomes []settlement.Outcome) error {
	for _, giving := range []bool{false, true} {
		if err := r.payOwed(ctx, h, outcomes, giving); err != nil {
			return err
		}
	}
	if err := r.grantUndone(ctx, h, outcomes); err != nil {
		return err
	}
	if err := r.noteNothing(ctx, h, outcomes); err != nil {
		return err
	}
	return r.stopWaiting(ctx, h)
}

// payOwed takes back from the rewards of the history, or gives.
func (r *recorder) payOwed(ctx context.Context, h *history, outcomes []settlement.Outcome, giving bool) error {
	stored := h.recorded()
	owed := map[rewardKey]bool{}
	for i, o := range outcomes {
		ref := h.referrals[i]
		for _, due := range o.Rewards {
			if ref.State == state.ReferralSuperseded && owed[keyOf(due)] {
				continue
			}
			if err := r.pay(ctx, h, ref, due, giving, stored, owed); err != nil {
				return err
			}
		}
	}
	for i := range h.rewards {
		w := &h.rewards[i]
		if giving || owed[keyOfReward(*w)] {
			continue
		}
		if err := r.adjust(ctx, w, w.Granted, h.whyNotOwed(*w)); err != nil {
			return err
		}
	}
	return nil
}

// pay brings the reward of a due to what it owes, as far as that is giving, or as far as it is not. What a better tier adds to a reward is
// a reward of its own, caused by the first, since that may be paid already; taking back begins with the last.
func (r *recorder) pay(
	ctx context.Context, h *history, ref db.Referral, due settlement.Due, giving bool, stored map[rewardKey]int, owed map[rewardKey]bool,
) error {
	cause := "" // of what a better tier adds
	for {
		k := keyOf(due)
		owed[k] = true
		at, known := stored[k]
		if !known {
			if giving && (due.Net > 0 || due.Denied || due.Unpriced) && isOpen(ref.State) && (isLive(ref.State) || due.ConversionID == "") {
				return r.grant(ctx, h, ref, due, cause)
			}
			return nil
		}
		w := &h.rewards[at]
		if err := r.bring(ctx, h, ref, due, giving, w); err != nil || final(*w) {
			return err
		}
		cause = causeRerating
		due.Granted -= w.Granted + w.Capped
		due.Net = max(0, due.Net-w.Granted)
		due.CauseID = w.ID.String()
		if due.Reason == reason.Granted {
			due.Reason = reason.TierRerated
		}
		if due.Granted <= 0 {
			return nil
		}
	}
}

// bring brings a reward on record to what is owed of it.
func (r *recorder) bring(ctx context.Context, h *history, ref db.Referral, due settlement.Due, giving bool, w *db.Reward) error {
	reversed, why := w.Granted-netOf(*w, due), due.Reason
	switch {
	case giving == (reversed > w.Reversed):
		return nil
	case reversed >= w.Reversed:
		if reversed > w.Reversed && why == reason.Granted {
			why = reason.TierRerated
		}
		return r.adjust(ctx, w, reversed, why)
	case barred(ref) && due.Rule.Beneficiary == rules.Referrer && w.State != state.RewardPaid:
		return nil
	}
	return r.restore(ctx, w, h.boundsOf(h.rulesOf(ref, due), due), reversed, why)
}

// causeRerating is the cause of what a better tier adds to a reward.
const causeRerating = "rerating"

// grantUndone grants, and takes back at once, what was owed only before all was known, so that the books tell it as if it had come in order.
// What the books tell already, of whomever, stays as it is.
func (r *recorder) grantUndone(ctx context.Context, h *history, outcomes []settlement.Outcome) error {
	told := map[rewardKey]bool{}
	for k := range h.recorded() {
		told[k.whomever()] = true
	}
	for i, o := range outcomes {
		ref := h.referrals[i]
		for _, due := range o.Undone {
			k := keyOf(due).whomever()
			if !isLive(ref.State) || due.Granted == 0 || told[k] {
				continue
			}
			told[k] = true
			if err := r.grant(ctx, h, ref, due, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// whomever is what a reward is for, without who gets it.
func (k rewardKey) whomever() rewardKey {
	k.participant = uuid.Nil
	return k
}

// noteNothing records shares that come to nothing by their step: it is theirs, until they are rated again.
func (r *recorder) noteNothing(ctx context.Context, h *history, outcomes []settlement.Outcome) error {
	recorded := h.recorded()
	for i, o := range outcomes {
		ref := h.referrals[i]
		for _, due := range o.Rewards {
			_, known := recorded[keyOf(due)]
			if known || due.Denied || due.Unpriced || due.Granted > 0 || due.Rule.Tiers == nil || !isLive(ref.State) {
				continue
			}
			if err := r.grant(ctx, h, ref, due, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// netOf is what a stored reward still owes: what its facts say, within what a limit left of it.
func netOf(w db.Reward, due settlement.Due) int64 {
	return max(0, min(due.Net, due.Granted-w.Capped, w.Granted))
}

// restore gives back what is reversed of a reward beyond an amount, as far as its limits have room. The rest stays away for good, and the
// reward says so.
func (r *recorder) restore(ctx context.Context, w *db.Reward, bounds []bound, reversed int64, why reason.Code) error {
	if final(*w) {
		return nil
	}
	old, back := *w, w.Reversed-reversed
	granted, limited := r.headroom(bounds, back)
	w.Capped += back - granted
	if granted > 0 {
		return r.adjust(ctx, w, w.Reversed-granted, why)
	}
	w.Reason = limited
	return r.moveReward(ctx, old, w)
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
		above := upline(c.Upline)
		if w.Beneficiary == string(rules.Upline) && !slices.ContainsFunc(above, func(a settlement.Ancestor) bool { return a.ID == w.ParticipantID.String() }) {
			return reason.UplineChanged
		}
	}
	return reason.NotQualified
}

// grant makes a reward. What was undone before it came is granted and reversed at once.
func (r *recorder) grant(ctx context.Context, h *history, ref db.Referral, due settlement.Due, cause string) error {
	w := h.newReward(r.s, due, &ref.ID, ref.ProgramVersionID)
	w.CauseKind = cmp.Or(cause, w.CauseKind)
	waiting := h.ungrantedOf(due)
	switch {
	case due.Unpriced && waiting != nil:
		return nil
	case due.Unpriced:
		return r.await(ctx, h, w)
	case waiting != nil:
		w.ID, w.Version, w.CreatedAt = waiting.ID, waiting.Version, waiting.CreatedAt
	}
	if err := r.grantWithin(ctx, &w, h.boundsOf(h.rulesOf(ref, due), due), due); err != nil {
		return err
	}
	if waiting != nil {
		*waiting = w
	} else {
		h.rewards = append(h.rewards, w)
	}
	return r.openTierPeriod(ctx, h, w, due)
}

// newReward is the reward of a due, before its limits.
func (h *history) newReward(s Scope, due settlement.Due, referral *uuid.UUID, version uuid.UUID) db.Reward {
	rated, value := string(due.Amount.Type), due.Amount.Value
	w := db.Reward{
		WorkspaceID: s.Workspace, ID: newID(), ProgramID: h.program.ID, ProgramVersionID: version, ReferralID: referral,
		ParticipantID: uuid.MustParse(due.ParticipantID), CauseKind: "referral", CauseID: uuid.MustParse(due.CauseID), RuleKey: due.Rule.Key,
		Beneficiary: string(due.Rule.Beneficiary), Level: int32(due.Level), Tier: int32(due.Tier), AmountType: &rated, AmountValue: &value,
		Kind: due.Rule.Kind, Currency: money.Kind(due.Rule.Kind).Currency(h.program.Currency), Limits: []string{}, AvailableAt: due.AvailableAt,
		ExpiresAt: expiry(due.AvailableAt, due.Rule.ExpiresAfterSeconds), CreatedAt: s.Now,
	}
	if due.ConversionID != "" {
		w.CauseKind, w.ConversionID = "conversion", parseID(due.ConversionID)
	}
	if due.VersionID != "" {
		w.ProgramVersionID = uuid.MustParse(due.VersionID)
	}
	return w
}

// grantWithin grants what the bounds leave of a due, and says so when that is not all.
func (r *recorder) grantWithin(ctx context.Context, w *db.Reward, bounds []bound, due settlement.Due) error {
	why := due.Reason
	granted, limited := r.headroom(bounds, due.Granted)
	w.Granted, w.Capped = granted, due.Granted-granted
	for _, b := range bounds {
		w.Limits = append(w.Limits, b.key.text())
	}
	net := netOf(*w, due)
	if limited != "" && net == granted {
		why = limited
	}
	return r.createReward(ctx, w, granted-net, why)
}

// rulesOf are the rules by which a due is owed.
func (h *history) rulesOf(ref db.Referral, due settlement.Due) rules.Document {
	if due.VersionID != "" {
		return h.documents[uuid.MustParse(due.VersionID)]
	}
	return h.documents[ref.ProgramVersionID]
}

// recorded finds the rewards of a history that were granted, by what makes them the same.
func (h *history) recorded() map[rewardKey]int {
	out := map[rewardKey]int{}
	for i, w := range h.rewards {
		if !ungranted(w) {
			out[keyOfReward(w)] = i
		}
	}
	return out
}

// rated tells what the reward of a due was rated by when it was granted: that stays, whatever is reached later.
func (h *history) rated() func(settlement.Due) (rules.Amount, int, bool) {
	on := make(map[rewardKey]*db.Reward, len(h.rewards))
	for i := range h.rewards {
		if w := &h.rewards[i]; w.AmountType != nil {
			on[keyOfReward(*w)] = w
		}
	}
	return func(due settlement.Due) (rules.Amount, int, bool) {
		w := on[keyOf(due)]
		if w == nil {
			return rules.Amount{}, 0, false
		}
		return rules.Amount{Type: rules.AmountType(*w.AmountType), Value: *w.AmountValue}, int(w.Tier), true
	}
}
