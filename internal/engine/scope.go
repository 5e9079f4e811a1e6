package engine

import (
	"time"

	"github.com/grapevine-referrals/grapevine/gen/db"
)

// ScopeOf says when work for a workspace happens, given the wall clock: a test workspace whose clock was moved stands still at that time.
func ScopeOf(w db.Workspace, wall time.Time) Scope {
	s := Scope{Workspace: w.WorkspaceID, Test: w.Mode == "test", HashKey: w.HashKey, Now: wall.UTC().Truncate(time.Microsecond), MaxPast: DefaultMaxPast}
	if w.ClockAt != nil {
		s.Now = w.ClockAt.UTC()
	}
	return s
}
