package engine

import (
	"context"
	"encoding/base32"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// OperatorWorkspace is the row that every database has: it holds the idempotency keys of workspace administration, and whoever
// administers workspaces locks it.
var OperatorWorkspace = uuid.MustParse("00000000-0000-7000-8000-000000000000")

// NewWorkspacePair is a live and a test workspace to make. LinkHost is the host of the live one's links. FirstKey gives the row of
// the first key of each: the engine sees no secrets.
type NewWorkspacePair struct {
	Name     string
	LinkHost *string
	FirstKey func(w db.Workspace) db.APIKey
}

// WorkspacePair is a live and a test workspace that belong together.
type WorkspacePair struct {
	Live, Test db.Workspace
}

// CreateWorkspacePair makes two workspaces with a key each. The transaction may be of the operator's workspace: it is the one
// operation that writes into more than one. Errors: conflict when the links of another workspace have the same host, since a
// visitor must not be sent to somebody else's program.
func (e *Engine) CreateWorkspacePair(ctx context.Context, tx *store.Tx, now time.Time, n NewWorkspacePair) (WorkspacePair, error) {
	live, err := e.newWorkspace("live", n.Name, now)
	if err != nil {
		return WorkspacePair{}, err
	}
	test, err := e.newWorkspace("test", n.Name, now)
	if err != nil {
		return WorkspacePair{}, err
	}
	live.PairedWorkspaceID, test.PairedWorkspaceID = test.WorkspaceID, live.WorkspaceID
	if n.LinkHost != nil {
		host := strings.ToLower(*n.LinkHost)
		live.LinkHost = &host
		if err := e.claimLinkHost(ctx, tx, host); err != nil {
			return WorkspacePair{}, err
		}
	}
	for _, w := range []db.Workspace{live, test} {
		if err := e.createWorkspace(ctx, tx, w, n.FirstKey(w)); err != nil {
			return WorkspacePair{}, err
		}
	}
	return WorkspacePair{Live: live, Test: test}, nil
}

// slugLength is that of the contract: 50 bits, so that two workspaces do not meet and a slug is not guessed.
const slugLength = 10

func (e *Engine) newWorkspace(mode, name string, now time.Time) (db.Workspace, error) {
	random := make([]byte, 32+slugLength)
	if _, err := io.ReadFull(e.random, random); err != nil {
		return db.Workspace{}, err
	}
	letters := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz")
	return db.Workspace{
		WorkspaceID: newID(), Name: name, Mode: mode, HashKey: random[:32], Slug: letters.EncodeToString(random[32:])[:slugLength],
		CreatedAt: now,
	}, nil
}

// claimLinkHost makes sure that no other workspace has the host. Locking the operator's row lets one pair be made at a time.
func (e *Engine) claimLinkHost(ctx context.Context, tx *store.Tx, host string) error {
	var all []db.Workspace
	err := tx.Load(ctx,
		func(tx store.DBTX) error {
			_, err := e.q.GetWorkspaceForUpdate(ctx, tx, OperatorWorkspace)
			return err
		},
		func(tx store.DBTX) (err error) {
			all, err = e.q.ListAllWorkspaces(ctx, tx)
			return err
		})
	if err != nil {
		return err
	}
	for _, w := range all {
		if w.LinkHost != nil && *w.LinkHost == host {
			return problem.Conflict.With("the links of another workspace have this host").
				WithErrors([]problem.FieldError{{Pointer: "/link_host", Message: "already used"}})
		}
	}
	return nil
}

func (e *Engine) createWorkspace(ctx context.Context, tx *store.Tx, w db.Workspace, key db.APIKey) error {
	r := e.record(tx, Scope{Workspace: w.WorkspaceID, Now: w.CreatedAt})
	err := e.q.CreateWorkspace(ctx, tx.Write(), db.CreateWorkspaceParams{
		WorkspaceID: w.WorkspaceID, Name: w.Name, Mode: w.Mode, Slug: w.Slug, LinkHost: w.LinkHost,
		PairedWorkspaceID: w.PairedWorkspaceID, HashKey: w.HashKey, CreatedAt: w.CreatedAt,
	})
	if err != nil {
		return err
	}
	r.event("workspace.created", "workspace", w.WorkspaceID, struct {
		Mode string `json:"mode"`
	}{w.Mode})
	if err := r.createAPIKey(ctx, key); err != nil {
		return err
	}
	return r.flush(ctx)
}
