package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/payout"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// handlers answers the operations of the contract; see doc.go for how one is written.
type handlers struct {
	system

	q      *db.Queries
	store  *store.Store
	engine *engine.Engine
	clicks *clicks.Clicks
	edge   *Server
}

// New makes a server on a store.
func New(o Options, st *store.Store) (*Server, error) {
	if o.Ready == nil {
		o.Ready = st.Ping
	}
	q := db.New()
	load := func(ctx context.Context, workspaceID, keyID uuid.UUID) (storedKey, error) {
		return q.GetAPIKeyWithWorkspace(ctx, st.DB(workspaceID), db.GetAPIKeyWithWorkspaceParams{WorkspaceID: workspaceID, ID: keyID})
	}
	return newServer(o, load, func(s *Server) api.StrictServerInterface {
		s.metrics.watchPool(st.Stat)
		c := clicks.New(st, s.log)
		s.clicks, s.stops = c, append(s.stops, c.Stop)
		s.metrics.registry.MustRegister(c.Metrics()...)
		e := engine.New(s.log).PayThrough(payout.New(o.AllowPrivateTargets))
		return handlers{system: s.system(), q: q, store: st, engine: e, clicks: c, edge: s}
	})
}
