package server

import (
	"context"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// MoveTestClock moves the clock of a test workspace and does everything that is due by then before it answers. The work runs in
// transactions of its own: should it be cut short, background work goes on with it.
func (h handlers) MoveTestClock(ctx context.Context, req api.MoveTestClockRequestObject) (api.MoveTestClockResponseObject, error) {
	s := h.scope(ctx)
	moved, err := once(ctx, h.store, api.MoveTestClockResponseObject.VisitMoveTestClockResponse,
		func(ctx context.Context, tx *store.Tx) (api.MoveTestClockResponseObject, error) {
			tx.OnCommit(func() { h.clicks.Forget(s.Workspace) }) // links are stamped with the new time at once
			w, err := h.engine.MoveClock(ctx, tx, h.scope(ctx), req.Body.Now)
			if err != nil {
				return nil, err
			}
			return api.MoveTestClock200JSONResponse{Body: api.TestClock{Now: w.ClockAt.UTC()}}, nil
		})
	if err != nil {
		return nil, err
	}
	s.Now = moved.(api.MoveTestClock200JSONResponse).Body.Now
	_, err = h.engine.RunDue(ctx, h.store, s)
	return moved, err
}
