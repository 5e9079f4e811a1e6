package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Settlements asks the engine to settle every referee again; whatever would change is a finding. One referee is locked at a time,
// for a moment, and nothing is written.
func Settlements(ctx context.Context, conn *pgx.Conn, st *store.Store, e *engine.Engine, now time.Time) ([]Finding, error) {
	rows, err := conn.Query(ctx, `
		SELECT DISTINCT r.workspace_id, coalesce(w.clock_at, $1::timestamptz), r.program_id, p.external_id
		FROM referrals AS r
		JOIN workspaces AS w ON w.workspace_id = r.workspace_id
		JOIN participants AS p ON p.workspace_id = r.workspace_id AND p.id = r.referee_id
		ORDER BY 1, 3, 4`, now)
	if err != nil {
		return nil, fmt.Errorf("doctor: settlements: %w", err)
	}
	type subject struct {
		Workspace uuid.UUID
		Now       time.Time
		Program   uuid.UUID
		Referee   string
	}
	subjects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[subject])
	if err != nil {
		return nil, fmt.Errorf("doctor: settlements: %w", err)
	}
	var findings []Finding
	for _, s := range subjects {
		changes, err := e.Unsettled(ctx, st, engine.Scope{Workspace: s.Workspace, Now: s.Now.UTC()}, s.Program, s.Referee)
		if err != nil {
			return findings, fmt.Errorf("doctor: settlements: %w", err)
		}
		for _, change := range changes {
			findings = append(findings, Finding{Check: "settlements", Text: fmt.Sprintf("workspace %s: the facts ask for %s", s.Workspace, change)})
		}
	}
	return findings, nil
}
