package engine

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// payoutBatch is how many participants one transaction of a run pays, and how many of them an answer names.
const payoutBatch = 1000

// NewPayoutRun is a run that somebody asks for, by the API key By.
type NewPayoutRun struct {
	Currency string
	Note     *string
	By       uuid.UUID
}

// PayoutOutcome is what a run did, or would do. Run is nil after a dry run. Payouts and Skips are in the order of participants. Complete is
// false when a run goes on in the background, or when a dry run came to more participants than it names; its totals count them all.
type PayoutOutcome struct {
	Run      *db.PayoutRun
	Complete bool
	Payouts  []PlannedPayout
	Skips    []db.PayoutSkip

	Count, Amount, Skipped int64
}

// PlannedPayout is one payout of an outcome.
type PlannedPayout struct {
	ParticipantID          uuid.UUID
	Amount, Offset, Number int64
	State                  state.Payout
}

// CreatePayoutRun makes a run, with the payouts of as many participants as one transaction takes; background work goes on with the
// others. Errors: unknown_reference when the currency has no policy.
func (e *Engine) CreatePayoutRun(ctx context.Context, tx *store.Tx, s Scope, n NewPayoutRun) (out PayoutOutcome, err error) {
	policy, err := e.q.GetPayoutPolicyForUpdate(ctx, tx.DB(), db.GetPayoutPolicyForUpdateParams{WorkspaceID: s.Workspace, Currency: n.Currency})
	if err != nil {
		return out, lookUp(err, "/currency", "the payout policy of this currency")
	}
	b := payoutBatchOf{e: e, on: tx.DB(), s: s, policy: policy, lock: true}
	all, after, err := b.decide(ctx, uuid.Nil)
	if err != nil {
		return out, err
	}
	run := db.PayoutRun{
		WorkspaceID: s.Workspace, ID: newID(), PolicyID: policy.ID, Currency: n.Currency, State: state.PayoutRunReady, Note: n.Note,
		CreatedBy: n.By, CreatedAt: s.Now,
	}
	if after != nil {
		run.State, run.AfterParticipantID = state.PayoutRunPreparing, *after
	}
	out.add(policy, all)
	out.Run, out.Complete, run.Skipped = &run, after == nil, out.Skipped
	err = e.q.CreatePayoutRun(ctx, tx.Write(), db.CreatePayoutRunParams(run))
	if err != nil {
		return out, err
	}
	r := e.record(tx, s)
	r.event("payout_run.created", "payout_run", run.ID, payoutRunData(run))
	if run.State == state.PayoutRunReady {
		r.event("payout_run.ready", "payout_run", run.ID, payoutRunData(run))
	}
	if err := r.writePayouts(ctx, run, policy, all); err != nil {
		return out, err
	}
	return out, r.flush(ctx)
}

// PreviewPayoutRun says what CreatePayoutRun would do now, and writes and locks nothing.
func (e *Engine) PreviewPayoutRun(ctx context.Context, on store.DBTX, s Scope, currency string) (out PayoutOutcome, err error) {
	policy, err := e.q.GetPayoutPolicy(ctx, on, db.GetPayoutPolicyParams{WorkspaceID: s.Workspace, Currency: currency})
	if err != nil {
		return out, lookUp(err, "/currency", "the payout policy of this currency")
	}
	b := payoutBatchOf{e: e, on: on, s: s, policy: policy}
	out.Complete = true
	for after := &uuid.Nil; after != nil; {
		var all []candidate
		if all, after, err = b.decide(ctx, *after); err != nil {
			return out, err
		}
		out.add(policy, all)
		out.Complete = out.Complete && after == nil
	}
	return out, nil
}

// add counts candidates, and names the first of them.
func (out *PayoutOutcome) add(policy db.PayoutPolicy, all []candidate) {
	named := len(out.Payouts)+len(out.Skips) == 0
	for _, c := range all {
		if c.Skip != "" {
			out.Skipped++
			if named {
				out.Skips = append(out.Skips, db.PayoutSkip{ParticipantID: c.participant, Reason: c.Skip, Balance: c.balance})
			}
			continue
		}
		out.Count, out.Amount = out.Count+1, out.Amount+c.Amount
		if named {
			out.Payouts = append(out.Payouts, PlannedPayout{c.participant, c.Amount, c.Offset, int64(len(c.rewards)), c.state()})
		}
	}
}

// writePayouts writes what was decided about a batch.
func (r *recorder) writePayouts(ctx context.Context, run db.PayoutRun, policy db.PayoutPolicy, all []candidate) error {
	payouts := db.CreatePayoutsParams{
		WorkspaceID: r.s.Workspace, RunID: run.ID, Currency: run.Currency, Provider: string(policy.Provider),
		Automatic: policy.Provider.Automatic(), CreatedAt: r.s.Now,
	}
	items := db.CreatePayoutItemsParams{WorkspaceID: r.s.Workspace}
	skips := db.CreatePayoutSkipsParams{WorkspaceID: r.s.Workspace, RunID: run.ID}
	var reserved []uuid.UUID
	for _, c := range all {
		if c.Skip != "" {
			skips.ParticipantIds = append(skips.ParticipantIds, c.participant)
			skips.Reasons, skips.Balances = append(skips.Reasons, string(c.Skip)), append(skips.Balances, c.balance)
			continue
		}
		p := db.Payout{
			ID: newID(), RunID: run.ID, ParticipantID: c.participant, Currency: run.Currency, Amount: c.Amount, OffsetAmount: c.Offset,
			State: c.state(), Provider: policy.Provider, Attempt: 1,
		}
		payouts.Ids, payouts.ParticipantIds = append(payouts.Ids, p.ID), append(payouts.ParticipantIds, p.ParticipantID)
		payouts.Amounts, payouts.OffsetAmounts = append(payouts.Amounts, p.Amount), append(payouts.OffsetAmounts, p.OffsetAmount)
		payouts.States = append(payouts.States, string(p.State))
		r.event("payout.created", "payout", p.ID, payoutData(p, ""))
		if p.State == state.PayoutApproved {
			r.event("payout.approved", "payout", p.ID, payoutData(p, "by the policy"))
		}
		for i, w := range c.rewards {
			items.PayoutIds, items.RewardIds = append(items.PayoutIds, p.ID), append(items.RewardIds, w.ID)
			items.Amounts, items.OffsetAmounts = append(items.Amounts, c.Items[i].Amount), append(items.OffsetAmounts, c.Items[i].Offset)
			reserved = append(reserved, w.ID)
			r.reserveReward(w, run.Currency, c.Items[i].Amount)
		}
	}
	return r.queuePayouts(ctx, payouts, items, skips, reserved)
}

func (r *recorder) queuePayouts(
	ctx context.Context, payouts db.CreatePayoutsParams, items db.CreatePayoutItemsParams, skips db.CreatePayoutSkipsParams, rewards []uuid.UUID,
) error {
	if len(skips.Reasons) > 0 {
		if err := r.e.q.CreatePayoutSkips(ctx, r.tx.Write(), skips); err != nil {
			return err
		}
	}
	if len(payouts.Ids) == 0 {
		return nil
	}
	n, err := r.e.q.ReserveRewards(ctx, r.tx.DB(), db.ReserveRewardsParams{WorkspaceID: r.s.Workspace, Ids: rewards})
	if err != nil {
		return err
	}
	if n != int64(len(rewards)) {
		return problem.Internal.Wrap(fmt.Errorf("%d of %d locked rewards were available", n, len(rewards)))
	}
	if err := r.e.q.CreatePayouts(ctx, r.tx.Write(), payouts); err != nil {
		return err
	}
	return r.e.q.CreatePayoutItems(ctx, r.tx.Write(), items)
}

// reserveReward moves what is paid for a reward; the row is written with those of the others.
func (r *recorder) reserveReward(row db.ListPayableRewardsRow, currency string, amount int64) {
	w := db.Reward{
		ID: row.ID, ParticipantID: row.ParticipantID, RuleKey: row.RuleKey, State: state.RewardReserved, Reason: row.Reason, Kind: "money",
		Granted: row.Granted, Reversed: row.Reversed, Currency: currency,
	}
	r.transfer(w, reserve, available, reserved, amount, reason.PaidOut)
	r.event("reward.reserved", "reward", w.ID, rewardData(w))
}

// ApprovePayoutRun approves every draft of a run. Errors: not_found, forbidden, state_not_allowed while the run is being prepared.
func (e *Engine) ApprovePayoutRun(ctx context.Context, tx *store.Tx, s Scope, id, by uuid.UUID) (db.PayoutRun, error) {
	run, err := e.q.GetPayoutRunForUpdate(ctx, tx.DB(), db.GetPayoutRunForUpdateParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return run, store.OrNotFound(err, "the payout run")
	}
	if run.State != state.PayoutRunReady {
		return run, problem.StateNotAllowed.With("the run is still being prepared")
	}
	if err := e.mayApprove(ctx, tx, s, run, by); err != nil {
		return run, err
	}
	rows, err := e.q.ApprovePayouts(ctx, tx.DB(), db.ApprovePayoutsParams{WorkspaceID: s.Workspace, RunID: id, Now: s.Now, Automatic: payable.Webhook})
	if err != nil {
		return run, err
	}
	r := e.record(tx, s)
	for _, p := range rows {
		r.event("payout.approved", "payout", p.ID, payoutData(p, ""))
	}
	return run, r.flush(ctx)
}

// preparePayouts goes on with a run that is not finished, and says whether there was one.
func (e *Engine) preparePayouts(ctx context.Context, tx *store.Tx, s Scope) (bool, error) {
	run, err := e.q.GetPreparingRunForUpdate(ctx, tx.DB(), s.Workspace)
	if err != nil {
		return false, optional(err)
	}
	policy, err := e.q.GetPayoutPolicyForUpdate(ctx, tx.DB(), db.GetPayoutPolicyForUpdateParams{WorkspaceID: s.Workspace, Currency: run.Currency})
	if err != nil {
		return false, err
	}
	b := payoutBatchOf{e: e, on: tx.DB(), s: s, policy: policy, lock: true}
	all, after, err := b.decide(ctx, run.AfterParticipantID)
	if err != nil {
		return false, err
	}
	var out PayoutOutcome
	out.add(policy, all)
	r := e.record(tx, s)
	if after == nil {
		run.State = state.PayoutRunReady
		r.event("payout_run.ready", "payout_run", run.ID, payoutRunData(run))
	} else {
		run.AfterParticipantID = *after
	}
	if err := e.q.MovePayoutRun(ctx, tx.Guard(), db.MovePayoutRunParams{
		WorkspaceID: s.Workspace, ID: run.ID, State: run.State, AfterParticipantID: run.AfterParticipantID, Skipped: out.Skipped,
	}); err != nil {
		return false, err
	}
	if err := r.writePayouts(ctx, run, policy, all); err != nil {
		return false, err
	}
	return true, r.flush(ctx)
}

type payoutRunEvent struct {
	Currency string          `json:"currency"`
	State    state.PayoutRun `json:"state"`
	Note     *string         `json:"note,omitempty"`
	By       uuid.UUID       `json:"created_by"`
}

func payoutRunData(run db.PayoutRun) payoutRunEvent {
	return payoutRunEvent{run.Currency, run.State, run.Note, run.CreatedBy}
}
