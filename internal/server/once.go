package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// work is what a POST does, in its transaction. It may run several times, so ids are made before it; see store.InTx.
type work[Response any] func(ctx context.Context, tx *store.Tx) (Response, error)

// once does the work of a POST once for its Idempotency-Key, and gives the stored answer to every repetition. The claim of the
// key, the work and the stored answer are one transaction, so that none exists without the others.
//
//	return once(ctx, h.store, api.CreateProgramResponseObject.VisitCreateProgramResponse,
//		func(ctx context.Context, tx *store.Tx) (api.CreateProgramResponseObject, error) { … })
//
// visit is the method by which the generated response writes itself. A problem that the work returns is stored as well, unless it
// may be different the next time (429 and 5xx).
func once[Response any](
	ctx context.Context, st *store.Store, visit func(Response, http.ResponseWriter) error, fn work[Response],
) (Response, error) {
	return onceSecret(ctx, st, visit, func(ctx context.Context, tx *store.Tx) (answer, replay Response, err error) {
		answer, err = fn(ctx, tx)
		return answer, answer, err
	})
}

// onceSecret is once for answers that hold a secret: answer is given once, replay is what is stored and repeated.
func onceSecret[Response any](
	ctx context.Context, st *store.Store, visit func(Response, http.ResponseWriter) error,
	fn func(ctx context.Context, tx *store.Tx) (answer, replay Response, err error),
) (Response, error) {
	c := newClaim(ctx, st)
	var answer, none Response
	err := c.inTx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		var replay Response
		if answer, replay, err = fn(ctx, tx); err != nil {
			return err
		}
		rendered := rendering{header: http.Header{}}
		if err := visit(replay, &rendered); err != nil {
			return fmt.Errorf("render the answer: %w", err)
		}
		return c.save(ctx, tx, rendered)
	})
	if p, ok := errors.AsType[*problem.Error](err); ok && lasting(p) {
		err = c.saveProblem(ctx, p)
	}
	if errors.Is(err, errUsed) {
		err = c.repeat(ctx)
	}
	if err != nil {
		return none, err
	}
	return answer, nil
}

// errUsed says that the key was used before, for the same request.
var errUsed = errors.New("the Idempotency-Key was used before")

// lasting reports whether a problem would be the answer again, so that it can be stored.
func lasting(p *problem.Error) bool {
	switch {
	case p.Code == problem.RequestInProgress.Code || p.Code == problem.IdempotencyKeyReuse.Code || errors.Is(p, store.ErrRetry):
		return false
	default:
		return p.Status == http.StatusNotFound || p.Status == http.StatusConflict || p.Status == http.StatusUnprocessableEntity
	}
}

// claim is the use of an Idempotency-Key by the request at hand.
type claim struct {
	q         *db.Queries
	store     *store.Store
	requestID string
	row       db.ClaimIdempotencyKeyParams
}

func newClaim(ctx context.Context, st *store.Store) claim {
	req := requestFrom(ctx)
	return claim{q: db.New(), store: st, requestID: req.id, row: db.ClaimIdempotencyKeyParams{
		WorkspaceID: req.principal.WorkspaceID, Key: req.header.Get("Idempotency-Key"), Operation: req.operationID(),
		Fingerprint: req.fingerprint(), CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	}}
}

// fingerprint is equal for requests that ask for the same: order of names and white space do not count, defaults do.
func (r *request) fingerprint() []byte {
	path := make([]string, 0, 2*len(r.path))
	for _, name := range slices.Sorted(maps.Keys(r.path)) {
		path = append(path, name, r.path[name])
	}
	text, err := json.Marshal([]any{r.operationID(), path, r.hasBody, r.body}) // names of objects are sorted
	if err != nil {
		panic(err) // it came from JSON
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// inTx runs fn in a transaction that claims the key first.
func (c claim) inTx(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	return c.store.InTx(ctx, c.row.WorkspaceID, func(ctx context.Context, tx *store.Tx) error {
		tx.First(func(on store.DBTX) error {
			row, err := c.q.ClaimIdempotencyKey(ctx, on, c.row)
			if err != nil || row.Claimed {
				return err
			}
			return compareUse(row, c.row)
		})
		return fn(ctx, tx)
	})
}

func compareUse(row db.ClaimIdempotencyKeyRow, now db.ClaimIdempotencyKeyParams) error {
	if row.Operation != now.Operation || !bytes.Equal(row.Fingerprint, now.Fingerprint) {
		return problem.IdempotencyKeyReuse.With("The Idempotency-Key was used before for another request. Use a new one.")
	}
	return errUsed
}

func (c claim) save(ctx context.Context, tx *store.Tx, r rendering) error {
	kept := map[string]string{}
	for _, name := range []string{"Content-Type", "Location", "Etag"} {
		if value := r.header.Get(name); value != "" {
			kept[name] = value
		}
	}
	header, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return c.q.SaveIdempotentResponse(ctx, tx.Write(), db.SaveIdempotentResponseParams{
		Status: int32(r.status), Headers: header, Body: r.body.Bytes(), WorkspaceID: c.row.WorkspaceID, Key: c.row.Key,
	})
}

// saveProblem stores a refusal, which undid its own transaction, and gives it back. Should the key have been used in between, what
// is stored there is the answer.
func (c claim) saveProblem(ctx context.Context, p *problem.Error) error {
	rendered := rendering{status: p.Status, header: http.Header{"Content-Type": {problemType}}}
	rendered.body.Write(problemDocument(p, c.requestID))
	err := c.inTx(ctx, func(ctx context.Context, tx *store.Tx) error { return c.save(ctx, tx, rendered) })
	if err != nil {
		return err
	}
	return p
}

// repeat gives the stored answer as an error, which fail writes as it is. It commits a write before, the count of repetitions: a
// row that only one machine has, because a failover is under way, is thereby never acknowledged.
func (c claim) repeat(ctx context.Context) error {
	var row db.ClaimIdempotencyKeyRow
	err := c.store.InTx(ctx, c.row.WorkspaceID, func(ctx context.Context, tx *store.Tx) error {
		tx.First(func(on store.DBTX) (err error) {
			if row, err = c.q.ClaimIdempotencyKey(ctx, on, c.row); err == nil && row.Claimed {
				return problem.RequestInProgress.With("The key was released a moment ago. Send the request again.")
			}
			return err
		})
		return nil
	})
	if err != nil {
		return err
	}
	if err := compareUse(row, c.row); !errors.Is(err, errUsed) {
		return err
	}
	if row.Status == nil {
		return problem.Internal.Wrap(fmt.Errorf("the key of %s has no answer", row.Operation))
	}
	r := &replayed{status: int(*row.Status), body: row.Body}
	if err := json.Unmarshal(row.Headers, &r.header); err != nil {
		return fmt.Errorf("read the stored headers: %w", err)
	}
	return r
}

// replayed is a stored answer, on its way to the caller again. It is an error because a strict handler has no other way to give
// an answer that is not of its generated types.
type replayed struct {
	status int
	header map[string]string
	body   []byte
}

func (r *replayed) Error() string { return "the stored answer of an earlier request" }

func (r *replayed) write(w http.ResponseWriter) {
	h := w.Header()
	for name, value := range r.header {
		h.Set(name, value)
	}
	h.Set("Idempotent-Replayed", "true")
	h.Set("Content-Length", strconv.Itoa(len(r.body)))
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// rendering receives what a generated response writes.
type rendering struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *rendering) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *rendering) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *rendering) Write(p []byte) (int, error) { return r.body.Write(p) }
