package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
)

const operatorToken = "operator-token-of-the-tests-0123456789"

// bench is a server on a real socket whose handlers and keys are the test's own, so that the edge stands alone.
type bench struct {
	t      *testing.T
	url    string
	server *Server
	stub   *stub
	logs   *logBuffer
	wire   *wire
	stop   context.CancelFunc
	done   chan error

	mu    sync.Mutex
	keys  map[uuid.UUID]storedKey
	loads int
}

// stub answers a few operations; the others are nil pointers, which makes them panics.
type stub struct {
	system
	deeper

	mu      sync.Mutex
	program func(context.Context, api.CreateProgramRequestObject) (api.CreateProgramResponseObject, error)
	signup  func(context.Context, api.CreateSignupRequestObject) (api.CreateSignupResponseObject, error)
	list    func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error)
	follow  func(context.Context, api.FollowLinkRequestObject) (api.FollowLinkResponseObject, error)
	calls   int
}

type deeper struct{ api.StrictServerInterface }

func (s *stub) count() {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
}

func (s *stub) CreateProgram(ctx context.Context, r api.CreateProgramRequestObject) (api.CreateProgramResponseObject, error) {
	s.count()
	return s.program(ctx, r)
}

func (s *stub) CreateSignup(ctx context.Context, r api.CreateSignupRequestObject) (api.CreateSignupResponseObject, error) {
	s.count()
	return s.signup(ctx, r)
}

func (s *stub) ListPrograms(ctx context.Context, r api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
	s.count()
	return s.list(ctx, r)
}

func (s *stub) FollowLink(ctx context.Context, r api.FollowLinkRequestObject) (api.FollowLinkResponseObject, error) {
	s.count()
	return s.follow(ctx, r)
}

func (s *stub) GetProgram(context.Context, api.GetProgramRequestObject) (api.GetProgramResponseObject, error) {
	s.count()
	return nil, nil
}

func (s *stub) GetReward(context.Context, api.GetRewardRequestObject) (api.GetRewardResponseObject, error) {
	s.count()
	panic("planted: ada@example.com")
}

func (s *stub) EnableCode(context.Context, api.EnableCodeRequestObject) (api.EnableCodeResponseObject, error) {
	s.count()
	return nil, nil
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, stub: &stub{}, logs: &logBuffer{}, keys: map[uuid.UUID]storedKey{}, done: make(chan error, 1)}
	o := Options{
		Log:           slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OperatorToken: operatorToken, ReadTimeout: 2 * time.Second, ReadHeaderTimeout: 2 * time.Second, DrainTimeout: 5 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	var err error
	b.server, err = newServer(o, b.load, func(s *Server) api.StrictServerInterface {
		b.stub.system = s.system()
		return b.stub
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.url, b.wire = "http://"+listener.Addr().String(), &wire{Listener: listener}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() { b.done <- b.server.Run(ctx, b.wire) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-b.done:
		case <-time.After(10 * time.Second):
			t.Error("the server did not stop")
		}
	})
	return b
}

func (b *bench) load(_ context.Context, _, keyID uuid.UUID) (storedKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	if k, ok := b.keys[keyID]; ok {
		return k, nil
	}
	return storedKey{}, pgx.ErrNoRows
}

func (b *bench) loadCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loads
}

// key makes a key and stores it, as changed.
func (b *bench) key(mode apikey.Mode, kind apikey.Kind, change func(*db.APIKey), scopes ...string) apikey.Key {
	b.t.Helper()
	k := apikey.New(mode, kind, uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()))
	row := db.APIKey{WorkspaceID: k.WorkspaceID, ID: k.ID, Kind: string(kind), SecretHash: k.Hash(), Scopes: scopes}
	if change != nil {
		change(&row)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[k.ID] = storedKey{APIKey: row, Workspace: db.Workspace{WorkspaceID: k.WorkspaceID, Mode: string(mode)}}
	return k
}

func (b *bench) secret(scopes ...string) string {
	return b.key(apikey.Live, apikey.Secret, nil, scopes...).Text()
}

// ask sends a request whose answer must be one of the contract. Headers are "Name: value".
func (b *bench) ask(method, target, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	client := http.Client{
		Transport:     contracttest.Transport{TB: b.t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(text)
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("waited in vain")
		}
	}
}

func bearerOf(key string) string { return "Authorization: Bearer " + key }

const (
	asJSON  = "Content-Type: application/json"
	withKey = "Idempotency-Key: k1"
)

// expect checks status and code of an answer.
func (b *bench) expect(what string, res *http.Response, body string, status int, code string) {
	b.t.Helper()
	if res.StatusCode != status || code != "" && !strings.Contains(body, `"code":"`+code+`"`) {
		b.t.Errorf("%s: %d %s, want %d %s", what, res.StatusCode, body, status, code)
	}
}
