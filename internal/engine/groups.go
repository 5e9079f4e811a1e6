package engine

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// loadGroups reads which groups the referrers of a history have been in, when its rules tell groups apart. A change is for facts from
// its moment on, so that what was settled by a group stays settled by it.
func (r *recorder) loadGroups(ctx context.Context, h *history) (err error) {
	if !h.tellsGroups() {
		return nil
	}
	h.groups, err = r.e.listGroups(ctx, r.tx.DB(), r.s, h)
	return err
}

func (e *Engine) listGroups(ctx context.Context, on store.DBTX, s Scope, h *history) (map[uuid.UUID]state.Groups, error) {
	ids := []uuid.UUID{}
	for _, ref := range h.referrals {
		ids = append(ids, ref.ReferrerID)
	}
	rows, err := e.q.ListGroupTimelines(ctx, on, db.ListGroupTimelinesParams{WorkspaceID: s.Workspace, ParticipantIds: ids})
	out := map[uuid.UUID]state.Groups{}
	for _, row := range rows {
		out[row.ID] = row.GroupTimeline
	}
	return out, err
}

func (h *history) tellsGroups() bool {
	for _, doc := range h.documents {
		for _, rule := range doc.Rewards {
			if len(rule.Groups) > 0 {
				return true
			}
		}
	}
	return false
}
