package server

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// publishableScope is the one scope of every publishable key; what else such keys may do, the contract says with each operation.
const publishableScope = string(api.ScopeClicksWrite)

// allScopes lists what a secret key can be allowed: write, which implies read, of everything.
func allScopes() []string {
	return []string{
		string(api.ScopeProgramsWrite), string(api.ScopeParticipantsWrite), string(api.ScopeCodesWrite), string(api.ScopeClicksWrite),
		string(api.ScopeSignupsWrite), string(api.ScopeConversionsWrite), string(api.ScopeReferralsWrite), string(api.ScopeDecisionsWrite),
		string(api.ScopeRewardsWrite), string(api.ScopeLedgerWrite), string(api.ScopeEventsWrite), string(api.ScopeKeysWrite),
		string(api.ScopeClockWrite), string(api.ScopeRatesWrite), string(api.ScopePayoutsWrite), string(api.ScopePayoutsApprove),
		string(api.ScopePrivacyWrite),
	}
}

// keyRow is what is stored of a key.
func keyRow(key apikey.Key, name string, scopes []string, expiresAt *time.Time, now time.Time) db.APIKey {
	return db.APIKey{
		WorkspaceID: key.WorkspaceID, ID: key.ID, Name: name, Kind: string(key.Kind), Prefix: key.Prefix(), LastFour: key.LastFour(),
		SecretHash: key.Hash(), Scopes: scopes, ExpiresAt: expiresAt, CreatedAt: now,
	}
}

// CreateAPIKey makes a key; its secret is in the first answer only.
func (h handlers) CreateAPIKey(ctx context.Context, req api.CreateAPIKeyRequestObject) (api.CreateAPIKeyResponseObject, error) {
	p := principalFrom(ctx)
	return onceSecret(ctx, h.store, api.CreateAPIKeyResponseObject.VisitCreateAPIKeyResponse,
		func(ctx context.Context, tx *store.Tx) (answer, replay api.CreateAPIKeyResponseObject, err error) {
			now := wallClock()
			scopes, err := grantedScopes(p, *req.Body, now)
			if err != nil {
				return nil, nil, err
			}
			key := apikey.New(apikey.Mode(p.Mode), apikey.Kind(req.Body.Kind), p.WorkspaceID, uuid.Must(uuid.NewV7()))
			row := keyRow(key, req.Body.Name, scopes, engine.InMicroseconds(req.Body.ExpiresAt), now)
			if err := h.engine.CreateAPIKey(ctx, tx, h.scope(ctx), row); err != nil {
				return nil, nil, err
			}
			first := api.CreateAPIKey201JSONResponse{
				Headers: api.CreateAPIKey201ResponseHeaders{Location: "/v1/api-keys/" + row.ID.String()},
				Body:    api.IssuedAPIKey{APIKey: toAPIKey(row, p.Mode), Secret: nullable.NewNullableWithValue(key.Text())},
			}
			again := first
			again.Body.Secret, again.Body.SecretAlreadyShown = nullable.NewNullNullable[string](), true
			return first, again, nil
		})
}

// grantedScopes says which scopes a new key gets. It gets none that the key which makes it lacks, so that a leaked key of few
// scopes cannot make itself one of many.
func grantedScopes(p Principal, n api.NewAPIKey, now time.Time) ([]string, error) {
	scopes := make([]string, 0, len(n.Scopes))
	for _, s := range n.Scopes {
		scopes = append(scopes, string(s))
	}
	publishable := n.Kind == api.APIKeyKindPublishable
	switch {
	case publishable && len(scopes) == 0:
		scopes = []string{publishableScope}
	case publishable && (len(scopes) != 1 || scopes[0] != publishableScope):
		return nil, invalid("/scopes", "of a publishable key are "+publishableScope+" only")
	case len(scopes) == 0:
		return nil, invalid("/scopes", "of a secret key are at least one")
	case n.ExpiresAt != nil && !n.ExpiresAt.After(now):
		return nil, invalid("/expires_at", "must be in the future")
	}
	for _, s := range scopes {
		if !p.allows(s) {
			return nil, problem.Forbidden.With("The key cannot pass on the scope " + s + ", which it lacks.")
		}
	}
	slices.Sort(scopes)
	return scopes, nil
}

// invalid is the refusal of one field for what the contract cannot say of it.
func invalid(pointer, message string) error {
	return problem.ValidationFailed.With(pointer + " " + message + ".").WithErrors([]problem.FieldError{{Pointer: pointer, Message: message}})
}

// RevokeAPIKey ends a key. This process refuses it from the commit on, others within the time that they keep keys.
func (h handlers) RevokeAPIKey(ctx context.Context, req api.RevokeAPIKeyRequestObject) (api.RevokeAPIKeyResponseObject, error) {
	p := principalFrom(ctx)
	return once(ctx, h.store, api.RevokeAPIKeyResponseObject.VisitRevokeAPIKeyResponse,
		func(ctx context.Context, tx *store.Tx) (api.RevokeAPIKeyResponseObject, error) {
			row, err := h.engine.RevokeAPIKey(ctx, tx, h.scope(ctx), req.APIKeyID, wallClock())
			if err != nil {
				return nil, err
			}
			tx.OnCommit(func() { h.edge.auth.forget(p.WorkspaceID, row.ID) })
			return api.RevokeAPIKey200JSONResponse{Body: toAPIKey(row, p.Mode)}, nil
		})
}

func (h handlers) GetAPIKey(ctx context.Context, req api.GetAPIKeyRequestObject) (api.GetAPIKeyResponseObject, error) {
	p := principalFrom(ctx)
	row, err := h.q.GetAPIKey(ctx, h.store.DB(p.WorkspaceID), db.GetAPIKeyParams{WorkspaceID: p.WorkspaceID, ID: req.APIKeyID})
	if err != nil {
		return nil, store.OrNotFound(err, "the key")
	}
	return api.GetAPIKey200JSONResponse{Body: toAPIKey(row, p.Mode)}, nil
}

// ListAPIKeys lists keys, newest first.
func (h handlers) ListAPIKeys(ctx context.Context, req api.ListAPIKeysRequestObject) (api.ListAPIKeysResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p := principalFrom(ctx)
	rows, err := h.q.ListAPIKeys(ctx, h.store.DB(p.WorkspaceID), db.ListAPIKeysParams{WorkspaceID: p.WorkspaceID, Before: before, PageLimit: most + 1})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.APIKey) uuid.UUID { return r.ID })
	page := api.APIKeyPage{Data: []api.APIKey{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, toAPIKey(r, p.Mode))
	}
	return api.ListAPIKeys200JSONResponse{Body: page}, nil
}

func toAPIKey(r db.APIKey, mode Mode) api.APIKey {
	scopes := make(api.Scopes, 0, len(r.Scopes))
	for _, s := range r.Scopes {
		scopes = append(scopes, api.Scope(s))
	}
	return api.APIKey{
		ID: r.ID, Name: r.Name, Kind: api.APIKeyKind(r.Kind), Mode: api.WorkspaceMode(mode), Prefix: r.Prefix, LastFour: r.LastFour,
		Scopes: scopes, ExpiresAt: orNullTime(r.ExpiresAt), RevokedAt: orNullTime(r.RevokedAt), CreatedAt: r.CreatedAt.UTC(),
	}
}
