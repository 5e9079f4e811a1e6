package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// keyOf names an attempt of the payout to the provider.
func (w *payoutWork) keyOf(attempt int64) string {
	return w.ID.String() + "_" + strconv.FormatInt(attempt, 10)
}

// wasSubmitted says whether a key names an attempt that was submitted: an earlier one, or the present one if that has been.
func (w *payoutWork) wasSubmitted(key string) bool {
	_, number, _ := strings.Cut(key, "_")
	n, err := strconv.ParseInt(number, 10, 64)
	return err == nil && n > 0 && key == w.keyOf(n) && (n < w.Attempt || key == deref(w.ProviderKey))
}

// MarkPayoutPaid records that the provider has paid. Key, if given, says which attempt succeeded. It may be one that was given up, as long
// as none is under way since: then the payout goes along all the arrows between at once. Errors: not_found, state_not_allowed.
func (e *Engine) MarkPayoutPaid(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, reference string, key *string) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error {
		if key != nil && !w.wasSubmitted(*key) {
			return problem.StateNotAllowed.With("the payout has no such attempt")
		}
		if w.State == state.PayoutPaid && deref(w.ProviderReference) == reference && (key == nil || *key == deref(w.ProviderKey)) {
			return nil // known
		}
		if w.State != state.PayoutSubmitted && key != nil {
			if err := w.late(*key); err != nil {
				return err
			}
		} else if key != nil && *key != deref(w.ProviderKey) {
			return problem.StateNotAllowed.With("another attempt is under way: report that one first")
		}
		return w.pay(ctx, reference)
	})
}

// late takes a payout that was given up to where it is submitted, by the attempt that succeeded after all. Attempts are counted on from
// the last one all the same, so that no key is ever given twice.
func (w *payoutWork) late(key string) error {
	const note = "paid after all"
	if w.State == state.PayoutFailed {
		if err := w.to(state.PayoutDraft, "payout.retried", note); err != nil {
			return err
		}
	}
	if w.State == state.PayoutDraft {
		if err := w.approve(note); err != nil {
			return err
		}
	}
	if w.State != state.PayoutApproved {
		return w.notAllowed("be paid")
	}
	w.ProviderKey = &key
	return w.to(state.PayoutSubmitted, "payout.submitted", note)
}

func (w *payoutWork) pay(ctx context.Context, reference string) error {
	w.ProviderReference, w.PaidAt, w.Note = &reference, &w.s.Now, nil
	if err := w.to(state.PayoutPaid, "payout.paid", ""); err != nil {
		return err
	}
	return w.moveRewards(ctx, state.RewardPaid, "reward.paid", pay, reserved, cash)
}

// moveRewards moves every reward of the payout to a state, and what it pays for it to an account.
func (w *payoutWork) moveRewards(ctx context.Context, to state.Reward, event, recipe, fromKind, toKind string) error {
	_, rows, err := w.lockRewards(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		reward := row.Reward
		reward.State = to
		w.transfer(reward, recipe, fromKind, toKind, row.Amount, reason.PaidOut)
		w.event(event, "reward", reward.ID, rewardData(reward))
		if err := w.moveReward(ctx, row.Reward, &reward); err != nil {
			return err
		}
	}
	return nil
}

// FailPayout records that the provider has not paid. Errors: not_found, state_not_allowed.
func (e *Engine) FailPayout(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string, key *string) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error {
		if key != nil && *key != deref(w.ProviderKey) {
			return problem.StateNotAllowed.With("this is not the attempt that is under way")
		}
		return w.fail(note)
	})
}

func (w *payoutWork) fail(note string) error {
	w.Note = &note
	return w.to(state.PayoutFailed, "payout.failed", note)
}

// ReturnPayout records that what was paid came back. Errors: not_found, state_not_allowed.
func (e *Engine) ReturnPayout(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string, key *string) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error {
		if key != nil && *key != deref(w.ProviderKey) {
			return problem.StateNotAllowed.With("this is not the attempt that was paid")
		}
		w.Note = &note
		if err := w.to(state.PayoutReturned, "payout.returned", note); err != nil {
			return err
		}
		return w.moveRewards(ctx, state.RewardReserved, "reward.reserved", comeBack, cash, reserved)
	})
}

// RetryPayout makes a failed or returned payout a draft again. It is a new attempt to the provider, unless nobody knows what became of
// the last one: then the provider gets the same key again, and sees whether it has paid. Errors: not_found, state_not_allowed.
func (e *Engine) RetryPayout(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (db.Payout, error) {
	return e.changePayout(ctx, tx, s, id, func(w *payoutWork) error {
		if w.Tries < mostTries {
			w.Attempt++
		}
		w.Tries = 0
		return w.to(state.PayoutDraft, "payout.retried", "")
	})
}
