package server

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateCode makes a code.
func (h handlers) CreateCode(ctx context.Context, req api.CreateCodeRequestObject) (api.CreateCodeResponseObject, error) {
	b := *req.Body
	return once(ctx, h.store, api.CreateCodeResponseObject.VisitCreateCodeResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateCodeResponseObject, error) {
			c, err := h.engine.CreateCode(ctx, tx, h.scope(ctx), b.ProgramID, engine.NewCode{
				ParticipantExternalID: b.ParticipantExternalID, Value: b.Value, MaxUses: given(b.MaxUses), StartsAt: given(b.StartsAt),
				ExpiresAt: given(b.ExpiresAt),
			})
			if err != nil {
				return nil, err
			}
			return api.CreateCode201JSONResponse{Body: h.toCode(ctx, c), Headers: api.CreateCode201ResponseHeaders{
				Location: "/v1/codes/" + c.ID.String(), ETag: etag(c.Version),
			}}, nil
		})
}

// CreateCodes makes many codes, each of which succeeds or fails on its own.
func (h handlers) CreateCodes(ctx context.Context, req api.CreateCodesRequestObject) (api.CreateCodesResponseObject, error) {
	all := make([]engine.NewCode, 0, len(req.Body.Items))
	for _, item := range req.Body.Items {
		all = append(all, engine.NewCode{ParticipantExternalID: item.ParticipantExternalID, Value: item.Value})
	}
	return once(ctx, h.store, api.CreateCodesResponseObject.VisitCreateCodesResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateCodesResponseObject, error) {
			made, err := h.engine.CreateCodes(ctx, tx, h.scope(ctx), req.Body.ProgramID, all)
			if err != nil {
				return nil, err
			}
			out := api.CodeBatchResult{Data: make([]api.CodeBatchOutcome, 0, len(made))}
			for i, m := range made {
				outcome := api.CodeBatchOutcome{Index: int64(i)}
				if m.Problem != nil {
					outcome.Problem = toItemProblem(ctx, m.Problem, "")
				} else {
					c := h.toCode(ctx, m.Code)
					outcome.Code = &c
				}
				out.Data = append(out.Data, outcome)
			}
			return api.CreateCodes200JSONResponse{Body: out}, nil
		})
}

// toItemProblem is the problem of one item of a batch, whose pointers then lead to where the item is.
func toItemProblem(ctx context.Context, err error, at string) *api.Problem {
	p := problem.From(err)
	faults := slices.Clone(p.Errors)
	for i := range faults {
		faults[i].Pointer = at + faults[i].Pointer
	}
	out := decoded(json.RawMessage(problemDocument(p.WithErrors(faults), requestFrom(ctx).id)), api.Problem{})
	return &out
}

// UpdateCode changes the limits of a code.
func (h handlers) UpdateCode(ctx context.Context, req api.UpdateCodeRequestObject) (api.UpdateCodeResponseObject, error) {
	version, err := versionFrom(req.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	s := h.scope(ctx)
	var c db.Code
	err = h.store.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		c, err = h.engine.UpdateCode(ctx, tx, s, req.CodeID, version, engine.CodeChanges{
			MaxUses: change(req.Body.MaxUses), StartsAt: change(req.Body.StartsAt), ExpiresAt: change(req.Body.ExpiresAt),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return api.UpdateCode200JSONResponse{Body: h.toCode(ctx, c), Headers: api.UpdateCode200ResponseHeaders{ETag: etag(c.Version)}}, nil
}

// DisableCode keeps a code from being used.
func (h handlers) DisableCode(ctx context.Context, req api.DisableCodeRequestObject) (api.DisableCodeResponseObject, error) {
	return once(ctx, h.store, api.DisableCodeResponseObject.VisitDisableCodeResponse,
		func(ctx context.Context, tx *store.Tx) (api.DisableCodeResponseObject, error) {
			c, err := h.engine.DisableCode(ctx, tx, h.scope(ctx), req.CodeID, string(req.Body.Reason))
			return api.DisableCode200JSONResponse{Body: h.toCode(ctx, c), Headers: api.DisableCode200ResponseHeaders{ETag: etag(c.Version)}}, err
		})
}

// EnableCode lets a disabled code be used again.
func (h handlers) EnableCode(ctx context.Context, req api.EnableCodeRequestObject) (api.EnableCodeResponseObject, error) {
	return once(ctx, h.store, api.EnableCodeResponseObject.VisitEnableCodeResponse,
		func(ctx context.Context, tx *store.Tx) (api.EnableCodeResponseObject, error) {
			c, err := h.engine.EnableCode(ctx, tx, h.scope(ctx), req.CodeID)
			return api.EnableCode200JSONResponse{Body: h.toCode(ctx, c), Headers: api.EnableCode200ResponseHeaders{ETag: etag(c.Version)}}, err
		})
}

// RetireCode ends a code for good.
func (h handlers) RetireCode(ctx context.Context, req api.RetireCodeRequestObject) (api.RetireCodeResponseObject, error) {
	return once(ctx, h.store, api.RetireCodeResponseObject.VisitRetireCodeResponse,
		func(ctx context.Context, tx *store.Tx) (api.RetireCodeResponseObject, error) {
			c, err := h.engine.RetireCode(ctx, tx, h.scope(ctx), req.CodeID)
			return api.RetireCode200JSONResponse{Body: h.toCode(ctx, c), Headers: api.RetireCode200ResponseHeaders{ETag: etag(c.Version)}}, err
		})
}

// LookupCode says whether a signup could use a code. It stores nothing, the Idempotency-Key neither: an answer of yesterday is of no
// use. What is not found uses up the budget for guesses, except with a secret key, which can list all codes.
func (h handlers) LookupCode(ctx context.Context, req api.LookupCodeRequestObject) (api.LookupCodeResponseObject, error) {
	s, who := h.scope(ctx), requestFrom(ctx)
	guess := who.principal.Kind == apikey.Publishable
	if guess {
		if err := h.edge.misses.check(ctx, who.client); err != nil {
			return nil, err
		}
	}
	found, err := h.engine.LookUpCode(ctx, h.store.DB(s.Workspace), s, req.Body.Value, req.Body.ProgramID)
	if err != nil {
		return nil, err
	}
	if guess && found.Program == nil {
		if err := h.edge.misses.miss(ctx, who.client); err != nil {
			return nil, err
		}
	}
	out := api.CodeLookup{Found: found.Program != nil, Usable: found.Usable, ProgramID: orNull(found.Program)}
	if !found.Usable {
		why := toReason(found.Reason)
		out.Reason = &why
	}
	return api.LookupCode200JSONResponse{Body: out}, nil
}

func (h handlers) GetCode(ctx context.Context, req api.GetCodeRequestObject) (api.GetCodeResponseObject, error) {
	ws := h.scope(ctx).Workspace
	c, err := h.q.GetCode(ctx, h.store.DB(ws), db.GetCodeParams{WorkspaceID: ws, ID: req.CodeID})
	if err != nil {
		return nil, store.OrNotFound(err, "the code")
	}
	return api.GetCode200JSONResponse{Body: h.toCode(ctx, c), Headers: api.GetCode200ResponseHeaders{ETag: etag(c.Version)}}, nil
}

// ListCodes lists codes, newest first.
func (h handlers) ListCodes(ctx context.Context, req api.ListCodesRequestObject) (api.ListCodesResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[uuid.UUID](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListCodes(ctx, h.store.DB(ws), db.ListCodesParams{
		WorkspaceID: ws, ParticipantID: p.ParticipantID, ProgramID: p.ProgramID, State: filter(p.State), Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Code) uuid.UUID { return r.ID })
	page := api.CodePage{Data: []api.Code{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, h.toCode(ctx, r))
	}
	return api.ListCodes200JSONResponse{Body: page}, nil
}

func (h handlers) toCode(ctx context.Context, c db.Code) api.Code {
	out := api.Code{
		ID: c.ID, ProgramID: c.ProgramID, ParticipantID: c.ParticipantID, Value: c.Value,
		Link: h.edge.link(principalFrom(ctx).Workspace, c.Value), State: api.CodeState(c.State),
		EffectiveState: api.EffectiveCodeState(engine.EffectiveState(c, h.scope(ctx).Now)), MaxUses: orNull(c.MaxUses), Uses: c.Uses, StartsAt: orNullTime(c.StartsAt),
		ExpiresAt: orNullTime(c.ExpiresAt), Version: c.Version, CreatedAt: c.CreatedAt.UTC(),
	}
	if c.DisabledReason != nil {
		why := api.DisabledReason(*c.DisabledReason)
		out.DisabledReason = &why
	}
	return out
}

// link is the address that a referrer shares: on the workspace's own host, or on this server's, where the slug names the
// workspace. Spaces become hyphens, which do not count in a code.
func (s *Server) link(w db.Workspace, value string) string {
	value = strings.Join(strings.Fields(value), "-")
	if w.LinkHost == nil {
		return s.options.PublicURL + "/r/" + w.Slug + "/" + value
	}
	scheme := "https://"
	if name, _, err := net.SplitHostPort(*w.LinkHost); *w.LinkHost == "localhost" || err == nil && name == "localhost" {
		scheme = "http://"
	}
	return scheme + *w.LinkHost + "/r/" + value
}
