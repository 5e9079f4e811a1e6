package clicks

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// mostFolded bounds the batches of one folding transaction: enough to be quick, few enough to be done long before the statement
// timeout.
const mostFolded = 500

// Fold adds committed clicks of a workspace to the statistics, in one transaction, and reports whether there is more to fold. Any
// number of processes may call it at any time: all but one find nothing to do.
func Fold(ctx context.Context, s *store.Store, workspaceID uuid.UUID) (more bool, err error) {
	for limit := int32(mostFolded); ; limit = max(limit/10, 1) {
		more, err = foldSome(ctx, s, workspaceID, limit)
		if !errors.Is(err, problem.Overloaded) || limit == 1 {
			return more, err
		}
		// Batches so large that folding this many takes longer than a statement may must not stop it for good.
	}
}

func foldSome(ctx context.Context, s *store.Store, workspaceID uuid.UUID, limit int32) (more bool, err error) {
	q := db.New()
	err = s.InTx(ctx, workspaceID, func(ctx context.Context, tx *store.Tx) error {
		return tx.Load(ctx, func(tx store.DBTX) error {
			if _, err := q.LockWorkspaceForFolding(ctx, tx, workspaceID); err != nil {
				more = false
				if errors.Is(err, store.ErrNoRows) { // somebody else is at it
					return nil
				}
				return err
			}
			folded, err := q.FoldClicks(ctx, tx, db.FoldClicksParams{WorkspaceID: workspaceID, BatchLimit: limit})
			more = folded == int64(limit)
			return err
		})
	})
	return more, err
}
