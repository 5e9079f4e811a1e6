package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
)

// followQuickly answers the plain request for a link, which is the one that comes by the thousand: it reads the parameters as the
// contract says, and spares the request the router, the generated code and a context of its own. Whatever is not plain, or not
// answered by a redirect, it leaves to the way of all other requests, which ends in the handlers below.
func (s *Server) followQuickly(w *answer, r *http.Request, req *request) (answered bool) {
	workspace, code, plain := plainLink(r)
	if !plain || s.clicks == nil || s.draining.Load() {
		return false
	}
	visit := clicks.Visit{
		Workspace: workspace, Host: r.Host, Code: code, Method: r.Method, Header: r.Header, Address: req.client,
	}
	op := s.operations["GET /r/:code"]
	if workspace != "" {
		op = s.operations["GET /r/:workspace/:code"]
	}
	if r.URL.RawQuery != "" {
		readLink(op, r.URL.RawQuery, &visit)
	}
	if s.misses.check(r.Context(), req.client) != nil {
		return false
	}
	followed, ok := s.tryFollow(r.Context(), &visit)
	if !ok {
		return false
	}
	req.op = op
	defer s.finish(w, r, req)
	h := w.Header()
	h["X-Request-Id"] = []string{req.id}
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	h["Location"] = []string{followed.Location}
	w.WriteHeader(http.StatusFound)
	return true
}

// tryFollow follows a link. An error and a panic are met again on the way of all other requests, and reported there.
func (s *Server) tryFollow(ctx context.Context, v *clicks.Visit) (f clicks.Followed, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	f, err := s.clicks.Follow(ctx, v)
	return f, err == nil
}

var noSniff, noStore = []string{"nosniff"}, []string{"no-store"}

// plainLink takes the path of a link apart that has one spelling only. The request has no body.
func plainLink(r *http.Request) (workspace, code string, plain bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/r/")
	if !ok || r.URL.RawPath != "" || r.Method != http.MethodGet && r.Method != http.MethodHead ||
		r.ContentLength != 0 || len(r.RequestURI) > longestTarget || r.RequestURI[0] != '/' {
		return "", "", false
	}
	code = rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		workspace, code = rest[:i], rest[i+1:]
		if len(workspace) != 10 || !alphanumeric(workspace) {
			return "", "", false
		}
	}
	return workspace, code, code != "" && len(code) <= 100 && alphanumeric(code)
}

// alphanumeric allows hyphens too.
func alphanumeric(s string) bool {
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return true
}

// readLink reads the parameters of a link; as for all open operations, unusable ones are dropped.
func readLink(op *operation, query string, v *clicks.Visit) {
	values, _ := url.ParseQuery(query)
	fields := map[string]*string{
		"to": &v.Path, "consent": &v.Consent, "utm_source": &v.Campaign.Source, "utm_medium": &v.Campaign.Medium,
		"utm_campaign": &v.Campaign.Name, "utm_term": &v.Campaign.Term, "utm_content": &v.Campaign.Content,
	}
	for _, p := range op.parameters {
		if given := values[p.name]; len(given) > 0 && fields[p.name] != nil && p.check(given[0]) == nil {
			*fields[p.name] = given[0]
		}
	}
}

// FollowLink sends a visitor on. The workspace is found by the host of the link.
func (h handlers) FollowLink(ctx context.Context, req api.FollowLinkRequestObject) (api.FollowLinkResponseObject, error) {
	location, err := h.follow(ctx, "", req.Code, req.Params)
	if err != nil {
		return nil, err
	}
	return api.FollowLink302Response{
		Headers: api.FollowLink302ResponseHeaders{Location: location, CacheControl: "no-store"},
	}, nil
}

// FollowWorkspaceLink sends a visitor on. The link names its workspace.
func (h handlers) FollowWorkspaceLink(ctx context.Context, req api.FollowWorkspaceLinkRequestObject) (api.FollowWorkspaceLinkResponseObject, error) {
	location, err := h.follow(ctx, req.Workspace, req.Code, api.FollowLinkParams(req.Params))
	if err != nil {
		return nil, err
	}
	return api.FollowWorkspaceLink302Response{
		Headers: api.FollowWorkspaceLink302ResponseHeaders{Location: location, CacheControl: "no-store"},
	}, nil
}

// follow finds where a link leads. Looking for codes that do not exist uses up the budget of misses.
func (h handlers) follow(ctx context.Context, workspace, code string, p api.FollowLinkParams) (string, error) {
	r := requestFrom(ctx)
	if err := h.edge.misses.check(ctx, r.client); err != nil {
		return "", err
	}
	followed, err := h.clicks.Follow(ctx, &clicks.Visit{
		Workspace: workspace, Host: r.host, Code: code, Method: r.method, Header: r.header, Address: r.client,
		Path: asText(p.To), Consent: string(asText(p.Consent)),
		Campaign: landing.Campaign{
			Source: asText(p.UtmSource), Medium: asText(p.UtmMedium), Name: asText(p.UtmCampaign), Term: asText(p.UtmTerm), Content: asText(p.UtmContent),
		},
	})
	if errors.Is(err, problem.NotFound) {
		if missed := h.edge.misses.miss(ctx, r.client); missed != nil {
			return "", missed
		}
	}
	return followed.Location, err
}

// asText is an optional parameter, empty when it was not given.
func asText[T ~string](p *T) (none T) {
	if p == nil {
		return none
	}
	return *p
}
