package doctor

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/engine"
)

// logIsWhole walks along the chain of every workspace.
func logIsWhole(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT workspace_id FROM workspaces ORDER BY workspace_id`)
	if err != nil {
		return nil, err
	}
	workspaces, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	var findings []string
	e := engine.New(nil)
	for _, workspace := range workspaces {
		v := engine.LogVerification{}
		for !v.Complete && v.Fault == "" {
			if v, err = e.VerifyLog(ctx, tx, workspace, v.Seq+1); err != nil {
				return nil, err
			}
		}
		if v.Fault != "" {
			findings = append(findings, fmt.Sprintf(
				"workspace %s: the log is broken from number %d of %d on (%s), and what follows cannot be verified", workspace, v.FirstBroken, v.Sealed, v.Fault))
		}
	}
	return findings, nil
}
