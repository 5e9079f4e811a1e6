package engine

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// BanParticipant ends what a participant earns: its codes are disabled for fraud, its open referrals rejected, and what it has not
// been paid is cancelled for good. What was paid stays, and its referees keep what is theirs. Errors: not_found,
// state_not_allowed.
func (e *Engine) BanParticipant(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Participant, error) {
	p, err := e.q.GetParticipant(ctx, tx.DB(), db.GetParticipantParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return p, store.OrNotFound(err, "the participant")
	}
	if !state.Participants.Allows(p.State, state.ParticipantBanned) {
		return p, problem.StateNotAllowed.With("the participant is banned already")
	}
	b := ban{recorder: e.record(tx, s), id: id, loaded: map[db.ListUnpaidHistoriesRow]bool{}, why: reason.ReferrerIneligible, note: bannedNote}
	// Referees first, like every decision about one of them: it holds its referee when it comes to the referrer.
	if err := b.load(ctx, func(row db.ListUnpaidHistoriesRow) bool { return row.RefereeID != id }); err != nil {
		return p, err
	}
	if p, err = e.lockParticipant(ctx, tx, s, id); err != nil {
		return p, err
	}
	// And what was decided while the participant was waited for, and what the participant itself was referred to.
	if err := b.load(ctx, func(db.ListUnpaidHistoriesRow) bool { return true }); err != nil {
		return p, err
	}
	if err := b.moveParticipant(ctx, &p, state.ParticipantBanned, "participant.banned", note); err != nil {
		return p, err
	}
	for _, step := range []func(context.Context) error{b.disableCodes, b.closeHistories, b.cancelManual, b.flush} {
		if err := step(ctx); err != nil {
			return p, err
		}
	}
	return p, nil
}

// ban is the work of one ban, or of an erasure, which ends as much. What is not paid is cancelled for why; without a reason it stays.
type ban struct {
	*recorder
	id        uuid.UUID
	why       reason.Code
	note      string // makes a cancelled reward final: no later fact brings it back
	loaded    map[db.ListUnpaidHistoriesRow]bool
	histories []*history
}

// banBatch bounds how many histories one round trip loads.
const banBatch = 50

// load locks and reads the histories that the ban changes and that are wanted now.
func (b *ban) load(ctx context.Context, wanted func(db.ListUnpaidHistoriesRow) bool) error {
	rows, err := b.e.q.ListUnpaidHistories(ctx, b.tx.DB(), db.ListUnpaidHistoriesParams{WorkspaceID: b.s.Workspace, ParticipantID: b.id})
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(row db.ListUnpaidHistoriesRow) bool { return b.loaded[row] || !wanted(row) })
	for batch := range slices.Chunk(rows, banBatch) {
		var loads []load
		var histories []*history
		for _, row := range batch {
			b.loaded[row] = true
			h := &history{}
			histories = append(histories, h)
			loads = append(loads, b.e.lockReferee(ctx, b.s, referee{ExternalID: row.RefereeExternalID}, h)...)
			loads = append(loads, b.e.loadProgram(ctx, b.s, row.ProgramID, h),
				b.e.loadReferrals(ctx, b.s, row.ProgramID, row.RefereeExternalID, h))
			loads = append(loads, b.e.loadFacts(ctx, b.s, row.ProgramID, row.RefereeExternalID, h)...)
		}
		if err := b.tx.Load(ctx, loads...); err != nil {
			return err
		}
		for _, h := range histories {
			if err := b.e.loadDocuments(ctx, b.tx, b.s, h); err != nil {
				return err
			}
		}
		b.histories = append(b.histories, histories...)
	}
	return nil
}

// disableCodes disables every code that is not retired for fraud, also those that were disabled for less.
func (b *ban) disableCodes(ctx context.Context) error {
	codes, err := b.e.q.ListCodesByParticipantForUpdate(ctx, b.tx.DB(), db.ListCodesByParticipantForUpdateParams{
		WorkspaceID: b.s.Workspace, ParticipantID: b.id,
	})
	if err != nil {
		return err
	}
	why := disabledForFraud
	for i := range codes {
		if c := codes[i]; c.State == state.CodeRetired || deref(c.DisabledReason) == why {
			continue
		}
		if err := b.moveCode(ctx, &codes[i], state.CodeDisabled, &why); err != nil {
			return err
		}
	}
	return nil
}

// closeHistories rejects the participant's open referrals, cancels what it is owed, and settles the rest of each history with
// that.
func (b *ban) closeHistories(ctx context.Context) error {
	for _, h := range b.histories {
		before := h.mark()
		for i := range h.referrals {
			ref := &h.referrals[i]
			if ref.ReferrerID != b.id || !state.Referrals.Allows(ref.State, state.ReferralRejected) {
				continue
			}
			next := *ref
			next.State, next.Reason = state.ReferralRejected, reason.ReferrerIneligible
			if err := b.writeReferral(ctx, ref, next, "", next.State); err != nil {
				return err
			}
		}
		for i := range h.rewards {
			if err := b.forfeit(ctx, &h.rewards[i]); err != nil {
				return err
			}
		}
		if err := b.settle(ctx, h, before); err != nil {
			return err
		}
	}
	return nil
}

// cancelManual cancels what the participant was given by hand.
func (b *ban) cancelManual(ctx context.Context) error {
	rewards, err := b.e.q.ListUnpaidManualRewardsForUpdate(ctx, b.tx.DB(), db.ListUnpaidManualRewardsForUpdateParams{
		WorkspaceID: b.s.Workspace, ParticipantID: b.id,
	})
	if err != nil {
		return err
	}
	for i := range rewards {
		w := &rewards[i]
		h := &history{}
		if err := b.tx.Load(ctx, b.e.loadProgram(ctx, b.s, w.ProgramID, h)); err != nil {
			return err
		}
		was := w.Reversed
		if err := b.forfeit(ctx, w); err != nil {
			return err
		}
		b.countManual(h, *w, counts{rewardsReversed: w.Reversed - was})
	}
	return nil
}

// bannedNote is the note of what was cancelled with its owner's ban.
const bannedNote = "banned"

// forfeit takes what is left of a reward of the participant that was neither paid nor redeemed.
func (b *ban) forfeit(ctx context.Context, w *db.Reward) error {
	if b.why == "" || w.ParticipantID != b.id || !state.Rewards.Allows(w.State, state.RewardCancelled) {
		return nil
	}
	old, note := *w, b.note
	if b.why == reason.Erased && w.State == state.RewardAvailable && left(old) > 0 {
		b.giveUp(w)
		return b.moveReward(ctx, old, w)
	}
	w.Note, w.Reason, w.Reversed = &note, b.why, w.Granted-w.Redeemed
	b.takeBack(w, left(old), w.Reason)
	return b.moveReward(ctx, old, w)
}

// erasedNote is the note of what was given up with an erasure.
const erasedNote = "erased"

// giveUp ends an available reward that its erased owner has earned and is not paid.
func (r *recorder) giveUp(w *db.Reward) {
	lost, note := left(*w), erasedNote
	w.Note, w.Reason, w.State = &note, reason.Erased, state.RewardExpired
	r.transfer(*w, expire, available, breakage, lost, reason.Erased)
	r.event("reward.expired", "reward", w.ID, amountData(*w, lost))
}

// forfeitReturned takes what came back to a reward of somebody who was banned or erased meanwhile: it is theirs no more than what was found
// then.
func (r *recorder) forfeitReturned(ctx context.Context, w *db.Reward, why reason.Code) error {
	if why == reason.Erased {
		r.giveUp(w)
		return nil
	}
	lost, note := left(*w), bannedNote
	w.Note, w.Reason, w.Reversed = &note, why, w.Granted-w.Redeemed
	r.takeBack(w, lost, w.Reason)
	return r.countForfeit(ctx, *w, lost)
}

// countForfeit counts what a reward has lost besides what its history says.
func (r *recorder) countForfeit(ctx context.Context, reward db.Reward, lost int64) error {
	if reward.ReferralID == nil {
		h := &history{}
		err := r.tx.Load(ctx, r.e.loadProgram(ctx, r.s, reward.ProgramID, h))
		r.countManual(h, reward, counts{rewardsReversed: lost})
		return err
	}
	h, _, err := r.e.loadHistoryOf(ctx, r.tx, r.s, *reward.ReferralID)
	if err != nil {
		return err
	}
	h.tally(-1, r.counts)
	for i := range h.rewards {
		if h.rewards[i].ID == reward.ID {
			h.rewards[i].Reversed = reward.Reversed
		}
	}
	h.tally(1, r.counts)
	return nil
}
