package attacks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

func init() {
	programs["wrong keys"] = (*attack).wrongKeys
	programs["bad checksums"] = (*attack).badChecksums
	programs["comparison of secrets"] = (*attack).comparison
	programs["secrets are shown once"] = (*attack).secretsOnce
	programs["revoked while it is read"] = (*attack).revokedWhileRead
	programs["scopes passed on"] = (*attack).scopesPassedOn
}

// keyFor gives a credential by a word: keys whose scopes are chosen for the operation are made on the spot.
func (a *attack) keyFor(word string, op *operation) string {
	resource, _, _ := strings.Cut(op.scope, ":")
	var scopes []string
	switch word {
	case "key that reads":
		scopes = only(servertest.Scopes(a.t), func(s string) bool { return strings.HasSuffix(s, ":read") })
	case "key without the scope":
		scopes = only(servertest.Scopes(a.t), func(s string) bool { return !strings.HasPrefix(s, resource+":") })
	case "key with the scope alone":
		scopes = []string{op.scope}
	case "key without scopes":
	default:
		return word
	}
	return a.key(scopes...)
}

func only(all []string, match func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !match(s) })
}

// key makes a secret key of the attacker's workspace.
func (w *world) key(scopes ...string) string {
	w.t.Helper()
	return w.server.Key(uuid.MustParse(w.own.things["workspace"]), apikey.Test, apikey.Secret, scopes...)
}

// probe is a cheap protected request.
func (w *world) probe(key string) answer {
	w.t.Helper()
	return w.send(request{method: "GET", target: "/v1/codes?limit=1", as: key})
}

// wrongKeys sends texts that are keys in every respect but one, and wants the answer that a text gets which is no key at all.
func (a *attack) wrongKeys() {
	good, err := apikey.Parse(a.own.secret)
	if err != nil {
		a.t.Fatal(err)
	}
	revoked, id := a.issue(map[string]any{})
	a.must(a.recipeAt("revokeApiKey", "api_key_id", id, nil), 200)
	expired := a.server.Key(good.WorkspaceID, apikey.Test, apikey.Secret, "codes:read")
	if _, err := a.owner.Exec(a.t.Context(), "UPDATE api_keys SET expires_at = now() WHERE last_four = $1", expired[len(expired)-4:]); err != nil {
		a.t.Fatal(err)
	}
	wanted := a.probe("gv_test_sk_nothing")
	a.unchanged("W", "a wrong key", func() {
		for what, key := range map[string]string{
			"another secret":              apikey.New(apikey.Test, apikey.Secret, good.WorkspaceID, good.ID).Text(),
			"an unknown key":              apikey.New(apikey.Test, apikey.Secret, good.WorkspaceID, uuid.New()).Text(),
			"an unknown workspace":        apikey.New(apikey.Test, apikey.Secret, uuid.New(), good.ID).Text(),
			"a nil workspace":             apikey.New(apikey.Test, apikey.Secret, uuid.Nil, uuid.Nil).Text(),
			"the operator's workspace":    apikey.New(apikey.Live, apikey.Secret, uuid.MustParse("00000000-0000-7000-8000-000000000000"), good.ID).Text(),
			"the victim's workspace":      apikey.New(apikey.Test, apikey.Secret, uuid.MustParse(a.victim.things["workspace"]), good.ID).Text(),
			"the other mode":              retell(a.own.secret, "gv_test_sk_", "gv_live_sk_"),
			"the other kind":              retell(a.own.secret, "gv_test_sk_", "gv_test_pk_"),
			"a publishable one as secret": retell(a.own.publishable, "gv_test_pk_", "gv_test_sk_"),
			"a revoked key":               revoked,
			"an expired key":              expired,
			"the operator's token":        servertest.OperatorToken,
		} {
			if got := a.probe(key); got.status != 401 || got.masked() != wanted.masked() || got.header.Get("WWW-Authenticate") == "" {
				a.t.Errorf("%s: %v, want %v", what, got, wanted)
			}
		}
	})
}

// issue makes a key through the contract and gives its text and its id.
func (w *world) issue(set map[string]any) (text, id string) {
	w.t.Helper()
	made := w.must(w.recipe("createApiKey", set), 201)
	return made.text("secret"), made.text("api_key.id")
}

// retell gives a key another beginning and the checksum that goes with it.
func retell(key, from, to string) string {
	k, err := apikey.Parse(key)
	if err != nil {
		panic(err)
	}
	body := to + strings.TrimPrefix(k.Text(), from)
	body = body[:len(body)-6]
	return body + checksumOf(body)
}

// badChecksums changes one character of a key at every place, and wants it refused without a question to the database.
func (a *attack) badChecksums() {
	before := a.queries.n.Load()
	key := a.own.secret
	for i := range len(key) {
		for _, c := range []byte{'0', 'z', '-'} {
			if key[i] == c {
				continue
			}
			if got := a.probe(key[:i] + string(c) + key[i+1:]); got.status != 401 || got.text("code") != "unauthenticated" {
				a.t.Errorf("with %q at %d: %v", c, i, got)
			}
		}
	}
	for _, text := range []string{key[:len(key)-1], key + "0", key + key, key[1:], strings.ToUpper(key), strings.ToLower(key), "gv_", "x", strings.Repeat("a", 8000)} {
		if got := a.probe(text); got.status != 401 {
			a.t.Errorf("with %.100q: %v", text, got)
		}
	}
	if n := a.queries.n.Load() - before; n != 0 {
		a.t.Errorf("the database was asked %d times", n)
	}
	if got := a.probe(key); got.status != 200 || got.queries == 0 {
		a.t.Errorf("the good key: %v after %d statements", got, got.queries)
	}
}

// comparison reads how secrets are compared: what takes time by how much of a guess is right can be measured, but not reliably in a
// test. A key is looked up by its public id, with one statement whether it exists or not, and its secret is compared as a hash, by the
// one function that takes constant time; the operator's token likewise.
func (a *attack) comparison() {
	good, err := apikey.Parse(a.own.secret)
	if err != nil {
		a.t.Fatal(err)
	}
	known := a.probe(apikey.New(apikey.Test, apikey.Secret, good.WorkspaceID, good.ID).Text())
	unknown := a.probe(apikey.New(apikey.Test, apikey.Secret, good.WorkspaceID, uuid.New()).Text())
	if known.queries != 1 || unknown.queries != 1 {
		a.t.Errorf("%d statements for a known key, %d for an unknown one", known.queries, unknown.queries)
	}
	for _, fault := range append(comparisonFaults("../server/apikey/apikey.go", nil, "Matches"),
		comparisonFaults("../server/auth.go", nil, "authenticateOperator")...) {
		a.t.Error(fault)
	}
}

// comparisonFaults lists what is wrong with a function that compares secrets: it must do so with subtle.ConstantTimeCompare, and its
// file must compare no hash, secret or token in another way.
func comparisonFaults(path string, source any, function string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	constant := false
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			constant = constant || n.Name.Name == function && calls(n, "ConstantTimeCompare")
		case *ast.CallExpr:
			if name := nameOf(n.Fun); (name == "Equal" || name == "Compare" || name == "EqualFold") && slices.ContainsFunc(n.Args, secretive) {
				out = append(out, path+" compares a secret with "+name)
			}
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && (secretive(n.X) && !known(n.Y) || secretive(n.Y) && !known(n.X)) {
				out = append(out, path+" compares a secret with "+n.Op.String())
			}
		}
		return true
	})
	if !constant {
		out = append(out, path+": "+function+" does not compare in constant time")
	}
	return out
}

func calls(n ast.Node, name string) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		found = found || ok && nameOf(c.Fun) == name
		return true
	})
	return found
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// known says whether an expression is a literal, which a secret is never compared with to find out what it is.
func known(e ast.Expr) bool {
	_, ok := e.(*ast.BasicLit)
	return ok
}

// secretive says whether an expression has to do with a secret, by the names in it.
func secretive(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if i, ok := n.(*ast.Ident); ok {
			name := strings.ToLower(i.Name)
			found = found || strings.HasSuffix(name, "hash") || strings.HasSuffix(name, "secret") || name == "token" || name == "operator"
		}
		return true
	})
	return found
}

// secretsOnce makes a key, and a workspace, twice with the same Idempotency-Key: the secret is in the first answer alone.
func (a *attack) secretsOnce() {
	for id, texts := range map[string][]string{"createApiKey": {"secret"}, "createWorkspace": {"live_key", "test_key"}} {
		r := a.recipe(id, nil)
		first, again := a.must(r, 201), a.must(r, 201)
		for _, text := range texts {
			secret := first.text(text)
			if len(secret) < 60 || strings.Contains(again.body, secret) || again.text(text) != "" {
				a.t.Errorf("%s: first %v, then %v", id, first, again)
			}
			a.planted = append(a.planted, secret)
			if got := a.probe(secret); got.status != 200 && id == "createApiKey" {
				a.t.Errorf("the key that was made: %v", got)
			}
		}
		if first.text("secret_already_shown") != "false" || again.text("secret_already_shown") != "true" || again.header.Get("Idempotent-Replayed") != "true" {
			a.t.Errorf("%s: first %v, then %v", id, first, again)
		}
		for _, name := range []string{"api_key.id", "live.id"} {
			if first.text(name) != again.text(name) {
				a.t.Errorf("%s made two: %v and %v", id, first, again)
			}
		}
	}
	a.must(a.recipe("listApiKeys", nil), 200) // what it must not show is planted by now
}

// scopesPassedOn has keys make keys of scopes that they lack themselves.
func (a *attack) scopesPassedOn() {
	weak := a.key("keys:write", "codes:read")
	a.unchanged("W", "passing on a scope", func() {
		for _, scope := range servertest.Scopes(a.t) {
			if slices.Contains([]string{"keys:write", "keys:read", "codes:read"}, scope) {
				continue
			}
			r := a.recipe("createApiKey", map[string]any{"/scopes": []any{"codes:read", scope}}).from(weak)
			if got := a.send(r); got.status != 403 {
				a.t.Errorf("%s: %v", scope, got)
			}
		}
		if got := a.send(a.recipe("createApiKey", map[string]any{"/kind": "publishable", "/scopes": []any{}}).from(weak)); got.status != 403 {
			a.t.Errorf("a publishable key: %v", got)
		}
	})
	a.must(a.recipe("createApiKey", map[string]any{"/scopes": []any{"codes:read", "keys:read"}}).from(weak), 201)
}

// revokedWhileRead revokes a live key between the moment that the server has read it and the one that it remembers it.
func (a *attack) revokedWhileRead() {
	v := a.as(a.twin)
	key, id := v.issue(map[string]any{"/scopes": []any{"codes:read"}})
	held := a.queries.holdAnswer("GetAPIKeyWithWorkspace")
	early := make(chan answer, 1)
	go func() {
		defer close(early)
		early <- v.probe(key)
	}()
	<-held.reached
	revoked := v.send(v.recipeAt("revokeApiKey", "api_key_id", id, nil))
	close(held.release)
	if got := <-early; got.status != 200 && got.status != 401 {
		a.t.Errorf("a request of before the revocation: %v", got)
	}
	if got := v.probe(key); got.status != 401 || revoked.status != 200 {
		a.t.Errorf("after the revocation %v: %v", revoked, got)
	}
}

func checksumOf(body string) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := uint64(crc32.ChecksumIEEE([]byte(body)))
	var out []byte
	for range 6 {
		out = append(out, digits[sum%62])
		sum /= 62
	}
	slices.Reverse(out)
	return string(out)
}

// TestTheChecksumOfAMadeUpKeyIsRight keeps the made-up keys from being refused for their checksum.
func TestTheChecksumOfAMadeUpKeyIsRight(t *testing.T) {
	t.Parallel()
	key := apikey.New(apikey.Test, apikey.Secret, uuid.New(), uuid.New()).Text()
	if got := retell(key, "gv_test_sk_", "gv_test_sk_"); got != key {
		t.Errorf("%s became %s", key, got)
	}
	for _, to := range []string{"gv_live_sk_", "gv_test_pk_"} {
		if _, err := apikey.Parse(retell(key, "gv_test_sk_", to)); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}
