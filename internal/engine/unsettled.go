package engine

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Unsettled says what settling a referee again would change: nothing, when what is stored agrees with the facts. It works like
// every settlement, locks included, and takes everything back. What only the clock asks for is not told: that is due work, not
// disagreement.
func (e *Engine) Unsettled(ctx context.Context, st *store.Store, s Scope, program uuid.UUID, refereeExternalID string) ([]string, error) {
	var changes []string
	err := preview(ctx, st, s, func(ctx context.Context, tx *store.Tx) error {
		changes = nil
		h, err := e.loadHistory(ctx, tx, s, program, referee{ExternalID: refereeExternalID})
		if err != nil {
			return err
		}
		waits, err := e.q.HasResettlements(ctx, tx.DB(), db.HasResettlementsParams{WorkspaceID: s.Workspace, ProgramID: program})
		if err != nil {
			return err
		}
		h.newTree = !waits
		r := e.record(tx, s)
		if err := r.settle(ctx, h, h.mark()); err != nil {
			return err
		}
		for _, ev := range r.events {
			if ev.kind != "referral.expired" {
				changes = append(changes, fmt.Sprintf("%s for %s", ev.kind, ev.id))
			}
		}
		return nil
	})
	return changes, err
}
