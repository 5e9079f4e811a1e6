package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// What the operator does at the command line, outside any request.

// NewKey is a key to make. A secret key without scopes gets all of them.
type NewKey struct {
	Name      string
	Kind      apikey.Kind
	Scopes    []string
	ExpiresAt *time.Time
}

// CreateKey makes a key of a workspace and gives its text, which nobody can read again.
func CreateKey(ctx context.Context, st *store.Store, e *engine.Engine, w db.Workspace, n NewKey) (string, error) {
	switch {
	case n.Kind == apikey.Publishable && len(n.Scopes) > 0:
		return "", errors.New("a publishable key has no scopes to choose")
	case n.Kind == apikey.Publishable:
		n.Scopes = []string{publishableScope}
	case n.Kind != apikey.Secret:
		return "", errors.New("a key is secret or publishable")
	case len(n.Scopes) == 0:
		n.Scopes = allScopes()
	}
	for _, s := range n.Scopes {
		if !api.Scope(s).Valid() {
			return "", errors.New("there is no scope " + s)
		}
	}
	slices.Sort(n.Scopes)
	now := wallClock()
	if n.ExpiresAt = engine.InMicroseconds(n.ExpiresAt); n.ExpiresAt != nil && !n.ExpiresAt.After(now) {
		return "", errors.New("a key must expire in the future")
	}
	key := apikey.New(apikey.Mode(w.Mode), n.Kind, w.WorkspaceID, uuid.Must(uuid.NewV7()))
	err := st.InTx(ctx, w.WorkspaceID, func(ctx context.Context, tx *store.Tx) error {
		return e.CreateAPIKey(ctx, tx, engine.ScopeOf(w, time.Now()), keyRow(key, n.Name, n.Scopes, n.ExpiresAt, now))
	})
	return key.Text(), err
}

// RevokeKey ends a key. Servers that have just seen it accept it for up to keyLifetime more.
func RevokeKey(ctx context.Context, st *store.Store, e *engine.Engine, w db.Workspace, id uuid.UUID) error {
	return st.InTx(ctx, w.WorkspaceID, func(ctx context.Context, tx *store.Tx) error {
		_, err := e.RevokeAPIKey(ctx, tx, engine.ScopeOf(w, time.Now()), id, wallClock())
		return err
	})
}
