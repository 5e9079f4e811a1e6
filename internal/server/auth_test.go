package server

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	var seen Principal
	b.stub.list = func(ctx context.Context, _ api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		seen = principalFrom(ctx)
		return noPrograms, nil
	}
	past, future := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	key := func(change func(*db.APIKey)) string {
		return b.key(apikey.Live, apikey.Secret, change, "programs:read").Text()
	}
	good := b.key(apikey.Live, apikey.Secret, nil, "programs:read")
	text := good.Text()
	otherMode := b.key(apikey.Live, apikey.Secret, nil, "programs:read")
	otherMode.Mode = apikey.Test
	otherKind := b.key(apikey.Live, apikey.Secret, nil, "programs:read")
	otherKind.Kind = apikey.Publishable
	for name, c := range map[string]struct {
		headers []string
		status  int
		loads   bool // whether the database is asked
	}{
		"a good key":              {[]string{bearerOf(text)}, 200, true},
		"one that expires later":  {[]string{bearerOf(key(func(k *db.APIKey) { k.ExpiresAt = &future }))}, 200, true},
		"one that expired":        {[]string{bearerOf(key(func(k *db.APIKey) { k.ExpiresAt = &past }))}, 401, true},
		"one that was revoked":    {[]string{bearerOf(key(func(k *db.APIKey) { k.RevokedAt = &past }))}, 401, true},
		"a wrong secret":          {[]string{bearerOf(apikey.New(apikey.Live, apikey.Secret, good.WorkspaceID, good.ID).Text())}, 401, true},
		"an unknown key":          {[]string{bearerOf(apikey.New(apikey.Live, apikey.Secret, uuid.New(), uuid.New()).Text())}, 401, true},
		"another mode":            {[]string{bearerOf(otherMode.Text())}, 401, true},
		"another kind":            {[]string{bearerOf(otherKind.Text())}, 401, true},
		"a wrong checksum":        {[]string{bearerOf(text[:len(text)-1] + "_")}, 401, false},
		"lower-case scheme":       {[]string{"Authorization: bearer " + text}, 401, false},
		"upper-case scheme":       {[]string{"Authorization: BEARER " + text}, 401, false},
		"a tab":                   {[]string{"Authorization: Bearer\t" + text}, 401, false},
		"two spaces":              {[]string{"Authorization: Bearer  " + text}, 401, false},
		"no scheme":               {[]string{"Authorization: " + text}, 401, false},
		"Basic":                   {[]string{"Authorization: Basic " + text}, 401, false},
		"an empty header":         {[]string{"Authorization: "}, 401, false},
		"look-alikes":             {[]string{bearerOf(strings.Replace(text, "live", "lіve", 1))}, 401, false},
		"the operator token":      {[]string{bearerOf(operatorToken)}, 401, false},
		"two keys in one header":  {[]string{bearerOf(text + ", Bearer " + text)}, 401, false},
		"two headers":             {[]string{bearerOf(text), bearerOf(text)}, 400, false},
		"a key in a cookie, too":  {[]string{bearerOf(text), "Cookie: a=b; key=" + text}, 400, false},
		"a key in X-Api-Key, too": {[]string{bearerOf(text), "X-Api-Key: " + text}, 400, false},
		"a key in a cookie only":  {[]string{"Cookie: key=" + text}, 401, false},
		"a cookie of a proxy":     {[]string{bearerOf(text), "Cookie: sticky=1"}, 200, true},
	} {
		b.server.auth.forget(good.WorkspaceID, good.ID)
		before := b.loadCount()
		res, body := b.ask("GET", "/v1/programs", "", c.headers...)
		b.expect(name, res, body, c.status, "")
		if asked := b.loadCount() > before; asked != c.loads {
			t.Errorf("%s: the database was asked: %v", name, asked)
		}
		if c.status == 401 && res.Header.Get("WWW-Authenticate") != `Bearer realm="grapevine"` {
			t.Errorf("%s: %v", name, res.Header)
		}
	}
	b.ask("GET", "/v1/programs", "", bearerOf(text))
	if seen.WorkspaceID != good.WorkspaceID || seen.KeyID != good.ID || seen.Mode != Live || seen.Kind != apikey.Secret ||
		seen.Workspace.WorkspaceID != good.WorkspaceID {
		t.Errorf("principal %+v", seen)
	}
}

// All refusals of a credential read alike, so that none of them tells what was wrong.
func TestRefusedKeysLookAlike(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	good := b.key(apikey.Live, apikey.Secret, nil)
	bodies := map[string]bool{}
	for _, key := range []string{
		"", "x", good.Text() + "x", apikey.New(apikey.Live, apikey.Secret, good.WorkspaceID, good.ID).Text(),
		apikey.New(apikey.Test, apikey.Publishable, uuid.New(), uuid.New()).Text(),
	} {
		res, body := b.ask("GET", "/v1/programs", "", bearerOf(key))
		bodies[strings.Replace(body, res.Header.Get("X-Request-Id"), "", 1)] = true
	}
	if len(bodies) != 1 {
		t.Errorf("%d different answers: %v", len(bodies), bodies)
	}
}

// Each operation of the contract against a key with every scope but the one it needs, and a publishable key.
func TestScopes(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	var all []string
	for _, op := range b.server.operations {
		resource, _, ok := strings.Cut(op.scope, ":")
		for _, scope := range []string{resource + ":read", resource + ":write", op.scope} {
			if ok && !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	for _, op := range b.server.operations {
		if op.open() || op.key == keyOperator {
			continue
		}
		resource, action, _ := strings.Cut(op.scope, ":")
		lacking := slices.DeleteFunc(slices.Clone(all), func(s string) bool {
			return s == op.scope || action == "read" && s == resource+":write"
		})
		principal := func(kind apikey.Kind, scopes ...string) Principal { return Principal{Kind: kind, Scopes: scopes} }
		if err := authorize(principal(apikey.Secret, lacking...), op); (err == nil) != (op.scope == scopeNone) {
			t.Errorf("%s (%s) without its scope: %v", op.id, op.scope, err)
		}
		if err := authorize(principal(apikey.Secret, op.scope), op); err != nil {
			t.Errorf("%s (%s) with its scope: %v", op.id, op.scope, err)
		}
		// Write implies read, and nothing else.
		if err := authorize(principal(apikey.Secret, resource+":write"), op); (err != nil) != (action == "approve") {
			t.Errorf("%s (%s) with write: %v", op.id, op.scope, err)
		}
		public := slices.Contains([]string{"recordClick", "lookupCode", "getPublicProgram"}, op.id)
		if err := authorize(principal(apikey.Publishable, all...), op); (err == nil) != public {
			t.Errorf("%s with a publishable key: %v", op.id, err)
		}
	}
}

func TestRevocationIsSeen(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		return noPrograms, nil
	}
	for _, mode := range []apikey.Mode{apikey.Live, apikey.Test} {
		k := b.key(mode, apikey.Secret, nil, "programs:read")
		b.ask("GET", "/v1/programs", "", bearerOf(k.Text()))
		before := b.loadCount()
		b.ask("GET", "/v1/programs", "", bearerOf(k.Text()))
		if cached := b.loadCount() == before; cached != (mode == apikey.Live) {
			t.Errorf("%s key is cached: %v", mode, cached)
		}
		b.mu.Lock()
		stored := b.keys[k.ID]
		now := time.Now()
		stored.APIKey.RevokedAt = &now
		b.keys[k.ID] = stored
		b.mu.Unlock()
		if mode == apikey.Live {
			b.server.auth.forget(k.WorkspaceID, k.ID)
		}
		res, body := b.ask("GET", "/v1/programs", "", bearerOf(k.Text()))
		b.expect("a revoked key", res, body, 401, "unauthenticated")
	}
}

// Whoever guesses keys is slowed down and costs no look-ups any more; keys that were valid before are still let in.
func TestGuessingKeysIsSlowedDown(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.BadKeysPerNetwork = Rate{PerSecond: 1, Burst: 3} })
	b.stub.list = func(context.Context, api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		return noPrograms, nil
	}
	good, late := b.secret("programs:read"), b.secret("programs:read")
	ask := func(what, key string, status int) {
		t.Helper()
		res, body := b.ask("GET", "/v1/programs", "", bearerOf(key))
		b.expect(what, res, body, status, "")
		if retry := res.Header.Get("Retry-After"); (retry != "") != (status == 429) {
			t.Errorf("%s: Retry-After %q", what, retry)
		}
	}
	ask("a valid key", good, 200)
	b.ask("GET", "/v1/programs", "")
	for range 3 {
		ask("a guess", good[:len(good)-1]+"!", 401)
	}
	before := b.loadCount()
	ask("one guess too many", good[:len(good)-1]+"!", 429)
	ask("a key that nobody has seen yet", late, 429)
	if b.loadCount() != before {
		t.Errorf("%d look-ups", b.loadCount()-before)
	}
	ask("the valid key", good, 200)
}

func TestOperator(t *testing.T) {
	t.Parallel()
	b, off := start(t, nil), start(t, func(o *Options) { o.OperatorToken = "" })
	key := b.secret("keys:write")
	for _, c := range []struct {
		b      *bench
		header string
		status int
	}{
		{b, bearerOf(operatorToken), 422}, {b, bearerOf(operatorToken + "x"), 401}, {b, bearerOf(operatorToken[1:]), 401}, {b, bearerOf(""), 401},
		{b, bearerOf(key), 403}, {b, "X-None: 1", 401}, {off, bearerOf(operatorToken), 403}, {off, bearerOf("x"), 403}, {off, "X-None: 1", 401},
	} {
		res, body := c.b.ask("POST", "/v1/workspaces", `{}`, c.header, asJSON, withKey)
		c.b.expect("createWorkspace with "+c.header, res, body, c.status, "")
	}
}
