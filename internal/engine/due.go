package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Due work is not in a queue of its own: the rows that wait carry the date on which they are due, and an index finds them.

// dueBatch bounds how much one transaction of background work locks.
const dueBatch = 100

// MatureRewards makes a batch of rewards available whose hold is over, and says how many. Rewards that another process has
// locked are left to it.
func (e *Engine) MatureRewards(ctx context.Context, tx *store.Tx, s Scope) (int, error) {
	due, err := e.q.ListRewardsToMature(ctx, tx.DB(), db.ListRewardsToMatureParams{WorkspaceID: s.Workspace, Now: s.Now, PageLimit: dueBatch})
	if err != nil {
		return 0, err
	}
	r := e.record(tx, s)
	for i := range due {
		old := due[i]
		r.matureIfDue(&due[i])
		if err := r.moveReward(ctx, old, &due[i]); err != nil {
			return 0, err
		}
	}
	return len(due), r.flush(ctx)
}

// ExpireRewards ends a batch of available rewards whose time is over, and says how many. Rewards that another process has locked are
// left to it.
func (e *Engine) ExpireRewards(ctx context.Context, tx *store.Tx, s Scope) (int, error) {
	due, err := e.q.ListRewardsToExpire(ctx, tx.DB(), db.ListRewardsToExpireParams{WorkspaceID: s.Workspace, Now: &s.Now, PageLimit: dueBatch})
	if err != nil {
		return 0, err
	}
	r := e.record(tx, s)
	for i := range due {
		old := due[i]
		r.expireIfDue(&due[i])
		if err := r.moveReward(ctx, old, &due[i]); err != nil {
			return 0, err
		}
	}
	return len(due), r.flush(ctx)
}

// expireReferral closes the next referral whose qualification window is over, after another; it settles the referee like every
// other change. It gives the referral, nil when there is none, and whether it moved: one that another process was faster with does
// not.
func (e *Engine) expireReferral(ctx context.Context, tx *store.Tx, s Scope, after db.GetReferralToExpireRow) (
	found *db.GetReferralToExpireRow, moved bool, err error,
) {
	next, err := e.q.GetReferralToExpire(ctx, tx.DB(), db.GetReferralToExpireParams{
		WorkspaceID: s.Workspace, Now: s.Now, AfterQualifyBy: after.QualifyBy, AfterID: after.ID,
	})
	if err != nil {
		return nil, false, optional(err)
	}
	h, ref, err := e.loadHistoryOf(ctx, tx, s, next.ID)
	if err != nil {
		return nil, false, err
	}
	was := ref.State
	r := e.record(tx, s)
	if err := r.settle(ctx, h, h.mark()); err != nil {
		return nil, false, err
	}
	return &next, ref.State != was, r.flush(ctx)
}

// Due says how much background work was done.
type Due struct {
	Resettled int // sales
	// lapsed are the rewards that expired, expired the referrals
	Matured, Lapsed, Expired, Rated, Payouts, Priced, Erased, Sealed int
}

// RunDue does everything that is due in a workspace, batch by batch, each in a transaction of its own. Where nothing is due, as
// nearly always, that is one plain read.
func (e *Engine) RunDue(ctx context.Context, st *store.Store, s Scope) (done Due, err error) {
	due, err := e.q.ListDueWork(ctx, st.DB(s.Workspace), db.ListDueWorkParams{WorkspaceID: s.Workspace, Now: s.Now})
	if err != nil || len(due) == 0 {
		return done, err
	}
	if slices.ContainsFunc(due, func(w db.ListDueWorkRow) bool { return w.ByClock }) {
		err = e.runDated(ctx, st, s, &done)
	}
	var unsealed error
	done.Sealed, unsealed = e.SealEvents(ctx, st, s.Workspace) // last, with what was just written
	return done, errors.Join(err, unsealed)
}

// runDated does what goes by the workspace's clock. What fails keeps nothing else from being done.
func (e *Engine) runDated(ctx context.Context, st *store.Store, s Scope, done *Due) error {
	var failed [6]error
	failed[0] = e.runDates(ctx, st, s, done)
	done.Resettled, failed[1] = e.resettleAll(ctx, st, s)
	done.Priced, failed[2] = e.PriceConversions(ctx, st, s, math.MaxInt)
	done.Rated, failed[3] = e.closeTierPeriods(ctx, st, s)
	done.Payouts, failed[4] = e.runPayouts(ctx, st, s)
	done.Erased, failed[5] = e.finishErasures(ctx, st, s)
	return errors.Join(failed[:]...)
}

// runDates moves the rewards and referrals whose date has come.
func (e *Engine) runDates(ctx context.Context, st *store.Store, s Scope, done *Due) error {
	var last db.GetReferralToExpireRow // passed by, so that one which does not move holds up no other
	for {
		var n, lapsed int
		var next *db.GetReferralToExpireRow
		var expired bool
		err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = e.MatureRewards(ctx, tx, s)
			return err
		})
		if err == nil {
			err = st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
				lapsed, err = e.ExpireRewards(ctx, tx, s)
				return err
			})
		}
		if err == nil {
			err = st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
				next, expired, err = e.expireReferral(ctx, tx, s, last)
				return err
			})
		}
		if err != nil {
			return err
		}
		done.Matured += n
		done.Lapsed += lapsed
		if expired {
			done.Expired++
		}
		if next != nil {
			last = *next
		}
		if n == 0 && lapsed == 0 && next == nil {
			return nil
		}
	}
}

// MoveClock moves the clock of a test workspace forward; it stands at that time from then on. Errors: state_not_allowed in a
// live workspace, and when the time lies before the clock or more than ten years ahead of it.
func (e *Engine) MoveClock(ctx context.Context, tx *store.Tx, s Scope, to time.Time) (db.Workspace, error) {
	w, err := e.q.GetWorkspaceForUpdate(ctx, tx.DB(), s.Workspace)
	if err != nil {
		return w, err
	}
	if w.Mode != "test" {
		return w, problem.StateNotAllowed.With("only a test workspace has a clock that can be moved")
	}
	now := s.Now
	if w.ClockAt != nil {
		now = w.ClockAt.UTC()
	}
	to = to.UTC().Truncate(time.Microsecond)
	if to.Before(now) {
		return w, problem.StateNotAllowed.With("the clock stands at " + now.Format(time.RFC3339Nano) + " and only moves forward")
	}
	if to.After(now.AddDate(10, 0, 0)) || to.Year() >= 2100 {
		return w, problem.StateNotAllowed.With("the clock moves at most ten years at a time, and never past 2099")
	}
	if err := e.q.SetClock(ctx, tx.Guard(), db.SetClockParams{WorkspaceID: s.Workspace, ClockAt: &to}); err != nil {
		return w, err
	}
	w.ClockAt = &to
	s.Now = to
	r := e.record(tx, s)
	r.event("clock.moved", "workspace", s.Workspace, struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	}{now, to})
	return w, r.flush(ctx)
}
