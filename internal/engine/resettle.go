package engine

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// A change of the tree for a time that has passed, such as a signup that is told late, changes who was above the sales of that
// time. Those below the participant whose referrer changed are settled again, one after the other, as due work.

// resettlePage bounds how many sales one transaction looks at; it settles one referee at most.
const resettlePage = 500

// secondLook is when sales are looked for again that were being written while the tree changed, and did not see the change.
const secondLook = time.Minute

// loadReach asks whether the referee is a referrer in the program, and whether it ever was, so that a change above it touches sales.
// Whether there are any is not asked: one may be on its way.
func (e *Engine) loadReach(ctx context.Context, s Scope, h *history) load {
	return func(tx store.DBTX) error {
		row, err := e.q.GetReach(ctx, tx, db.GetReachParams{WorkspaceID: s.Workspace, ProgramID: h.program.ID, ParticipantID: h.referee.ID})
		h.reach = &row
		return err
	}
}

// treeEnd is until when a referral is part of the tree, as things stand; nil is for ever. One that waits to qualify is part of it
// until its window is over, whether that is noticed yet or not.
func treeEnd(ref db.Referral) *time.Time {
	if ref.State == state.ReferralAttributed {
		return &ref.QualifyBy
	}
	return ref.EndedAt
}

// holdsFrom is from when a referral is part of the tree. A person who gives a referee to somebody else does so from then on: the sales
// before stay with those who were above them.
func holdsFrom(ref db.Referral) time.Time {
	if ref.HoldsFrom != nil {
		return *ref.HoldsFrom
	}
	return ref.AttributedAt
}

// treeChanged asks for sales to be settled again when a referral ends, or goes on, from a moment that has passed.
func (r *recorder) treeChanged(ctx context.Context, old, next db.Referral) error {
	since, end := treeEnd(old), treeEnd(next)
	if sameTime(since, end) {
		return nil
	}
	if since == nil || end != nil && end.Before(*since) {
		since = end
	}
	if !since.Before(r.s.Now) {
		return nil
	}
	reach, err := r.e.q.GetReach(ctx, r.tx.DB(), db.GetReachParams{
		WorkspaceID: r.s.Workspace, ProgramID: next.ProgramID, ParticipantID: next.RefereeID,
	})
	if err != nil || !reach.Referred {
		return err
	}
	return r.resettleLater(ctx, next, *since)
}

func (r *recorder) resettleLater(ctx context.Context, ref db.Referral, since time.Time) error {
	return r.e.q.CreateResettlements(ctx, r.tx.Write(), db.CreateResettlementsParams{
		WorkspaceID: r.s.Workspace, ProgramID: ref.ProgramID, ParticipantID: ref.RefereeID, Since: since,
		DueAts: []time.Time{r.s.Now, r.s.Now.Add(secondLook)},
	})
}

// resettle does a step of what is due: it settles the next sale below the participant again, or ends. It says whether there was
// anything to do, and whether a sale was settled.
func (e *Engine) resettle(ctx context.Context, tx *store.Tx, s Scope) (more, settled bool, err error) {
	w, err := e.q.GetResettlementForUpdate(ctx, tx.DB(), db.GetResettlementForUpdateParams{WorkspaceID: s.Workspace, Now: s.Now})
	if err != nil {
		return false, false, optional(err)
	}
	member, err := json.Marshal([]map[string]uuid.UUID{{"participant_id": w.ParticipantID}})
	if err != nil {
		return false, false, err
	}
	sales, err := e.q.ListSalesAfter(ctx, tx.DB(), db.ListSalesAfterParams{
		WorkspaceID: s.Workspace, ProgramID: w.ProgramID, ParticipantID: w.ParticipantID, Member: member, Since: w.Since, AfterID: w.AfterID,
		PageLimit: resettlePage,
	})
	if err != nil {
		return false, false, err
	}
	at := slices.IndexFunc(sales, func(row db.ListSalesAfterRow) bool { return row.Below })
	if at < 0 && len(sales) < resettlePage {
		return true, false, e.q.DeleteResettlement(ctx, tx.Guard(), db.DeleteResettlementParams{
			WorkspaceID: w.WorkspaceID, ProgramID: w.ProgramID, ParticipantID: w.ParticipantID, DueAt: w.DueAt,
		})
	}
	r := e.record(tx, s)
	if at < 0 {
		at = len(sales) - 1
	} else if err := r.resettleReferee(ctx, w.ProgramID, sales[at].RefereeExternalID); err != nil {
		return false, false, err
	}
	if err := e.q.MoveResettlement(ctx, tx.Guard(), db.MoveResettlementParams{
		WorkspaceID: w.WorkspaceID, ProgramID: w.ProgramID, ParticipantID: w.ParticipantID, DueAt: w.DueAt, Since: sales[at].OccurredAt,
		AfterID: sales[at].ID,
	}); err != nil {
		return false, false, err
	}
	return true, sales[at].Below, r.flush(ctx)
}

func (r *recorder) resettleReferee(ctx context.Context, program uuid.UUID, externalID string) error {
	h, err := r.e.loadHistory(ctx, r.tx, r.s, program, referee{ExternalID: externalID})
	if err != nil {
		return err
	}
	h.newTree = true
	return r.settle(ctx, h, h.mark())
}

// resettleAll does all that is due, each step in a transaction of its own, and says how many sales were settled.
func (e *Engine) resettleAll(ctx context.Context, st *store.Store, s Scope) (done int, err error) {
	for more := true; more && err == nil; {
		err = st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) error {
			var settled bool
			var err error
			if more, settled, err = e.resettle(ctx, tx, s); settled {
				done++
			}
			return err
		})
	}
	return done, err
}
