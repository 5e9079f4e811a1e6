package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
)

// What the edge costs: a redirect and a signup whose handlers do nothing, beside an empty Echo handler.
func BenchmarkEdge(b *testing.B) {
	key := apikey.New(apikey.Live, apikey.Secret, uuid.New(), uuid.New())
	stored := storedKey{
		APIKey:    db.APIKey{Kind: "secret", SecretHash: key.Hash(), Scopes: []string{"signups:write"}},
		Workspace: db.Workspace{Mode: "live"},
	}
	handlers := &stub{
		follow: func(context.Context, api.FollowLinkRequestObject) (api.FollowLinkResponseObject, error) {
			return api.FollowLink302Response{Headers: api.FollowLink302ResponseHeaders{CacheControl: "no-store", Location: "https://a.example/"}}, nil
		},
		signup: func(context.Context, api.CreateSignupRequestObject) (api.CreateSignupResponseObject, error) {
			return nil, problem.UnknownReference
		},
	}
	load := func(context.Context, uuid.UUID, uuid.UUID) (storedKey, error) { return stored, nil }
	s, err := newServer(Options{Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), RateLimit: Rate{PerSecond: 1e9}}, load,
		func(*Server) api.StrictServerInterface { return handlers })
	if err != nil {
		b.Fatal(err)
	}
	empty := echo.New()
	empty.GET("/r/:code", func(c echo.Context) error { return c.Redirect(http.StatusFound, "https://a.example/") })
	run := func(name string, h http.Handler, status int, request func() *http.Request) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, request()); w.Code != status {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
	follow := func() *http.Request { return httptest.NewRequest("GET", "/r/ABCD-EFGH?utm_source=mail", nil) }
	run("empty Echo handler", empty, 302, follow)
	run("redirect", s, 302, follow)
	run("signup", s, 422, func() *http.Request {
		r := httptest.NewRequest("POST", "/v1/signups", strings.NewReader(with(signup, `"code":"ABCD-EFGH","metadata":{"plan":"pro"}`)))
		r.Header.Set("Authorization", "Bearer "+key.Text())
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k")
		return r
	})
}
