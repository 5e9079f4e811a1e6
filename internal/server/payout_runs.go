package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreatePayoutRun makes a run, or says what one would do.
func (h handlers) CreatePayoutRun(ctx context.Context, req api.CreatePayoutRunRequestObject) (api.CreatePayoutRunResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.CreatePayoutRunResponseObject.VisitCreatePayoutRunResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreatePayoutRunResponseObject, error) {
			s := h.scope(ctx)
			if orDefault(b.DryRun, false) {
				out, err := h.engine.PreviewPayoutRun(ctx, tx.DB(), s, b.Currency)
				return api.CreatePayoutRun200JSONResponse{Body: toPayoutOutcome(out, b.Currency)}, err
			}
			out, err := h.engine.CreatePayoutRun(ctx, tx, s, engine.NewPayoutRun{Currency: b.Currency, Note: b.Note, By: principalFrom(ctx).KeyID})
			if err != nil {
				return nil, err
			}
			return api.CreatePayoutRun201JSONResponse{Body: toPayoutOutcome(out, b.Currency), Headers: api.CreatePayoutRun201ResponseHeaders{
				Location: "/v1/payout-runs/" + out.Run.ID.String(),
			}}, nil
		})
}

// ApprovePayoutRun approves the drafts of a run.
func (h handlers) ApprovePayoutRun(ctx context.Context, req api.ApprovePayoutRunRequestObject) (api.ApprovePayoutRunResponseObject, error) {
	return once(ctx, h.store, api.ApprovePayoutRunResponseObject.VisitApprovePayoutRunResponse,
		func(ctx context.Context, tx *store.Tx) (api.ApprovePayoutRunResponseObject, error) {
			s := h.scope(ctx)
			run, err := h.engine.ApprovePayoutRun(ctx, tx, s, req.PayoutRunID, principalFrom(ctx).KeyID)
			if err != nil {
				return nil, err
			}
			runs, err := h.describeRuns(ctx, tx.DB(), s.Workspace, []db.PayoutRun{run})
			if err != nil {
				return nil, err
			}
			return api.ApprovePayoutRun200JSONResponse{Body: runs[0]}, nil
		})
}

func (h handlers) GetPayoutRun(ctx context.Context, req api.GetPayoutRunRequestObject) (api.GetPayoutRunResponseObject, error) {
	ws := h.scope(ctx).Workspace
	run, err := h.q.GetPayoutRun(ctx, h.store.DB(ws), db.GetPayoutRunParams{WorkspaceID: ws, ID: req.PayoutRunID})
	if err != nil {
		return nil, store.OrNotFound(err, "the payout run")
	}
	runs, err := h.describeRuns(ctx, h.store.DB(ws), ws, []db.PayoutRun{run})
	if err != nil {
		return nil, err
	}
	return api.GetPayoutRun200JSONResponse{Body: runs[0]}, nil
}

// ListPayoutRuns lists runs, newest first.
func (h handlers) ListPayoutRuns(ctx context.Context, req api.ListPayoutRunsRequestObject) (api.ListPayoutRunsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListPayoutRuns(ctx, h.store.DB(ws), db.ListPayoutRunsParams{WorkspaceID: ws, Before: before, PageLimit: most + 1})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.PayoutRun) uuid.UUID { return r.ID })
	runs, err := h.describeRuns(ctx, h.store.DB(ws), ws, rows)
	if err != nil {
		return nil, err
	}
	return api.ListPayoutRuns200JSONResponse{Body: api.PayoutRunPage{Data: runs, NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// ListPayoutSkips lists whom a run passed by.
func (h handlers) ListPayoutSkips(ctx context.Context, req api.ListPayoutSkipsRequestObject) (api.ListPayoutSkipsResponseObject, error) {
	most, after, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	if _, err := h.q.GetPayoutRun(ctx, h.store.DB(ws), db.GetPayoutRunParams{WorkspaceID: ws, ID: req.PayoutRunID}); err != nil {
		return nil, store.OrNotFound(err, "the payout run")
	}
	rows, err := h.q.ListPayoutSkips(ctx, h.store.DB(ws), db.ListPayoutSkipsParams{
		WorkspaceID: ws, RunID: req.PayoutRunID, After: after, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.PayoutSkip) uuid.UUID { return r.ParticipantID })
	return api.ListPayoutSkips200JSONResponse{Body: api.PayoutSkipPage{Data: each(rows, toPayoutSkip), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// describeRuns adds the totals of their payouts to runs, in one statement however many they are.
func (h handlers) describeRuns(ctx context.Context, on store.DBTX, ws uuid.UUID, rows []db.PayoutRun) ([]api.PayoutRun, error) {
	ids := make([]uuid.UUID, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	totals, err := h.q.ListPayoutTotalsByRun(ctx, on, db.ListPayoutTotalsByRunParams{WorkspaceID: ws, RunIds: ids})
	if err != nil {
		return nil, err
	}
	out := make([]api.PayoutRun, 0, len(rows))
	for _, r := range rows {
		run := toPayoutRun(r)
		for _, t := range totals {
			if t.RunID == r.ID {
				run.Payouts = append(run.Payouts, api.PayoutStateTotal{State: api.PayoutState(t.State), Count: t.Payouts, Amount: t.Amount})
			}
		}
		out = append(out, run)
	}
	return out, nil
}

func toPayoutRun(r db.PayoutRun) api.PayoutRun {
	return api.PayoutRun{
		ID: r.ID, Currency: r.Currency, State: api.PayoutRunState(r.State), Note: orNull(r.Note), CreatedBy: r.CreatedBy,
		Payouts: []api.PayoutStateTotal{}, Skipped: r.Skipped, CreatedAt: r.CreatedAt.UTC(),
	}
}

func toPayoutOutcome(o engine.PayoutOutcome, currency string) api.PayoutRunOutcome {
	out := api.PayoutRunOutcome{
		DryRun: o.Run == nil, Currency: currency, Complete: o.Complete, Count: o.Count, Amount: o.Amount, SkippedCount: o.Skipped,
		Payouts: []api.PlannedPayout{}, Skipped: each(o.Skips, toPayoutSkip),
	}
	totals := map[api.PayoutState]*api.PayoutStateTotal{}
	for _, p := range o.Payouts {
		st := api.PayoutState(p.State)
		out.Payouts = append(out.Payouts, api.PlannedPayout{
			ParticipantID: p.ParticipantID, Amount: p.Amount, Offset: p.Offset, Rewards: p.Number, State: st,
		})
		if totals[st] == nil {
			totals[st] = &api.PayoutStateTotal{State: st}
		}
		totals[st].Count++
		totals[st].Amount += p.Amount
	}
	if o.Run != nil {
		run := toPayoutRun(*o.Run)
		for _, st := range []api.PayoutState{api.PayoutStateApproved, api.PayoutStateDraft} {
			if t := totals[st]; t != nil {
				run.Payouts = append(run.Payouts, *t)
			}
		}
		out.Run = &run
	}
	return out
}

func toPayoutSkip(r db.PayoutSkip) api.PayoutSkip {
	return api.PayoutSkip{ParticipantID: r.ParticipantID, Reason: api.PayoutSkipReason(r.Reason), Balance: r.Balance}
}
