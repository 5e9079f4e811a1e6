package engine

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// loadGroups reads which groups the referrers of a history have been in, when its rules tell groups apart. A change is for facts from
// its moment on, so that what was settled by a group stays settled by it.
func (r *recorder) loadGroups(ctx context.Context, h *history) error {
	if !h.tellsGroups() {
		return nil
	}
	ids := []uuid.UUID{}
	for _, ref := range h.referrals {
		ids = append(ids, ref.ReferrerID)
	}
	rows, err := r.e.q.ListGroupTimelines(ctx, r.tx.DB(), db.ListGroupTimelinesParams{WorkspaceID: r.s.Workspace, ParticipantIds: ids})
	h.groups = map[uuid.UUID]state.Groups{}
	for _, row := range rows {
		h.groups[row.ID] = row.GroupTimeline
	}
	return err
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
