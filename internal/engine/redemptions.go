package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewRedemption is an amount of one kind that a participant spends. ExternalID names it, so that sending it again takes nothing more.
type NewRedemption struct {
	ParticipantExternalID string
	Kind, Currency        string
	Amount                int64
	ExternalID            string
	Note                  *string
}

// Redemption is a redemption with what it took of each reward, and its void if there is one.
type Redemption struct {
	db.CreditRedemption
	Items []db.CreditRedemptionItem
	Void  *db.CreditRedemptionVoid
}

// mostRedeemed is of how many rewards one redemption takes at most: as many items as the contract has room for, and no more are locked.
const mostRedeemed = 10_000

// RedeemCredit takes an amount from what a participant has available of a kind: what expires soonest first, then what was granted
// first. What is owed back of the same kind is not there to be spent. Known says that it had been redeemed before. Errors:
// unknown_reference, insufficient_balance, amount_not_allowed when it is spread over too many rewards, conflict when the external id was used for a different redemption.
func (e *Engine) RedeemCredit(ctx context.Context, tx *store.Tx, s Scope, n NewRedemption) (out Redemption, known bool, err error) {
	var owner db.Participant
	var rewards []db.Reward
	var balance int64
	var was db.CreditRedemption
	err = tx.Load(ctx, func(tx store.DBTX) (err error) {
		// Before the rewards, like every decision about the participant, and shared with those who grant it more.
		owner, err = e.q.GetParticipantByExternalIDForKeyShare(ctx, tx, db.GetParticipantByExternalIDForKeyShareParams{
			WorkspaceID: s.Workspace, ExternalID: n.ParticipantExternalID,
		})
		return lookUp(err, "/participant_external_id", "the participant")
	}, func(tx store.DBTX) (err error) {
		rewards, err = e.q.ListRedeemableRewardsForUpdate(ctx, tx, db.ListRedeemableRewardsForUpdateParams{
			WorkspaceID: s.Workspace, ParticipantExternalID: n.ParticipantExternalID, Kind: n.Kind, Currency: n.Currency, Most: mostRedeemed,
		})
		return err
	}, func(tx store.DBTX) (err error) {
		balance, err = e.q.GetAvailableForUpdate(ctx, tx, db.GetAvailableForUpdateParams{
			WorkspaceID: s.Workspace, ParticipantExternalID: n.ParticipantExternalID, Kind: n.Kind, Currency: n.Currency,
		})
		return optional(err)
	}, func(tx store.DBTX) (err error) { // last: the same redemption may have held the rewards
		was, err = e.q.GetRedemptionByExternalID(ctx, tx, db.GetRedemptionByExternalIDParams{WorkspaceID: s.Workspace, ExternalID: n.ExternalID})
		return optional(err)
	})
	if err != nil {
		return out, false, err
	}
	if was.ID != uuid.Nil {
		if was.ParticipantID != owner.ID || was.RewardKind != n.Kind || was.Currency != n.Currency || was.Amount != n.Amount {
			return out, false, problem.Conflict.With("external_id was used for a different redemption").
				WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
		}
		list, err := e.WithItems(ctx, tx.DB(), []db.CreditRedemption{was})
		return list[0], true, err
	}
	r := e.record(tx, s)
	out.CreditRedemption = db.CreditRedemption{
		WorkspaceID: s.Workspace, ID: newID(), ParticipantID: owner.ID, RewardKind: n.Kind, Currency: n.Currency, Amount: n.Amount,
		ExternalID: n.ExternalID, Note: n.Note, CreatedAt: s.Now,
	}
	if out.Items, err = r.redeem(ctx, out.CreditRedemption, rewards, balance); err != nil {
		return out, false, err
	}
	return out, false, r.flush(ctx)
}

// redeem takes a redemption from locked rewards and writes it.
func (r *recorder) redeem(ctx context.Context, n db.CreditRedemption, rewards []db.Reward, balance int64) ([]db.CreditRedemptionItem, error) {
	p := db.CreateRedemptionItemsParams{WorkspaceID: n.WorkspaceID, RedemptionID: n.ID}
	var items []db.CreditRedemptionItem
	need := n.Amount
	slices.SortFunc(rewards, spentFirst)
	for i := range rewards {
		w := &rewards[i]
		old := *w
		if r.expireIfDue(w) { // its time is over, and nobody has acted upon it yet
			balance -= left(old)
			if err := r.moveReward(ctx, old, w); err != nil {
				return nil, err
			}
			continue
		}
		take := min(need, left(*w))
		if take <= 0 {
			continue
		}
		need -= take
		r.spend(w, take)
		if err := r.moveReward(ctx, old, w); err != nil {
			return nil, err
		}
		items = append(items, db.CreditRedemptionItem{WorkspaceID: n.WorkspaceID, RedemptionID: n.ID, RewardID: w.ID, Amount: take})
		p.RewardIds, p.Amounts = append(p.RewardIds, w.ID), append(p.Amounts, take)
	}
	switch {
	case n.Amount > balance, need > 0 && len(rewards) < mostRedeemed:
		return nil, problem.InsufficientBalance.With("the participant has " + money.Text(max(balance, 0), n.Currency) + " of " + n.RewardKind + " available")
	case need > 0:
		return nil, problem.AmountNotAllowed.With("one redemption takes of " + strconv.Itoa(mostRedeemed) + " rewards at most, which come to " +
			money.Text(n.Amount-need, n.Currency)).WithErrors([]problem.FieldError{{Pointer: "/amount", Message: "is more than so many rewards hold"}})
	}
	r.event("credit_redemption.recorded", "credit_redemption", n.ID, redemptionData(n))
	if err := r.e.q.CreateRedemption(ctx, r.tx.Write(), db.CreateRedemptionParams(n)); err != nil {
		return nil, err
	}
	return items, r.e.q.CreateRedemptionItems(ctx, r.tx.Write(), p)
}

// spentFirst orders rewards by what is spent first: what expires sooner, what never expires last, then the older one.
func spentFirst(a, b db.Reward) int {
	switch {
	case a.ExpiresAt == nil && b.ExpiresAt != nil:
		return 1
	case a.ExpiresAt != nil && b.ExpiresAt == nil:
		return -1
	case a.ExpiresAt != nil && !a.ExpiresAt.Equal(*b.ExpiresAt):
		return a.ExpiresAt.Compare(*b.ExpiresAt)
	}
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), bytes.Compare(a.ID[:], b.ID[:]))
}

// VoidRedemption gives everything that a redemption took back to its rewards, once. What has expired since lapses at once, what a
// reversal has taken since settles that debt, and somebody who was banned since, or forfeited the balance, has nothing of it. Errors: not_found,
// state_not_allowed.
func (e *Engine) VoidRedemption(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (out Redemption, err error) {
	out.CreditRedemption, err = e.q.GetRedemption(ctx, tx.DB(), db.GetRedemptionParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return out, store.OrNotFound(err, "the redemption")
	}
	var owner db.Participant
	var rewards []db.Reward
	err = tx.Load(ctx, func(tx store.DBTX) (err error) {
		owner, err = e.q.GetParticipantForKeyShare(ctx, tx, db.GetParticipantForKeyShareParams{WorkspaceID: s.Workspace, ID: out.ParticipantID})
		return err
	}, func(tx store.DBTX) (err error) {
		rewards, err = e.q.ListRedeemedRewardsForUpdate(ctx, tx, db.ListRedeemedRewardsForUpdateParams{WorkspaceID: s.Workspace, RedemptionID: id})
		return err
	})
	if err != nil {
		return out, err
	}
	list, err := e.WithItems(ctx, tx.DB(), []db.CreditRedemption{out.CreditRedemption})
	if err != nil {
		return out, err
	}
	if out = list[0]; out.Void != nil {
		return out, problem.StateNotAllowed.With("the redemption is voided already")
	}
	lost, err := e.forfeits(ctx, tx.DB(), owner)
	if err != nil {
		return out, err
	}
	took := map[uuid.UUID]int64{}
	for _, item := range out.Items {
		took[item.RewardID] = item.Amount
	}
	r := e.record(tx, s)
	v := db.CreditRedemptionVoid{WorkspaceID: s.Workspace, RedemptionID: id, Note: note, CreatedAt: s.Now}
	for i := range rewards {
		w := &rewards[i]
		old := *w
		v.Lapsed += r.unspend(w, took[w.ID])
		if lost != "" && left(*w) > 0 && state.Rewards.Allows(w.State, state.RewardCancelled) {
			if err := r.forfeitReturned(ctx, w, lost); err != nil {
				return out, err
			}
		}
		if err := r.moveReward(ctx, old, w); err != nil {
			return out, err
		}
	}
	out.Void = &v
	r.event("credit_redemption.voided", "credit_redemption", id, struct {
		Amount     int64  `json:"amount"`
		Lapsed     int64  `json:"lapsed"`
		Currency   string `json:"currency"`
		RewardKind string `json:"reward_kind"`
		Note       string `json:"note"`
	}{out.Amount, v.Lapsed, out.Currency, out.RewardKind, note})
	if err := e.q.CreateRedemptionVoid(ctx, tx.Write(), db.CreateRedemptionVoidParams(v)); err != nil {
		return out, err
	}
	return out, r.flush(ctx)
}

// WithItems reads what belongs to redemptions of one workspace.
func (e *Engine) WithItems(ctx context.Context, tx store.DBTX, rows []db.CreditRedemption) ([]Redemption, error) {
	out := make([]Redemption, len(rows))
	if len(rows) == 0 {
		return out, nil
	}
	at, ids := map[uuid.UUID]int{}, make([]uuid.UUID, len(rows))
	for i, row := range rows {
		out[i].CreditRedemption = row
		at[row.ID], ids[i] = i, row.ID
	}
	items, err := e.q.ListRedemptionItems(ctx, tx, db.ListRedemptionItemsParams{WorkspaceID: rows[0].WorkspaceID, RedemptionIds: ids})
	if err != nil {
		return out, err
	}
	for _, item := range items {
		of := &out[at[item.RedemptionID]]
		of.Items = append(of.Items, item)
	}
	voids, err := e.q.ListRedemptionVoids(ctx, tx, db.ListRedemptionVoidsParams{WorkspaceID: rows[0].WorkspaceID, RedemptionIds: ids})
	for i, v := range voids {
		out[at[v.RedemptionID]].Void = &voids[i]
	}
	return out, err
}

func redemptionData(n db.CreditRedemption) any {
	return struct {
		ParticipantID uuid.UUID `json:"participant_id"`
		RewardKind    string    `json:"reward_kind"`
		Currency      string    `json:"currency"`
		Amount        int64     `json:"amount"`
		Note          *string   `json:"note,omitempty"`
	}{n.ParticipantID, n.RewardKind, n.Currency, n.Amount, n.Note}
}

// What becomes of a reward after it is available: it is spent, given back, and expires. Where its amounts sit follows from them alone.
// Of granted less reversed less redeemed, what is above zero sits in the account of the state: available, or breakage when the reward
// has expired. What is below zero was redeemed and reversed afterwards; it is owed back and carried forward in available.

// left is what can still be redeemed or paid of a reward; below zero it is owed back.
func left(w db.Reward) int64 { return w.Granted - w.Reversed - w.Redeemed }

// spend redeems part of an available reward.
func (r *recorder) spend(w *db.Reward, amount int64) {
	w.Redeemed += amount
	w.Reason = reason.Redeemed
	if left(*w) == 0 {
		w.State = state.RewardRedeemed
	}
	r.transfer(*w, redeem, available, redeemed, amount, w.Reason)
	r.event("reward.redeemed", "reward", w.ID, amountData(*w, amount))
}

// unspend gives back what was redeemed, and says how much of it lapsed because the reward has expired.
func (r *recorder) unspend(w *db.Reward, amount int64) int64 {
	if !final(*w) {
		w.Reason = reason.RedemptionVoided
	}
	w.Redeemed -= amount
	free := min(amount, max(left(*w), 0)) // the rest settles what is owed back
	r.transfer(*w, release, redeemed, available, amount, reason.RedemptionVoided)
	r.event("reward.unredeemed", "reward", w.ID, amountData(*w, amount))
	switch {
	case w.State == state.RewardExpired:
		w.Reason = reason.RewardExpired
		r.transfer(*w, expire, available, breakage, free, w.Reason)
		return free
	case w.State == state.RewardHeld:
		r.transfer(*w, hold, available, pending, free, w.Reason)
	case free > 0:
		w.State = state.RewardAvailable
	case w.Reversed == w.Granted && w.Redeemed == 0:
		w.State = state.RewardCancelled
		r.event("reward.cancelled", "reward", w.ID, rewardData(*w))
	}
	if r.expireIfDue(w) {
		return free
	}
	return 0
}

// expireIfDue ends an available reward whose time is over, at that very moment; the caller writes the row. A refund after it takes
// nothing more from the person than what was redeemed: the rest comes out of what has lapsed.
func (r *recorder) expireIfDue(w *db.Reward) bool {
	if w.State != state.RewardAvailable || w.ExpiresAt == nil || w.ExpiresAt.After(r.s.Now) {
		return false
	}
	w.State, w.Reason = state.RewardExpired, reason.RewardExpired
	r.transfer(*w, expire, available, breakage, left(*w), w.Reason)
	r.event("reward.expired", "reward", w.ID, amountData(*w, left(*w)))
	return true
}

// expiry is the moment at which what is left of a reward expires, or nil.
func expiry(availableAt time.Time, seconds *int64) *time.Time {
	if seconds == nil {
		return nil
	}
	at := availableAt.Add(time.Duration(*seconds) * time.Second)
	return &at
}

// amountData is rewardData with the part that moved.
func amountData(w db.Reward, amount int64) rewardEvent {
	d := rewardData(w)
	d.Amount = amount
	return d
}
