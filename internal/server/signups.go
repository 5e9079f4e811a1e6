package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateSignup answers 201 when the referee joined with this signup, attributed or not, and 200 when it had joined before.
func (h handlers) CreateSignup(ctx context.Context, req api.CreateSignupRequestObject) (api.CreateSignupResponseObject, error) {
	return once(ctx, h.store, api.CreateSignupResponseObject.VisitCreateSignupResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateSignupResponseObject, error) {
			out, err := h.engine.CreateSignup(ctx, tx, h.scope(ctx), fromNewSignup(*req.Body))
			if err != nil {
				return nil, err
			}
			body := toSignupResult(out)
			if out.Known || out.Answer.Reason == reason.AlreadyAttributed {
				return api.CreateSignup200JSONResponse{Body: body}, nil
			}
			return api.CreateSignup201JSONResponse{Body: body, Headers: api.CreateSignup201ResponseHeaders{
				Location: "/v1/signups/" + out.Signup.ID.String(),
			}}, nil
		})
}

// PreviewSignup decides and writes nothing.
func (h handlers) PreviewSignup(ctx context.Context, req api.PreviewSignupRequestObject) (api.PreviewSignupResponseObject, error) {
	out, err := h.engine.PreviewSignup(ctx, h.store, h.scope(ctx), fromNewSignup(*req.Body))
	if err != nil {
		return nil, err
	}
	return api.PreviewSignup200JSONResponse{Body: api.SignupPreview{
		Attributed: out.Answer.Attributed, Reason: toReason(out.Answer.Reason), ReferrerID: orNull(out.Decision.ReferrerID),
		Candidates: toCandidates(out.Answer.Candidates),
	}}, nil
}

func (h handlers) GetSignup(ctx context.Context, req api.GetSignupRequestObject) (api.GetSignupResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetSignup(ctx, h.store.DB(ws), db.GetSignupParams{WorkspaceID: ws, ID: req.SignupID})
	if err != nil {
		return nil, store.OrNotFound(err, "the signup")
	}
	out, err := h.toSignups(ctx, ws, []db.Signup{row})
	if err != nil {
		return nil, err
	}
	return api.GetSignup200JSONResponse{Body: out[0]}, nil
}

// ListSignups lists signups, newest first.
func (h handlers) ListSignups(ctx context.Context, req api.ListSignupsRequestObject) (api.ListSignupsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListSignups(ctx, h.store.DB(ws), db.ListSignupsParams{
		WorkspaceID: ws, ProgramID: req.Params.ProgramID, RefereeID: req.Params.RefereeID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Signup) uuid.UUID { return r.ID })
	data, err := h.toSignups(ctx, ws, rows)
	if err != nil {
		return nil, err
	}
	return api.ListSignups200JSONResponse{Body: api.SignupPage{Data: data, NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// toSignups adds to signups the decisions that they got.
func (h handlers) toSignups(ctx context.Context, ws uuid.UUID, rows []db.Signup) ([]api.Signup, error) {
	ids := make([]uuid.UUID, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	decisions, err := h.q.ListFirstDecisions(ctx, h.store.DB(ws), db.ListFirstDecisionsParams{WorkspaceID: ws, SignupIds: ids})
	if err != nil {
		return nil, err
	}
	of := map[uuid.UUID]uuid.UUID{}
	for _, d := range decisions {
		of[*d.SignupID] = d.ID
	}
	out := make([]api.Signup, 0, len(rows))
	for _, r := range rows {
		out = append(out, toSignup(r, of[r.ID]))
	}
	return out, nil
}

func toSignup(r db.Signup, decision uuid.UUID) api.Signup {
	return api.Signup{
		ID: r.ID, ProgramID: r.ProgramID, RefereeID: r.RefereeID, ExternalID: r.ExternalID, DecisionID: decision,
		Metadata: toMetadata(r.Metadata), OccurredAt: r.OccurredAt.UTC(), ReceivedAt: r.ReceivedAt.UTC(),
	}
}

func fromNewSignup(b api.NewSignup) engine.NewSignup {
	return engine.NewSignup{
		ProgramID: b.ProgramID, RefereeExternalID: b.RefereeExternalID, ExternalID: b.ExternalID, Email: given(b.Email),
		DisplayName: given(b.DisplayName), CustomerSince: given(b.CustomerSince), Code: b.Code, ClickIDs: b.ClickIds,
		VisitorID: b.VisitorID, OccurredAt: b.OccurredAt, Metadata: fromMetadata(b.Metadata),
	}
}

func toSignupResult(a engine.Attributed) api.SignupResult {
	d := a.Decision
	return api.SignupResult{
		Signup: toSignup(*a.Signup, d.ID), Attributed: d.Attributed, Reason: toReason(d.Reason), DecisionID: d.ID,
		ReferralID: orNull(d.ReferralID), ReferrerID: orNull(d.ReferrerID),
	}
}

func toCandidates(list []attribution.Candidate) []api.Candidate {
	out := make([]api.Candidate, 0, len(list))
	for _, c := range list {
		out = append(out, api.Candidate{
			Kind: api.TouchKind(c.Kind), ClickID: orNull(parsedID(c.ID)), CodeID: orNull(parsedID(c.CodeID)),
			ReferrerID: orNull(parsedID(c.ReferrerID)), TouchedAt: c.At.UTC(), Eligible: c.Eligible, Won: c.Won, Reason: toReason(c.Reason),
		})
	}
	return out
}
