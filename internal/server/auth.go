package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
)

// storedKey is an API key and its workspace as the database has them.
type storedKey = db.GetAPIKeyWithWorkspaceRow

// keyLoader reads a key; an unknown one is pgx.ErrNoRows.
type keyLoader func(ctx context.Context, workspaceID, keyID uuid.UUID) (storedKey, error)

// keyLifetime bounds how long a revoked live key may still be accepted by another process. The process that revokes forgets the
// key at once, and keys of test workspaces are never kept: there people try revocation and look.
const (
	keyLifetime = 2 * time.Second
	mostKeys    = 10_000
)

type keyName struct{ workspace, key uuid.UUID }

type cachedKey struct {
	stored storedKey
	until  time.Time
}

// authenticator tells who sends a request.
type authenticator struct {
	load     keyLoader
	operator string
	failures *missBudget

	mu        sync.RWMutex
	keys      map[keyName]cachedKey
	accepted  map[keyName]bool // which keys were valid once, also those that are not kept
	forgotten int              // how many keys were dropped; what was read before the latest is not kept
}

func newAuthenticator(load keyLoader, operatorToken string, failures *missBudget) *authenticator {
	return &authenticator{
		load: load, operator: operatorToken, failures: failures, keys: map[keyName]cachedKey{}, accepted: map[keyName]bool{},
	}
}

var errNoKey = problem.Unauthenticated.With("Send an API key as Authorization: Bearer <key>.")

// authenticate finds the principal of a request and checks that the operation is open to it.
func (a *authenticator) authenticate(ctx context.Context, h http.Header, op *operation) (Principal, error) {
	if op.open() {
		return Principal{}, nil
	}
	token, err := bearer(h)
	if err != nil {
		return Principal{}, err
	}
	if op.key == keyOperator {
		return a.authenticateOperator(ctx, token)
	}
	p, err := a.authenticateKey(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	return p, authorize(p, op)
}

// bearer gives the one credential of a request. A request with two is refused: two readers could believe different ones.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	foreign := len(h.Values("Proxy-Authorization")) + len(h.Values("X-Api-Key"))
	for _, cookie := range h.Values("Cookie") {
		if strings.Contains(cookie, "gv_live_") || strings.Contains(cookie, "gv_test_") {
			foreign++
		}
	}
	if len(values) > 1 || len(values) == 1 && foreign > 0 {
		return "", problem.MalformedRequest.With("Send one credential only.")
	}
	if len(values) == 0 {
		return "", errNoKey
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok {
		return "", errNoKey
	}
	return token, nil
}

func (a *authenticator) authenticateOperator(ctx context.Context, token string) (Principal, error) {
	if a.operator == "" {
		return Principal{}, problem.Forbidden.With("Workspace administration is switched off on this server.")
	}
	// Hashing first makes the comparison blind to the length as well.
	sent, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.operator))
	if subtle.ConstantTimeCompare(sent[:], want[:]) == 1 {
		return Principal{WorkspaceID: OperatorWorkspace, Mode: Operator}, nil
	}
	if _, err := a.authenticateKey(ctx, token); errors.Is(err, problem.RateLimited) {
		return Principal{}, err
	} else if err != nil {
		return Principal{}, problem.Unauthenticated.With("Send the operator token as Authorization: Bearer <token>.")
	}
	return Principal{}, problem.Forbidden.With("This operation takes the operator token, not an API key.")
}

// authenticateKey answers every credential that is no valid key alike, whatever is wrong with it. A network that has sent too many of
// them is not listened to for a while, except with keys that were valid before: one bad client must not shut out its neighbours.
func (a *authenticator) authenticateKey(ctx context.Context, token string) (Principal, error) {
	key, err := apikey.Parse(token)
	if err != nil {
		return Principal{}, a.refuse(ctx)
	}
	name := keyName{key.WorkspaceID, key.ID}
	if !a.known(name) {
		if err := a.failures.check(ctx, requestFrom(ctx).client); err != nil {
			return Principal{}, err
		}
	}
	stored, err := a.find(ctx, name)
	if err != nil {
		return Principal{}, err
	}
	now := time.Now()
	row := stored.APIKey
	valid := key.Matches(row.SecretHash) && stored.Workspace.Mode == string(key.Mode) && row.Kind == string(key.Kind) &&
		row.RevokedAt == nil && (row.ExpiresAt == nil || now.Before(*row.ExpiresAt))
	if !valid {
		return Principal{}, a.refuse(ctx)
	}
	a.accept(name)
	return Principal{
		WorkspaceID: key.WorkspaceID, Mode: Mode(key.Mode), Workspace: stored.Workspace, KeyID: key.ID, Kind: key.Kind,
		Scopes: row.Scopes,
	}, nil
}

// refuse counts a credential that is none, and answers it.
func (a *authenticator) refuse(ctx context.Context) error {
	if err := a.failures.miss(ctx, requestFrom(ctx).client); err != nil {
		return err
	}
	return errNoKey
}

func (a *authenticator) known(name keyName) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.accepted[name]
}

func (a *authenticator) accept(name keyName) {
	if a.known(name) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.accepted) >= mostKeys {
		clear(a.accepted)
	}
	a.accepted[name] = true
}

func (a *authenticator) find(ctx context.Context, name keyName) (storedKey, error) {
	a.mu.RLock()
	cached, ok := a.keys[name]
	forgotten := a.forgotten
	a.mu.RUnlock()
	now := time.Now()
	if ok && now.Before(cached.until) {
		return cached.stored, nil
	}
	stored, err := a.load(ctx, name.workspace, name.key)
	if errors.Is(err, pgx.ErrNoRows) {
		return storedKey{}, nil // matches no secret
	}
	if err != nil {
		return storedKey{}, fmt.Errorf("read API key: %w", err)
	}
	if stored.Workspace.Mode == string(apikey.Live) {
		a.mu.Lock()
		if len(a.keys) >= mostKeys {
			clear(a.keys) // cheaper than an order of use, and rare
		}
		if a.forgotten == forgotten {
			a.keys[name] = cachedKey{stored, now.Add(keyLifetime)}
		}
		a.mu.Unlock()
	}
	return stored, nil
}

// forget drops a key from the cache, so that its revocation holds at once in this process.
func (a *authenticator) forget(workspaceID, keyID uuid.UUID) {
	a.mu.Lock()
	delete(a.keys, keyName{workspaceID, keyID})
	delete(a.accepted, keyName{workspaceID, keyID})
	a.forgotten++
	a.mu.Unlock()
}

// authorize checks kind and scope. A publishable key has no scopes to choose: it may do
// what the contract opens to publishable keys, and nothing else.
func authorize(p Principal, op *operation) error {
	if p.Kind == apikey.Publishable {
		if op.key != keyPublishable {
			return problem.Forbidden.With("A publishable key may not do this. Use a secret key, on your server only.")
		}
		return nil
	}
	if op.scope == scopeNone || p.allows(op.scope) {
		return nil
	}
	return problem.Forbidden.With("The key lacks the scope " + op.scope + ".")
}

// allows reports whether a secret key has a scope; write implies read of the same resource.
func (p Principal) allows(scope string) bool {
	resource, action, _ := strings.Cut(scope, ":")
	return slices.Contains(p.Scopes, scope) || action == "read" && slices.Contains(p.Scopes, resource+":write")
}
