package server

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const (
	defaultHonorPending = 30 * 24 * 60 * 60
	defaultTimeZone     = "UTC"
)

// CreateProgram makes a program, with its first version when rules are given.
func (h handlers) CreateProgram(ctx context.Context, req api.CreateProgramRequestObject) (api.CreateProgramResponseObject, error) {
	b := *req.Body
	n := engine.NewProgram{
		Name: b.Name, Currency: b.Currency, LandingURL: b.LandingURL, AllowedHosts: orDefault(b.AllowedHosts, nil),
		HonorPendingSeconds: orDefault(b.HonorPendingSeconds, defaultHonorPending), TimeZone: orDefault(b.TimeZone, defaultTimeZone),
		ServerHost: h.edge.host(),
	}
	if b.Rules != nil {
		d := fromRules(*b.Rules)
		n.Rules = &d
	}
	return once(ctx, h.store, api.CreateProgramResponseObject.VisitCreateProgramResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateProgramResponseObject, error) {
			p, v, err := h.engine.CreateProgram(ctx, tx, h.scope(ctx), n)
			if err != nil {
				return nil, err
			}
			numbers := map[uuid.UUID]int32{}
			if v != nil {
				numbers[v.ID] = v.Number
			}
			return api.CreateProgram201JSONResponse{Body: toProgram(p, numbers), Headers: api.CreateProgram201ResponseHeaders{
				Location: "/v1/programs/" + p.ID.String(), ETag: etag(p.Version),
			}}, nil
		})
}

// host is the host under which this server's own links are followed.
func (s *Server) host() string {
	u, err := url.Parse(s.options.PublicURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// UpdateProgram changes what is not part of the rules.
func (h handlers) UpdateProgram(ctx context.Context, req api.UpdateProgramRequestObject) (api.UpdateProgramResponseObject, error) {
	version, err := versionFrom(req.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	s, b := h.scope(ctx), *req.Body
	var out db.Program
	err = h.store.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		tx.OnCommit(func() { h.clicks.Forget(s.Workspace) }) // links lead to the new place at once
		out, err = h.engine.UpdateProgram(ctx, tx, s, req.ProgramID, version, engine.ProgramChanges{
			Name: b.Name, LandingURL: b.LandingURL, AllowedHosts: b.AllowedHosts, HonorPendingSeconds: b.HonorPendingSeconds,
			ServerHost: h.edge.host(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	body, err := h.describeProgram(ctx, h.store.DB(s.Workspace), out)
	if err != nil {
		return nil, err
	}
	return api.UpdateProgram200JSONResponse{Body: body, Headers: api.UpdateProgram200ResponseHeaders{ETag: etag(out.Version)}}, nil
}

// moveProgram brings a program to a state and describes it.
func (h handlers) moveProgram(ctx context.Context, tx *store.Tx, id uuid.UUID, to state.Program) (api.Program, string, error) {
	p, err := h.engine.MoveProgram(ctx, tx, h.scope(ctx), id, to)
	if err != nil {
		return api.Program{}, "", err
	}
	body, err := h.describeProgram(ctx, tx.DB(), p)
	return body, etag(p.Version), err
}

// ActivateProgram activates a draft or resumes a paused program.
func (h handlers) ActivateProgram(ctx context.Context, req api.ActivateProgramRequestObject) (api.ActivateProgramResponseObject, error) {
	return once(ctx, h.store, api.ActivateProgramResponseObject.VisitActivateProgramResponse,
		func(ctx context.Context, tx *store.Tx) (api.ActivateProgramResponseObject, error) {
			body, tag, err := h.moveProgram(ctx, tx, req.ProgramID, state.ProgramActive)
			return api.ActivateProgram200JSONResponse{Body: body, Headers: api.ActivateProgram200ResponseHeaders{ETag: tag}}, err
		})
}

// PauseProgram stops the attribution of new signups for a while.
func (h handlers) PauseProgram(ctx context.Context, req api.PauseProgramRequestObject) (api.PauseProgramResponseObject, error) {
	return once(ctx, h.store, api.PauseProgramResponseObject.VisitPauseProgramResponse,
		func(ctx context.Context, tx *store.Tx) (api.PauseProgramResponseObject, error) {
			body, tag, err := h.moveProgram(ctx, tx, req.ProgramID, state.ProgramPaused)
			return api.PauseProgram200JSONResponse{Body: body, Headers: api.PauseProgram200ResponseHeaders{ETag: tag}}, err
		})
}

// EndProgram stops the attribution of new signups for good.
func (h handlers) EndProgram(ctx context.Context, req api.EndProgramRequestObject) (api.EndProgramResponseObject, error) {
	return once(ctx, h.store, api.EndProgramResponseObject.VisitEndProgramResponse,
		func(ctx context.Context, tx *store.Tx) (api.EndProgramResponseObject, error) {
			body, tag, err := h.moveProgram(ctx, tx, req.ProgramID, state.ProgramEnded)
			return api.EndProgram200JSONResponse{Body: body, Headers: api.EndProgram200ResponseHeaders{ETag: tag}}, err
		})
}

// ArchiveProgram puts an ended program away.
func (h handlers) ArchiveProgram(ctx context.Context, req api.ArchiveProgramRequestObject) (api.ArchiveProgramResponseObject, error) {
	return once(ctx, h.store, api.ArchiveProgramResponseObject.VisitArchiveProgramResponse,
		func(ctx context.Context, tx *store.Tx) (api.ArchiveProgramResponseObject, error) {
			body, tag, err := h.moveProgram(ctx, tx, req.ProgramID, state.ProgramArchived)
			return api.ArchiveProgram200JSONResponse{Body: body, Headers: api.ArchiveProgram200ResponseHeaders{ETag: tag}}, err
		})
}

func (h handlers) GetProgram(ctx context.Context, req api.GetProgramRequestObject) (api.GetProgramResponseObject, error) {
	p, err := h.program(ctx, req.ProgramID)
	if err != nil {
		return nil, err
	}
	body, err := h.describeProgram(ctx, h.store.DB(p.WorkspaceID), p)
	if err != nil {
		return nil, err
	}
	return api.GetProgram200JSONResponse{Body: body, Headers: api.GetProgram200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

func (h handlers) program(ctx context.Context, id uuid.UUID) (db.Program, error) {
	ws := h.scope(ctx).Workspace
	p, err := h.q.GetProgram(ctx, h.store.DB(ws), db.GetProgramParams{WorkspaceID: ws, ID: id})
	return p, store.OrNotFound(err, "the program")
}

// GetPublicProgram reads what a browser may know of a program.
func (h handlers) GetPublicProgram(ctx context.Context, req api.GetPublicProgramRequestObject) (api.GetPublicProgramResponseObject, error) {
	p, err := h.program(ctx, req.ProgramID)
	if err != nil {
		return nil, err
	}
	return api.GetPublicProgram200JSONResponse{Body: api.PublicProgram{
		ID: p.ID, Name: p.Name, State: api.ProgramState(p.State), Currency: p.Currency, LandingURL: p.LandingURL,
	}}, nil
}

// ListPrograms lists programs, newest first.
func (h handlers) ListPrograms(ctx context.Context, req api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListPrograms(ctx, h.store.DB(ws), db.ListProgramsParams{
		WorkspaceID: ws, State: filter(req.Params.State), Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Program) uuid.UUID { return r.ID })
	numbers, err := h.versionNumbers(ctx, h.store.DB(ws), rows)
	if err != nil {
		return nil, err
	}
	page := api.ProgramPage{Data: []api.Program{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, toProgram(r, numbers))
	}
	return api.ListPrograms200JSONResponse{Body: page}, nil
}

func (h handlers) describeProgram(ctx context.Context, on store.DBTX, p db.Program) (api.Program, error) {
	numbers, err := h.versionNumbers(ctx, on, []db.Program{p})
	return toProgram(p, numbers), err
}

// versionNumbers finds the numbers of the programs' current versions.
func (h handlers) versionNumbers(ctx context.Context, on store.DBTX, rows []db.Program) (map[uuid.UUID]int32, error) {
	numbers := map[uuid.UUID]int32{}
	var ids []uuid.UUID
	for _, p := range rows {
		if p.CurrentVersionID != nil {
			ids = append(ids, *p.CurrentVersionID)
		}
	}
	if len(ids) == 0 {
		return numbers, nil
	}
	found, err := h.q.ListProgramVersionNumbers(ctx, on, db.ListProgramVersionNumbersParams{WorkspaceID: rows[0].WorkspaceID, Ids: ids})
	for _, v := range found {
		numbers[v.ID] = v.Number
	}
	return numbers, err
}

func toProgram(p db.Program, numbers map[uuid.UUID]int32) api.Program {
	out := api.Program{
		ID: p.ID, Name: p.Name, State: api.ProgramState(p.State), Currency: p.Currency, LandingURL: p.LandingURL,
		AllowedHosts: engine.Hosts(p), HonorPendingSeconds: p.HonorPendingSeconds, TimeZone: p.TimeZone,
		CurrentVersion: nullable.NewNullNullable[api.CurrentProgramVersion](), ActivatedAt: orNullTime(nil), EndedAt: orNullTime(p.EndedAt),
		Version: p.Version, CreatedAt: p.CreatedAt.UTC(),
	}
	if len(p.Timeline) > 0 { // it begins with the activation
		out.ActivatedAt = orNullTime(&p.Timeline[0].At)
	}
	if p.CurrentVersionID != nil {
		out.CurrentVersion.Set(api.CurrentProgramVersion{ID: *p.CurrentVersionID, Number: int64(numbers[*p.CurrentVersionID])})
	}
	return out
}

// decoded copies a value into another type with the same names in JSON, of which the target holds the defaults.
func decoded[To any](from any, to To) To {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, &to)
	}
	if err != nil {
		panic(err) // the contract's rules and the document are one shape
	}
	return to
}
