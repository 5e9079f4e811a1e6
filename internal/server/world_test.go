package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
)

// world is a server on a database of its own, with a pair of workspaces.
type world struct {
	*testing.T
	database *dbtest.Database
	server   *Server
	url      string
	pair     Pair
}

func startWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{T: t, database: dbtest.New(t)}
	o := Options{Log: slog.New(slog.DiscardHandler), OperatorToken: operatorToken, PublicURL: "https://refer.example"}
	if change != nil {
		change(&o)
	}
	var err error
	if w.server, err = New(o, w.database.Store); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.Run(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.pair = w.newPair("Acme")
	return w
}

// newPair makes another pair of workspaces.
func (w *world) newPair(name string) Pair {
	w.Helper()
	pair, err := CreateWorkspacePair(w.Context(), w.database.Store, engine.New(slog.New(slog.DiscardHandler)), name, nil)
	if err != nil {
		w.Fatal(err)
	}
	return pair
}

// caller is the generated client with one key. Its exchanges are held against the contract, and a refusal is an error.
type caller struct {
	*client.ClientWithResponses
	w *world
}

func (w *world) as(key string) caller {
	w.Helper()
	c, err := client.New(w.url, key, client.WithHTTPClient(checked{&http.Client{
		Transport: contracttest.Transport{TB: w, Requests: true},
	}}))
	if err != nil {
		w.Fatal(err)
	}
	return caller{c, w}
}

func (w *world) live() caller { return w.as(w.pair.LiveKey) }
func (w *world) test() caller { return w.as(w.pair.TestKey) }

// checked sends once, with an Idempotency-Key of its own where none is given.
type checked struct{ *http.Client }

func (c checked) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") == "" {
		r.Header.Set("Idempotency-Key", uuid.NewString())
	}
	res, err := c.Client.Do(r)
	if err != nil || res.StatusCode < 400 {
		return res, err
	}
	defer res.Body.Close()
	p := &client.ProblemError{Header: res.Header}
	if err := json.NewDecoder(res.Body).Decode(&p.Problem); err != nil {
		return nil, err
	}
	return nil, p
}

// must gives the answer of a call that has to succeed.
func must[R any](t testing.TB) func(R, error) R {
	return func(r R, err error) R {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// refused checks that a call was refused with a problem, at a place in the request if one is named.
func refused[R any](t testing.TB, code client.ProblemCode, pointer string) func(R, error) {
	return func(_ R, err error) {
		t.Helper()
		p, ok := errors.AsType[*client.ProblemError](err)
		if !ok || p.Code != code {
			t.Errorf("the answer is %v, want %s", err, code)
			return
		}
		named := slices.ContainsFunc(p.Errors, func(f client.Fault) bool { return f.Pointer == pointer })
		if pointer != "" && !named {
			t.Errorf("%s names %v, want %s", code, p.Errors, pointer)
		}
	}
}

// at calls something several times at once, and gives the errors in the order of the calls.
func atOnce(times int, call func(i int) error) []error {
	out := make([]error, times)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range times {
		done.Go(func() {
			start.Wait()
			out[i] = call(i)
		})
	}
	start.Done()
	done.Wait()
	return out
}

// count tells how many of the errors are this problem; the empty code is none at all.
func count(all []error, code client.ProblemCode) int {
	n := 0
	for _, err := range all {
		p, ok := errors.AsType[*client.ProblemError](err)
		if err == nil && code == "" || ok && p.Code == code {
			n++
		}
	}
	return n
}

// number asks the owner of the database for one number.
func (w *world) number(sql string, args ...any) int64 {
	w.Helper()
	var n int64
	if err := w.database.Owner(w).QueryRow(w.Context(), sql, args...).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// text asks the owner of the database for one text.
func (w *world) text(sql string, args ...any) string {
	w.Helper()
	var text string
	if err := w.database.Owner(w).QueryRow(w.Context(), sql, args...).Scan(&text); err != nil {
		w.Fatal(err)
	}
	return text
}

// events lists the types of what happened to a subject, oldest first.
func (c caller) events(subject uuid.UUID) string {
	c.w.Helper()
	rows, err := c.w.database.Owner(c.w).Query(c.w.Context(), "SELECT type FROM events WHERE subject_id = $1 ORDER BY id", subject)
	if err != nil {
		c.w.Fatal(err)
	}
	var types []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			c.w.Fatal(err)
		}
		types = append(types, name)
	}
	return strings.Join(types, " ")
}

type nextCursor = nullable.Nullable[string]

func ptr[T any](v T) *T { return &v }

// activeProgram makes and activates a program; change edits what is sent.
func (c caller) activeProgram(change func(*client.NewProgram)) client.Program {
	c.w.Helper()
	n := client.NewProgram{Name: "Friends", Currency: "USD", LandingURL: "https://www.acme.example/welcome", Rules: &client.NewRules{}}
	if change != nil {
		change(&n)
	}
	made := must[*client.CreateProgramResult](c.w)(c.CreateProgramWithResponse(c.w.Context(), &client.CreateProgramParams{}, n)).JSON201
	return *must[*client.ActivateProgramResult](c.w)(c.ActivateProgramWithResponse(c.w.Context(), made.ID, &client.ActivateProgramParams{})).JSON200
}

// code makes a code of a participant.
func (c caller) code(program uuid.UUID, participant string, change func(*client.NewCode)) client.Code {
	c.w.Helper()
	n := client.NewCode{ProgramID: program, ParticipantExternalID: participant}
	if change != nil {
		change(&n)
	}
	return *must[*client.CreateCodeResult](c.w)(c.CreateCodeWithResponse(c.w.Context(), &client.CreateCodeParams{}, n)).JSON201
}

// moveClock moves the clock of the test workspace.
func (c caller) moveClock(to time.Time) {
	c.w.Helper()
	must[*client.MoveTestClockResult](c.w)(c.MoveTestClockWithResponse(c.w.Context(), &client.MoveTestClockParams{}, client.NewTestClock{Now: to}))
}
