package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
)

// Mode is the mode of the principal's workspace.
type Mode string

// Modes of a principal. Operator is the holder of the operator token, who owns no workspace.
const (
	Live     = Mode(apikey.Live)
	Test     = Mode(apikey.Test)
	Operator = Mode("operator")
)

// OperatorWorkspace holds the idempotency keys of workspace administration.
var OperatorWorkspace = engine.OperatorWorkspace

// Principal is who sent the request.
type Principal struct {
	WorkspaceID uuid.UUID
	Mode        Mode
	Workspace   db.Workspace // as it was at authentication; its clock may have moved since
	KeyID       uuid.UUID    // zero for the operator
	Kind        apikey.Kind
	Scopes      []string
}

// request is what the edge knows of a request. It travels in the context, because strict handlers see nothing else.
type request struct {
	id        string
	method    string // as it was sent: a HEAD is routed as GET
	host      string
	header    http.Header
	client    netip.Addr
	started   time.Time
	op        *operation // nil until the route is known, and for paths outside the contract
	principal Principal

	path    map[string]string // path parameters, decoded
	query   url.Values        // query parameters, validated
	body    any               // the validated document; nil when there is none
	hasBody bool

	cause error // what stood behind the problem that was answered, for the log
}

type contextKey struct{}

func withRequest(ctx context.Context, r *request) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// requestFrom gives the request that a handler works for. Outside a request it is an empty one, never nil.
func requestFrom(ctx context.Context) *request {
	if r, ok := ctx.Value(contextKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// principalFrom gives who sent the request. Operations with x-key none have the zero principal.
func principalFrom(ctx context.Context) Principal { return requestFrom(ctx).principal }

// newRequestID makes 64 random bits in hexadecimal digits. An id from outside is never taken over: it would let a caller write
// into the log, or make two requests look like one.
func newRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// operationID names the operation for log and metrics; paths outside the contract share one name.
func (r *request) operationID() string {
	if r.op == nil {
		return "none"
	}
	return r.op.id
}
