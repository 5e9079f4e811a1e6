package server

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// PublishProgramVersion publishes rules as the next version.
func (h handlers) PublishProgramVersion(
	ctx context.Context, req api.PublishProgramVersionRequestObject,
) (api.PublishProgramVersionResponseObject, error) {
	return once(ctx, h.store, api.PublishProgramVersionResponseObject.VisitPublishProgramVersionResponse,
		func(ctx context.Context, tx *store.Tx) (api.PublishProgramVersionResponseObject, error) {
			v, err := h.engine.PublishVersion(ctx, tx, h.scope(ctx), req.ProgramID, fromRules(req.Body.Rules))
			if err != nil {
				return nil, err
			}
			return api.PublishProgramVersion201JSONResponse{Body: toProgramVersion(v), Headers: api.PublishProgramVersion201ResponseHeaders{
				Location: "/v1/programs/" + v.ProgramID.String() + "/versions/" + v.ID.String(),
			}}, nil
		})
}

// ValidateRules says what stands against publishing rules. It stores nothing, the Idempotency-Key neither.
func (h handlers) ValidateRules(ctx context.Context, req api.ValidateRulesRequestObject) (api.ValidateRulesResponseObject, error) {
	if _, err := h.program(ctx, req.ProgramID); err != nil {
		return nil, err
	}
	out := api.RulesValidation{Faults: []api.Fault{}}
	for _, f := range engine.RulesFaults(fromRules(req.Body.Rules)) {
		out.Faults = append(out.Faults, api.Fault{Pointer: f.Pointer, Message: f.Message})
	}
	out.Valid = len(out.Faults) == 0
	return api.ValidateRules200JSONResponse{Body: out}, nil
}

// mostDifferences is how many participants a simulation lists.
const mostDifferences = 1000

// SimulateRules replays the history of a program under other rules, and writes nothing.
func (h handlers) SimulateRules(ctx context.Context, req api.SimulateRulesRequestObject) (api.SimulateRulesResponseObject, error) {
	s, err := h.engine.Simulate(ctx, h.store, h.scope(ctx), req.ProgramID, fromRules(req.Body.Rules))
	if err != nil {
		return nil, err
	}
	body := api.Simulation{
		Referrals: int64(s.Referrals), Totals: []api.SimulatedTotal{}, Differences: []api.SimulatedDifference{},
		DifferencesTotal: int64(len(s.Differences)), Hash: s.Hash,
	}
	for _, t := range s.Totals {
		body.Totals = append(body.Totals, api.SimulatedTotal{Kind: api.RewardKind(t.Kind), Currency: t.Currency, Old: t.Old, New: t.New})
	}
	slices.SortStableFunc(s.Differences, func(a, b engine.Difference) int { return cmp.Compare(b.Change(), a.Change()) })
	for _, d := range s.Differences[:min(len(s.Differences), mostDifferences)] {
		body.Differences = append(body.Differences, api.SimulatedDifference{
			ParticipantID: d.ParticipantID, Kind: api.RewardKind(d.Kind), Currency: d.Currency, Old: d.Old, New: d.New, Difference: d.New - d.Old,
		})
	}
	return api.SimulateRules200JSONResponse{Body: body}, nil
}

func (h handlers) GetProgramVersion(ctx context.Context, req api.GetProgramVersionRequestObject) (api.GetProgramVersionResponseObject, error) {
	ws := h.scope(ctx).Workspace
	v, err := h.q.GetProgramVersion(ctx, h.store.DB(ws), db.GetProgramVersionParams{WorkspaceID: ws, ID: req.VersionID})
	if err == nil && v.ProgramID != req.ProgramID {
		err = store.ErrNoRows
	}
	if err != nil {
		return nil, store.OrNotFound(err, "the version")
	}
	return api.GetProgramVersion200JSONResponse{Body: toProgramVersion(v)}, nil
}

// ListProgramVersions lists the versions of a program, newest first.
func (h handlers) ListProgramVersions(ctx context.Context, req api.ListProgramVersionsRequestObject) (api.ListProgramVersionsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.program(ctx, req.ProgramID)
	if err != nil {
		return nil, err
	}
	rows, err := h.q.ListProgramVersions(ctx, h.store.DB(p.WorkspaceID), db.ListProgramVersionsParams{
		WorkspaceID: p.WorkspaceID, ProgramID: p.ID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.ProgramVersion) uuid.UUID { return r.ID })
	return api.ListProgramVersions200JSONResponse{Body: api.ProgramVersionPage{Data: each(rows, toProgramVersion), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// fromRules completes rules with the defaults: the contract fills in those of the parts that are there, the document has those of
// the parts that are not.
func fromRules(r api.NewRules) rules.Document { return decoded(r, rules.Default()) }

func toProgramVersion(v db.ProgramVersion) api.ProgramVersion {
	return api.ProgramVersion{
		ID: v.ID, ProgramID: v.ProgramID, Number: int64(v.Number), Rules: toRules(v.Rules),
		PublishedAt: v.PublishedAt.UTC(),
	}
}

// toRules answers stored rules complete, also those of a version that is older than a part of them.
func toRules(raw []byte) api.Rules {
	d, err := rules.Parse(raw)
	if err != nil {
		panic(err) // it was encoded by publish
	}
	return decoded(d, api.Rules{})
}
