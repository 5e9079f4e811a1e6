package server

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Pair is a new pair of workspaces with the texts of their first keys, which nobody can read again.
type Pair struct {
	Live, Test       db.Workspace
	LiveKey, TestKey string
}

// CreateWorkspacePair makes a pair of workspaces outside a request, for the command line.
func CreateWorkspacePair(ctx context.Context, st *store.Store, e *engine.Engine, name string, linkHost *string) (Pair, error) {
	var pair Pair
	err := st.InTx(ctx, OperatorWorkspace, func(ctx context.Context, tx *store.Tx) (err error) {
		pair, err = createPair(ctx, tx, e, name, linkHost)
		return err
	})
	return pair, err
}

func createPair(ctx context.Context, tx *store.Tx, e *engine.Engine, name string, linkHost *string) (Pair, error) {
	now := wallClock()
	texts := map[string]string{}
	made, err := e.CreateWorkspacePair(ctx, tx, now, engine.NewWorkspacePair{
		Name: name, LinkHost: linkHost,
		FirstKey: func(w db.Workspace) db.APIKey {
			key := apikey.New(apikey.Mode(w.Mode), apikey.Secret, w.WorkspaceID, uuid.Must(uuid.NewV7()))
			texts[w.Mode] = key.Text()
			return keyRow(key, "First key", allScopes(), nil, now)
		},
	})
	return Pair{Live: made.Live, Test: made.Test, LiveKey: texts["live"], TestKey: texts["test"]}, err
}

// wallClock is the time by which workspaces and keys live.
func wallClock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// CreateWorkspace makes a pair of workspaces; the keys are in the first answer only.
func (h handlers) CreateWorkspace(ctx context.Context, req api.CreateWorkspaceRequestObject) (api.CreateWorkspaceResponseObject, error) {
	return onceSecret(ctx, h.store, api.CreateWorkspaceResponseObject.VisitCreateWorkspaceResponse,
		func(ctx context.Context, tx *store.Tx) (answer, replay api.CreateWorkspaceResponseObject, err error) {
			pair, err := createPair(ctx, tx, h.engine, req.Body.Name, req.Body.LinkHost)
			if err != nil {
				return nil, nil, err
			}
			tx.OnCommit(func() { h.clicks.Forget(pair.Live.WorkspaceID) })
			first := api.CreateWorkspace201JSONResponse{
				Headers: api.CreateWorkspace201ResponseHeaders{Location: "/v1/workspace"},
				Body: api.WorkspacePair{
					Live: toWorkspace(pair.Live), Test: toWorkspace(pair.Test),
					LiveKey: nullable.NewNullableWithValue(pair.LiveKey), TestKey: nullable.NewNullableWithValue(pair.TestKey),
				},
			}
			again := first
			again.Body.LiveKey, again.Body.TestKey = nullable.NewNullNullable[string](), nullable.NewNullNullable[string]()
			again.Body.SecretAlreadyShown = true
			return first, again, nil
		})
}

// GetWorkspace reads the workspace of the key, with its clock as it is now.
func (h handlers) GetWorkspace(ctx context.Context, _ api.GetWorkspaceRequestObject) (api.GetWorkspaceResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetWorkspace(ctx, h.store.DB(ws), ws)
	if err != nil {
		return nil, store.OrNotFound(err, "the workspace")
	}
	return api.GetWorkspace200JSONResponse{Body: toWorkspace(row)}, nil
}

func toWorkspace(w db.Workspace) api.Workspace {
	return api.Workspace{
		ID: w.WorkspaceID, Name: w.Name, Mode: api.WorkspaceMode(w.Mode), Slug: w.Slug, LinkHost: orNull(w.LinkHost),
		PairedWorkspaceID: w.PairedWorkspaceID, ClockAt: orNullTime(w.ClockAt), CreatedAt: w.CreatedAt.UTC(),
	}
}
