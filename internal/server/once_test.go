package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

const newProgram = `{"name":"A","currency":"USD","landing_url":"https://a.example/"}`

// onceBench is a bench whose createProgram leaves one row per effect, in the transaction of its Idempotency-Key.
type onceBench struct {
	*bench
	st   *store.Store
	q    *db.Queries
	err  error                                         // what the work answers, if it is not done
	hold func(ctx context.Context, tx *store.Tx) error // what the work does after its claim; nil: nothing
}

func startOnce(t *testing.T, st *store.Store) *onceBench {
	o := &onceBench{bench: start(t, nil), st: st, q: db.New()}
	o.stub.program = func(ctx context.Context, r api.CreateProgramRequestObject) (api.CreateProgramResponseObject, error) {
		id := uuid.Must(uuid.NewV7())
		return once(ctx, st, api.CreateProgramResponseObject.VisitCreateProgramResponse,
			func(ctx context.Context, tx *store.Tx) (api.CreateProgramResponseObject, error) {
				if err := tx.Load(ctx); err != nil {
					return nil, err
				}
				if o.hold != nil {
					if err := o.hold(ctx, tx); err != nil {
						return nil, err
					}
				}
				return program(id, r.Body.Name), errors.Join(o.effect(ctx, tx, id), o.err)
			})
	}
	return o
}

func program(id uuid.UUID, name string) api.CreateProgram201JSONResponse {
	return api.CreateProgram201JSONResponse{
		Headers: api.CreateProgram201ResponseHeaders{ETag: `"1"`, Location: "/v1/programs/" + id.String()},
		Body: api.Program{
			ID: id, Name: name, State: api.ProgramStateDraft, Currency: "USD", LandingURL: "https://a.example/", AllowedHosts: []string{},
			TimeZone: "UTC", Version: 1, CreatedAt: time.Now().UTC(), ActivatedAt: nullable.NewNullNullable[time.Time](),
			EndedAt: nullable.NewNullNullable[time.Time](), CurrentVersion: nullable.NewNullNullable[api.CurrentProgramVersion](),
		},
	}
}

func (o *onceBench) effect(ctx context.Context, tx *store.Tx, id uuid.UUID) error {
	return o.q.CreateAPIKey(ctx, tx.Write(), db.CreateAPIKeyParams{
		WorkspaceID: principalFrom(ctx).WorkspaceID, ID: id, Name: "effect", Kind: "secret", SecretHash: make([]byte, 32),
		Scopes: []string{}, CreatedAt: time.Now(),
	})
}

// workspace makes a workspace with a key for it.
func (o *onceBench) workspace() apikey.Key {
	o.t.Helper()
	k := o.key(apikey.Live, apikey.Secret, nil, "programs:write", "codes:write", "signups:write")
	if err := o.q.CreateWorkspace(o.t.Context(), o.st.DB(k.WorkspaceID), db.CreateWorkspaceParams{
		WorkspaceID: k.WorkspaceID, Name: "w", Mode: "live", Slug: k.WorkspaceID.String()[24:], PairedWorkspaceID: k.WorkspaceID,
		HashKey: make([]byte, 32), CreatedAt: time.Now(),
	}); err != nil {
		o.t.Fatal(err)
	}
	return k
}

func (o *onceBench) effects(k apikey.Key) int {
	o.t.Helper()
	rows, err := o.q.ListAPIKeys(o.t.Context(), o.st.DB(k.WorkspaceID), db.ListAPIKeysParams{WorkspaceID: k.WorkspaceID, PageLimit: 1000})
	if err != nil {
		o.t.Fatal(err)
	}
	return len(rows)
}

func (o *onceBench) create(k apikey.Key, key, body string) (*http.Response, string) {
	o.t.Helper()
	return o.ask("POST", "/v1/programs", body, bearerOf(k.Text()), asJSON, "Idempotency-Key: "+key)
}

func sameAnswer(t *testing.T, what string, first, again *http.Response, body, bodyAgain string) {
	t.Helper()
	if first.StatusCode != again.StatusCode || body != bodyAgain || again.Header.Get("Idempotent-Replayed") != "true" ||
		first.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%s: %d %s, then %d %s %v", what, first.StatusCode, body, again.StatusCode, bodyAgain, again.Header)
	}
	for _, name := range []string{"Location", "Etag", "Content-Type"} {
		if first.Header.Get(name) != again.Header.Get(name) {
			t.Errorf("%s: %s was %q, is %q", what, name, first.Header.Get(name), again.Header.Get(name))
		}
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	st := dbtest.DB(t)
	o := startOnce(t, st)
	k, other := o.workspace(), o.workspace()

	first, body := o.create(k, "a", newProgram)
	o.expect("the first", first, body, 201, "")
	again, bodyAgain := o.create(k, "a", newProgram)
	sameAnswer(t, "at once", first, again, body, bodyAgain)
	again, bodyAgain = o.create(k, "a", ` { "landing_url":"https://a.example/", "name" : "A", "currency":"USD"}`)
	sameAnswer(t, "in another order", first, again, body, bodyAgain)
	restarted := startOnce(t, st)
	restarted.keys = o.keys
	again, bodyAgain = restarted.create(k, "a", newProgram)
	sameAnswer(t, "after a restart", first, again, body, bodyAgain)

	res, text := o.create(k, "a", strings.Replace(newProgram, "A", "B", 1))
	o.expect("another body", res, text, 422, "idempotency_key_reuse")
	o.stub.signup = func(ctx context.Context, _ api.CreateSignupRequestObject) (api.CreateSignupResponseObject, error) {
		return once(ctx, st, api.CreateSignupResponseObject.VisitCreateSignupResponse,
			func(ctx context.Context, tx *store.Tx) (api.CreateSignupResponseObject, error) {
				return nil, tx.Load(ctx)
			})
	}
	res, text = o.ask("POST", "/v1/signups", signup, bearerOf(k.Text()), asJSON, "Idempotency-Key: a")
	o.expect("another operation", res, text, 422, "idempotency_key_reuse")
	if n := o.effects(k); n != 1 {
		t.Errorf("%d effects", n)
	}
	res, text = o.create(other, "a", newProgram)
	o.expect("another workspace", res, text, 201, "")
	if o.effects(other) != 1 || o.effects(k) != 1 {
		t.Error("keys of workspaces are not apart")
	}
}

func TestOnceStoresRefusalsThatLast(t *testing.T) {
	t.Parallel()
	o := startOnce(t, dbtest.DB(t))
	k := o.workspace()
	for _, refusal := range []*problem.Error{problem.CodeTaken.With("x <y>"), problem.UnknownReference} {
		o.err = refusal
		key := string(refusal.Code)
		first, body := o.create(k, key, newProgram)
		o.expect("refused", first, body, refusal.Status, key)
		o.err = nil
		again, bodyAgain := o.create(k, key, newProgram)
		sameAnswer(t, key, first, again, body, bodyAgain)
	}
	if n := o.effects(k); n != 0 {
		t.Errorf("%d effects of refused work", n)
	}
	for _, passing := range []error{
		problem.RateLimited.After(time.Second), problem.Overloaded, problem.Unavailable, problem.OutcomeUnknown, errors.New("x"),
		problem.Conflict.Wrap(store.ErrRetry),
	} {
		o.err = passing
		key := strings.ReplaceAll(passing.Error(), " ", "_")
		res, body := o.create(k, key, newProgram)
		o.expect("refused for now", res, body, toProblem(passing).Status, "")
		o.err = nil
		res, body = o.create(k, key, newProgram)
		o.expect("tried again after "+passing.Error(), res, body, 201, "")
		if res.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%v was stored", passing)
		}
	}
}

func TestOnceUnderConcurrency(t *testing.T) {
	t.Parallel()
	o := startOnce(t, dbtest.DB(t))
	k := o.workspace()
	o.hold = func(ctx context.Context, tx *store.Tx) error { // until another waits for the outcome
		for waiting := false; !waiting; {
			if err := tx.DB().QueryRow(ctx, `
				SELECT EXISTS (
					SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid' AND transactionid = pg_current_xact_id()::xid
				)`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	}
	var mu sync.Mutex
	var bodies []string
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			res, body := o.create(k, "same", newProgram)
			o.expect("one of many", res, body, 201, "")
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, body)
		})
	}
	wg.Wait()
	if n := o.effects(k); n != 1 || len(slices.Compact(bodies)) != 1 {
		t.Errorf("%d effects, answers %v", n, slices.Compact(bodies))
	}
}

func TestOnceWhileTheFirstIsRunning(t *testing.T) {
	t.Parallel()
	o := startOnce(t, dbtest.DB(t))
	k := o.workspace()
	entered, leave := make(chan struct{}), make(chan struct{})
	o.hold = func(context.Context, *store.Tx) error {
		close(entered)
		<-leave
		return nil
	}
	first := make(chan int, 1)
	go func() {
		res, _ := o.create(k, "slow", newProgram)
		first <- res.StatusCode
	}()
	<-entered
	res, body := o.create(k, "slow", newProgram)
	o.expect("meanwhile", res, body, 409, "request_in_progress")
	close(leave)
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if status := <-first; status != 201 {
		t.Errorf("the first: %d", status)
	}
	res, body = o.create(k, "slow", newProgram)
	o.expect("afterwards", res, body, 201, "")
	if o.effects(k) != 1 || res.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d effects, %v", o.effects(k), res.Header)
	}
}

func TestOnceShowsSecretsOnce(t *testing.T) {
	t.Parallel()
	st := dbtest.DB(t)
	o := startOnce(t, st)
	k := o.workspace()
	o.stub.program = func(ctx context.Context, _ api.CreateProgramRequestObject) (api.CreateProgramResponseObject, error) {
		id := uuid.Must(uuid.NewV7())
		return onceSecret(ctx, st, api.CreateProgramResponseObject.VisitCreateProgramResponse,
			func(ctx context.Context, tx *store.Tx) (answer, replay api.CreateProgramResponseObject, err error) {
				return program(id, "planted-secret"), program(id, "shown before"), tx.Load(ctx)
			})
	}
	_, body := o.create(k, "s", newProgram)
	_, again := o.create(k, "s", newProgram)
	if !strings.Contains(body, "planted-secret") || strings.Contains(again, "planted-secret") || !strings.Contains(again, "shown before") {
		t.Errorf("%s\n%s", body, again)
	}
	var stored string
	err := st.DB(k.WorkspaceID).QueryRow(t.Context(), "SELECT string_agg(convert_from(body, 'UTF8'), '') FROM idempotency_keys").Scan(&stored)
	if err != nil || stored == "" || strings.Contains(stored, "planted-secret") {
		t.Errorf("stored %q, %v", stored, err)
	}
}

// The count of repetitions is a write that a replay commits before it answers.
func TestReplaysCommitAWrite(t *testing.T) {
	t.Parallel()
	o := startOnce(t, dbtest.DB(t))
	k := o.workspace()
	for range 4 {
		o.create(k, "r", newProgram)
	}
	var replayed int
	err := o.st.DB(k.WorkspaceID).QueryRow(t.Context(), "SELECT replayed_count FROM idempotency_keys WHERE workspace_id = $1", k.WorkspaceID).Scan(&replayed)
	if err != nil || replayed != 3 {
		t.Errorf("replayed_count is %d, %v", replayed, err)
	}
}
