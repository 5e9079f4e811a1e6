package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateAPIKey stores a key that the caller made; only the hash of its secret is in the row.
func (e *Engine) CreateAPIKey(ctx context.Context, tx *store.Tx, s Scope, key db.APIKey) error {
	r := e.record(tx, s)
	if err := r.createAPIKey(ctx, key); err != nil {
		return err
	}
	return r.flush(ctx)
}

func (r *recorder) createAPIKey(ctx context.Context, key db.APIKey) error {
	r.event("api_key.created", "api_key", key.ID, struct {
		Kind      string     `json:"kind"`
		Scopes    []string   `json:"scopes"`
		ExpiresAt *time.Time `json:"expires_at"`
	}{key.Kind, key.Scopes, key.ExpiresAt})
	return r.e.q.CreateAPIKey(ctx, r.tx.Write(), db.CreateAPIKeyParams{
		WorkspaceID: key.WorkspaceID, ID: key.ID, Name: key.Name, Kind: key.Kind, Prefix: key.Prefix, LastFour: key.LastFour,
		SecretHash: key.SecretHash, Scopes: key.Scopes, ExpiresAt: key.ExpiresAt, CreatedAt: key.CreatedAt,
	})
}

// RevokeAPIKey ends a key at a time of the wall clock, by which keys live also where the workspace's clock stands still. A revoked
// key stays as it is. Errors: not_found.
func (e *Engine) RevokeAPIKey(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, at time.Time) (db.APIKey, error) {
	var key db.APIKey
	err := tx.Load(ctx, func(tx store.DBTX) (err error) {
		key, err = e.q.RevokeAPIKey(ctx, tx, db.RevokeAPIKeyParams{WorkspaceID: s.Workspace, ID: id, RevokedAt: at})
		return store.OrNotFound(err, "the key")
	})
	if err != nil || !key.RevokedAt.Equal(at) {
		return key, err
	}
	r := e.record(tx, s)
	r.event("api_key.revoked", "api_key", key.ID, struct{}{})
	return key, r.flush(ctx)
}
