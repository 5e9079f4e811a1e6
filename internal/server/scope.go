package server

import (
	"context"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/engine"
)

// scope says on whose behalf and when the request works.
func (h handlers) scope(ctx context.Context) engine.Scope {
	s := engine.ScopeOf(requestFrom(ctx).principal.Workspace, time.Now())
	s.MaxPast = h.edge.options.MaxFactAge
	return s
}
