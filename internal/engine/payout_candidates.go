package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/payable"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// candidate is a participant of a run with the decision about it.
type candidate struct {
	payable.Decision
	participant uuid.UUID
	balance     int64
	rewards     []db.ListPayableRewardsRow
}

func (c candidate) state() state.Payout {
	if c.Approved {
		return state.PayoutApproved
	}
	return state.PayoutDraft
}

// payoutBatchOf reads and decides a batch of participants. With lock, what it has decided about stays as it is until the transaction
// ends.
type payoutBatchOf struct {
	e      *Engine
	on     store.DBTX
	s      Scope
	policy db.PayoutPolicy
	lock   bool
}

// decide decides about the participants after one, and gives the last one when there are more.
func (b payoutBatchOf) decide(ctx context.Context, after uuid.UUID) ([]candidate, *uuid.UUID, error) {
	accounts, err := b.e.q.ListPayableAccounts(ctx, b.on, db.ListPayableAccountsParams{
		WorkspaceID: b.s.Workspace, Currency: b.policy.Currency, After: after, PageLimit: payoutBatch + 1,
	})
	if err != nil || len(accounts) == 0 {
		return nil, nil, err
	}
	var last *uuid.UUID
	if len(accounts) > payoutBatch {
		accounts = accounts[:payoutBatch]
		last = &accounts[payoutBatch-1].ParticipantID
	}
	ids := make([]uuid.UUID, 0, len(accounts))
	for _, a := range accounts {
		ids = append(ids, a.ParticipantID)
	}
	rewards, balances, err := b.owed(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	paid, err := b.paid(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	policy := payable.Policy{Minimum: b.policy.MinimumAmount, Approval: b.policy.Approval, TaxThreshold: b.policy.TaxThreshold}
	if b.policy.ApprovalAmount != nil {
		policy.ApprovalAmount = *b.policy.ApprovalAmount
	}
	var out []candidate
	for _, a := range accounts {
		c := candidate{participant: a.ParticipantID, balance: a.Balance, rewards: rewards[a.ParticipantID]}
		if b.lock {
			c.balance = balances[a.ParticipantID]
		}
		if c.balance == 0 {
			continue // by now
		}
		amounts := make([]int64, 0, len(c.rewards))
		for _, w := range c.rewards {
			amounts = append(amounts, w.Granted-w.Reversed)
		}
		c.Decision = payable.Decide(policy, payable.Candidate{
			State: a.State, Balance: c.balance, Left: amounts, TaxData: a.TaxDataRecordedAt != nil, ThisYear: paid[a.ParticipantID],
		})
		out = append(out, c)
	}
	return out, last, nil
}

// owed reads the available rewards of participants, oldest first, and with lock their balances. Participants are locked before rewards, and these before accounts, as
// everywhere. One that became available in between is in a balance and not among the rewards: then everything is done again.
func (b payoutBatchOf) owed(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]db.ListPayableRewardsRow, map[uuid.UUID]int64, error) {
	rewards, balances := map[uuid.UUID][]db.ListPayableRewardsRow{}, map[uuid.UUID]int64{}
	params := db.ListPayableRewardsParams{WorkspaceID: b.s.Workspace, ParticipantIds: ids, Currency: b.policy.Currency}
	if !b.lock {
		rows, err := b.e.q.ListPayableRewards(ctx, b.on, params)
		for _, w := range rows {
			rewards[w.ParticipantID] = append(rewards[w.ParticipantID], w)
		}
		return rewards, nil, err
	}
	if err := b.e.q.LockPayees(ctx, b.on, db.LockPayeesParams{WorkspaceID: b.s.Workspace, Ids: ids}); err != nil {
		return nil, nil, err
	}
	rows, err := b.e.q.ListPayableRewardsForUpdate(ctx, b.on, db.ListPayableRewardsForUpdateParams(params))
	if err != nil {
		return nil, nil, err
	}
	for _, w := range rows {
		rewards[w.ParticipantID] = append(rewards[w.ParticipantID], db.ListPayableRewardsRow(w))
	}
	locked, err := b.e.q.ListBalancesForUpdate(ctx, b.on, db.ListBalancesForUpdateParams(params))
	if err != nil {
		return nil, nil, err
	}
	for _, a := range locked {
		balances[a.ParticipantID] = a.Balance
	}
	n, err := b.e.q.CountPayableRewards(ctx, b.on, db.CountPayableRewardsParams(params))
	if err == nil && n != int64(len(rows)) {
		err = fmt.Errorf("%d rewards became available meanwhile: %w", n-int64(len(rows)), store.ErrRetry)
	}
	return rewards, balances, err
}

// paid is what participants were paid in the year, where that matters.
func (b payoutBatchOf) paid(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]int64, error) {
	out := map[uuid.UUID]int64{}
	if b.policy.TaxThreshold == nil {
		return out, nil
	}
	from, to := YearOf(b.s.Now.Year())
	rows, err := b.e.q.ListPaidInYear(ctx, b.on, db.ListPaidInYearParams{
		WorkspaceID: b.s.Workspace, ParticipantIds: ids, Currency: b.policy.Currency, FromTime: from, ToTime: to,
	})
	for _, row := range rows {
		out[row.ParticipantID] = row.Amount
	}
	return out, err
}

// YearOf is a calendar year in UTC, half-open: the year of tax totals, which are sums of minor units of what was paid in it.
func YearOf(year int) (from, to time.Time) {
	return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
}
