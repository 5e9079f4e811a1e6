package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// RecordClick stores a visit that a script or a server saw. A browser that guesses codes uses up the budget of misses.
func (h handlers) RecordClick(ctx context.Context, req api.RecordClickRequestObject) (api.RecordClickResponseObject, error) {
	r := requestFrom(ctx)
	browser := r.principal.Kind == apikey.Publishable
	if browser {
		if req.Body.IP != nil {
			return nil, problem.Forbidden.With("A publishable key may not name the address of a visitor.")
		}
		if err := h.edge.misses.check(ctx, r.client); err != nil {
			return nil, err
		}
	}
	s := h.scope(ctx)
	click, err := fromNewClick(r, s, *req.Body)
	if err != nil {
		return nil, err
	}
	out, err := once(ctx, h.store, api.RecordClickResponseObject.VisitRecordClickResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordClickResponseObject, error) {
			done, err := h.engine.RecordClicks(ctx, tx, s, engine.Reports{
				Source: "api", Clicks: []engine.NewClick{click}, RepeatWindow: clicks.RepeatWindow,
			})
			if err != nil {
				return nil, err
			}
			return toRecordedClick(done[0])
		})
	if browser && errors.Is(err, problem.UnknownReference) {
		if missed := h.edge.misses.miss(ctx, r.client); missed != nil {
			return nil, missed
		}
	}
	return out, err
}

func toRecordedClick(c engine.RecordedClick) (api.RecordClickResponseObject, error) {
	switch {
	case c.Problem != nil:
		return nil, c.Problem
	case c.Known:
		return api.RecordClick200JSONResponse{Body: toClick(c.Click)}, nil
	}
	return api.RecordClick201JSONResponse{Body: toClick(c.Click), Headers: api.RecordClick201ResponseHeaders{
		Location: "/v1/clicks/" + c.Click.ID.String(),
	}}, nil
}

// RecordClicks stores clicks that another server has gathered. Each succeeds or fails on its own.
func (h handlers) RecordClicks(ctx context.Context, req api.RecordClicksRequestObject) (api.RecordClicksResponseObject, error) {
	r, s := requestFrom(ctx), h.scope(ctx)
	reports := engine.Reports{Source: "batch", RepeatWindow: clicks.RepeatWindow}
	outcomes := make([]api.ClickBatchOutcome, len(req.Body.Clicks))
	var places []int // where in the request each report stands
	for i, c := range req.Body.Clicks {
		outcomes[i].Index = int64(i)
		click, err := fromNewClick(r, s, c)
		if err != nil {
			outcomes[i].Problem = toItemProblem(ctx, err, indexPointer("/clicks", i))
			continue
		}
		reports.Clicks, places = append(reports.Clicks, click), append(places, i)
	}
	return once(ctx, h.store, api.RecordClicksResponseObject.VisitRecordClicksResponse,
		func(ctx context.Context, tx *store.Tx) (api.RecordClicksResponseObject, error) {
			done, err := h.engine.RecordClicks(ctx, tx, s, reports)
			if err != nil {
				return nil, err
			}
			for n, c := range done {
				i := places[n]
				outcomes[i] = api.ClickBatchOutcome{Index: int64(i)}
				if c.Problem != nil {
					outcomes[i].Problem = toItemProblem(ctx, c.Problem, indexPointer("/clicks", i))
					continue
				}
				click := toClick(c.Click)
				outcomes[i].Click = &click
			}
			return api.RecordClicks200JSONResponse{Body: api.ClickBatchResult{Data: outcomes}}, nil
		})
}

func (h handlers) GetClick(ctx context.Context, req api.GetClickRequestObject) (api.GetClickResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetClick(ctx, h.store.DB(ws), db.GetClickParams{WorkspaceID: ws, ID: req.ClickID})
	if err != nil {
		return nil, store.OrNotFound(err, "the click")
	}
	return api.GetClick200JSONResponse{Body: toClick(row)}, nil
}

// ListClicks lists clicks of every class, newest first.
func (h handlers) ListClicks(ctx context.Context, req api.ListClicksRequestObject) (api.ListClicksResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListClicks(ctx, h.store.DB(ws), db.ListClicksParams{
		WorkspaceID: ws, CodeID: req.Params.CodeID, ProgramID: req.Params.ProgramID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Click) uuid.UUID { return r.ID })
	return api.ListClicks200JSONResponse{Body: api.ClickPage{Data: each(rows, toClick), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// fromNewClick takes a report and turns what it says of a person into hashes and a class. A browser reports itself: what it does
// not say of its agent and address, its request does.
func fromNewClick(r *request, s engine.Scope, b api.NewClick) (engine.NewClick, error) {
	class, agent, address := clicks.Human, asText(b.UserAgent), netip.Addr{}
	switch {
	case r.principal.Kind == apikey.Publishable:
		header := r.header.Clone()
		if agent != "" {
			header.Set("User-Agent", agent)
		}
		class, agent, address = clicks.Classify(http.MethodPost, header), header.Get("User-Agent"), r.client
	case agent != "":
		class = clicks.ClassifyAgent(agent)
	}
	if b.IP != nil {
		var err error
		if address, err = netip.ParseAddr(*b.IP); err != nil {
			return engine.NewClick{}, problem.ValidationFailed.With("ip is no address.").
				WithErrors([]problem.FieldError{{Pointer: "/ip", Message: "must be an IPv4 or IPv6 address"}})
		}
	}
	click := engine.NewClick{
		ID: b.ID, Code: b.Code, ProgramID: b.ProgramID, Classification: string(class), Consent: string(orDefault(b.Consent, api.ConsentUnknown)),
		AddressNamed: b.IP != nil, LandingURL: b.LandingURL, OccurredAt: b.OccurredAt, ReferrerHost: clicks.ReferrerHost(asText(b.ReferrerURL)),
		Hash: hasher(s.HashKey, address, agent, asText(b.VisitorID)),
	}
	if b.VisitorID != nil {
		click.VisitorKey = visitor.Key(s.HashKey, *b.VisitorID)
	}
	if u := b.Utm; u != nil {
		click.Utm = clicks.StoredCampaign(landing.Campaign{
			Source: asText(u.Source), Medium: asText(u.Medium), Name: asText(u.Campaign), Term: asText(u.Term), Content: asText(u.Content),
		})
	}
	return click, nil
}

// hasher gives the hashes of a visitor on the day of the click. Somebody of whom nothing is known is a visitor of one click.
func hasher(key []byte, address netip.Addr, agent, visitorID string) func(uuid.UUID, time.Time) (visitor, addressHash []byte) {
	return func(id uuid.UUID, at time.Time) ([]byte, []byte) {
		named := visitorID
		if named == "" && !address.IsValid() && agent == "" {
			named = id.String()
		}
		v := clicks.NewVisitor(key, at, address, agent, named)
		return v.Hash, v.Address
	}
}

func toClick(r db.Click) api.Click {
	out := api.Click{
		ID: r.ID, ProgramID: r.ProgramID, CodeID: r.CodeID, ReferrerID: r.ReferrerID,
		Classification: api.ClickClassification(r.Classification), Source: api.ClickSource(r.Source), Consent: api.Consent(r.Consent),
		ReferrerHost: nullable.NewNullNullable[api.NullableHostName](), OccurredAt: r.OccurredAt.UTC(), ReceivedAt: r.ReceivedAt.UTC(),
	}
	_ = json.Unmarshal(r.Utm, &out.Utm) // none, or what StoredCampaign made
	if r.ReferrerHost != nil {
		out.ReferrerHost.Set(*r.ReferrerHost)
	}
	return out
}
