// Package servertest runs the whole server for tests: a real listener on loopback over a real database, asked through the generated
// client. Every answer, and every request that is not bad on purpose, is held against the contract on the way.
package servertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// OperatorToken is the operator's on every test server.
const OperatorToken = "operator-token-of-the-tests-0123456789"

// Server is a running server with a database of its own.
type Server struct {
	URL   string
	Store *store.Store

	tb   testing.TB
	stop context.CancelFunc
	done chan error
}

// Start runs a server on a fresh database until the test ends.
func Start(t testing.TB, change ...func(*server.Options)) *Server {
	t.Helper()
	return StartOn(t, dbtest.DB(t), change...)
}

// StartOn runs a server on a given database, to try a restart or two servers at once.
func StartOn(t testing.TB, st *store.Store, change ...func(*server.Options)) *Server {
	t.Helper()
	o := server.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), OperatorToken: OperatorToken}
	for _, c := range change {
		c(&o)
	}
	handler, err := server.New(o, st)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{URL: "http://" + listener.Addr().String(), Store: st, tb: t, stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- handler.Run(ctx, listener) }()
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server as SIGTERM does. It may be called again.
func (s *Server) Stop() {
	s.tb.Helper()
	s.stop()
	if err, running := <-s.done; running {
		close(s.done)
		if err != nil {
			s.tb.Errorf("the server stopped with: %v", err)
		}
	}
}

// Workspace is one workspace and its keys: a secret one with every scope, and a publishable one.
type Workspace struct {
	ID, PairedID        uuid.UUID
	Slug                string
	Secret, Publishable string
}

// Pair makes a live workspace and its test twin.
func (s *Server) Pair() (live, test Workspace) {
	s.tb.Helper()
	live.ID, test.ID = newID(), newID()
	live.PairedID, test.PairedID = test.ID, live.ID
	s.create(&live, apikey.Live)
	s.create(&test, apikey.Test)
	return live, test
}

func (s *Server) create(w *Workspace, mode apikey.Mode) {
	s.tb.Helper()
	hashKey := make([]byte, 32)
	_, _ = rand.Read(hashKey)
	w.Slug = strings.ReplaceAll(w.ID.String(), "-", "")[22:] // random digits
	err := db.New().CreateWorkspace(s.tb.Context(), s.Store.DB(w.ID), db.CreateWorkspaceParams{
		WorkspaceID: w.ID, Name: "Test", Mode: string(mode), Slug: w.Slug, PairedWorkspaceID: w.PairedID, HashKey: hashKey,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	w.Secret = s.Key(w.ID, mode, apikey.Secret, Scopes(s.tb)...)
	w.Publishable = s.Key(w.ID, mode, apikey.Publishable, "clicks:write")
}

// Key makes an API key of a workspace and gives its text.
func (s *Server) Key(workspaceID uuid.UUID, mode apikey.Mode, kind apikey.Kind, scopes ...string) string {
	s.tb.Helper()
	k := apikey.New(mode, kind, workspaceID, newID())
	err := db.New().CreateAPIKey(s.tb.Context(), s.Store.DB(workspaceID), db.CreateAPIKeyParams{
		WorkspaceID: workspaceID, ID: k.ID, Name: "Test", Kind: string(kind), Prefix: k.Prefix(), LastFour: k.LastFour(),
		SecretHash: k.Hash(), Scopes: append([]string{}, scopes...), CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	return k.Text()
}

// Scopes gives every scope of the contract.
func Scopes(t testing.TB) []string {
	t.Helper()
	var contract struct {
		Components struct {
			Schemas struct {
				Scope struct{ Enum []string }
			}
		}
	}
	if err := json.Unmarshal(gen.OpenAPIJSON, &contract); err != nil || len(contract.Components.Schemas.Scope.Enum) == 0 {
		t.Fatalf("no scopes in the contract: %v", err)
	}
	return contract.Components.Schemas.Scope.Enum
}

// Client gives the generated client for a key. Requests and answers are held against the contract; results are given as they come,
// refusals included; a POST without an Idempotency-Key gets one.
func (s *Server) Client(key string) *client.ClientWithResponses {
	s.tb.Helper()
	c, err := client.New(s.URL, key, client.WithHTTPClient(httpClient(keyed{contracttest.Transport{TB: s.tb, Requests: true}})))
	if err != nil {
		s.tb.Fatal(err)
	}
	return c
}

// HTTP gives a client for requests that are bad on purpose; answers are still held against the contract. Redirects are not followed.
func (s *Server) HTTP() *http.Client {
	return httpClient(contracttest.Transport{TB: s.tb})
}

func httpClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do sends a JSON request, bad or not, and gives the answer and its body. Headers are "Name: value"; a POST without an
// Idempotency-Key among them gets one.
func (s *Server) Do(method, target, key, body string, headers ...string) (*http.Response, []byte) {
	s.tb.Helper()
	r, err := http.NewRequestWithContext(s.tb.Context(), method, s.URL+target, strings.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", uuid.NewString())
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := s.HTTP().Do(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var text bytes.Buffer
	if _, err := io.Copy(&text, res.Body); err != nil {
		s.tb.Fatal(err)
	}
	return res, text.Bytes()
}

// keyed gives a POST a fresh Idempotency-Key where the parameters of the generated client leave it empty.
type keyed struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Idempotency-Key", uuid.NewString())
	}
	return k.next.RoundTrip(r)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
