package attacks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/server"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func init() {
	programs["same key, same body"] = (*attack).sameBody
	programs["same key, other body"] = (*attack).otherBody
	programs["same key elsewhere"] = (*attack).elsewhere
	programs["crash in flight"] = (*attack).crash
	programs["stored refusals"] = (*attack).storedRefusals
	programs["beacons"] = (*attack).beacons
}

// keyed goes over the operations that take an Idempotency-Key and store it; the row names those that only read.
func (a *attack) keyed(fn func(op *operation)) {
	reads := strings.Fields(a.row.With["reads"])
	for _, op := range a.book.operations {
		if sets["keyed"](op) && !slices.Contains(reads, op.id) {
			fn(op)
		}
	}
}

// sameBody sends everything that is stored under a key again, at once and to a server that was started meanwhile.
func (a *attack) sameBody() {
	type pair struct {
		r     request
		first answer
	}
	var all []pair
	a.keyed(func(op *operation) {
		r := a.recipe(op.id, nil)
		first := a.send(r)
		if first.status > 202 || first.header.Get("Idempotent-Replayed") != "" {
			a.t.Errorf("%s: %v", op.id, first)
		}
		a.unchanged("W", op.id+" again", func() { a.compare(op, first, a.send(r)) })
		all = append(all, pair{r, first})
	})
	restarted := a.start(nil)
	a.through(restarted, func() {
		a.unchanged("W", "all of it after a restart", func() {
			for _, p := range all {
				a.compare(p.r.op, p.first, a.send(p.r))
			}
		})
	})
	for _, id := range strings.Fields(a.row.With["reads"]) {
		r := a.recipe(id, nil)
		a.unchanged("W", id, func() {
			before := a.number("SELECT count(*) FROM idempotency_keys")
			if first, again := a.must(r, 200), a.must(r, 200); first.masked() != again.masked() {
				a.t.Errorf("%s: %v, then %v", id, first, again)
			}
			if n := a.number("SELECT count(*) FROM idempotency_keys"); n != before {
				a.t.Errorf("%s stored its key", id)
			}
		})
	}
}

func (a *attack) compare(op *operation, first, again answer) {
	a.t.Helper()
	for _, fault := range replayFaults(first, again, op.id == "createApiKey" || op.id == "createWorkspace") {
		a.t.Errorf("%s: %s", op.id, fault)
	}
}

// replayFaults lists in what a repetition is not the first answer. An answer with a secret is repeated without it.
func replayFaults(first, again answer, secret bool) []string {
	var out []string
	if again.header.Get("Idempotent-Replayed") != "true" {
		out = append(out, fmt.Sprintf("the repetition does not say so: %v", again.header))
	}
	if first.status != again.status || first.body != again.body && !secret {
		out = append(out, fmt.Sprintf("%v, then %v", first, again))
	}
	for _, name := range []string{"Location", "Etag", "Content-Type"} {
		if first.header.Get(name) != again.header.Get(name) {
			out = append(out, fmt.Sprintf("%s was %q, then %q", name, first.header.Get(name), again.header.Get(name)))
		}
	}
	return out
}

// otherBody changes one value of the body, or the thing in the path, which must be refused; then only the order of names and the
// white space, which must be the same request.
func (a *attack) otherBody() {
	a.keyed(func(op *operation) {
		r := a.recipe(op.id, nil)
		first := a.send(r)
		other := r
		switch {
		case op.body != nil:
			other.body = alter(r.body)
		case len(r.path) > 0:
			other.path = a.recipe(op.id, nil).path
		}
		a.unchanged("W", op.id, func() {
			if got := a.send(other); got.status != 422 || got.text("code") != "idempotency_key_reuse" {
				a.t.Errorf("%s with another body: %v; first %v", op.id, got, first)
			}
			if op.body != nil {
				same := r
				same.body = respell(r.text())
				a.compare(op, first, a.send(same))
			}
		})
	})
}

// alter changes the first text of a document, by name, so that it stays valid.
func alter(doc any) any {
	object, ok := doc.(map[string]any)
	if !ok {
		return doc
	}
	for _, name := range []string{"name", "reason", "external_id", "now", "clicks", "items", "rules", "value", "visitor_id", "note", "provider_reference", "source"} {
		switch v := object[name].(type) {
		case string:
			if name == "now" {
				return put(doc, "/now", strings.Replace(v, "Z", ".5Z", 1))
			}
			if name == "reason" && (v == "rotation" || v == "fraud") {
				return put(doc, "/reason", "other")
			}
			return put(doc, "/"+name, v+"x")
		case []any:
			return put(doc, "/"+name, append(slices.Clone(v), v[0]))
		case map[string]any:
			return put(doc, "/"+name, map[string]any{})
		}
	}
	return doc
}

// respell turns the members of the outermost object round and puts white space between them.
func respell(text string) string {
	var members []string
	depth, start, quoted := 0, 1, false
	for i := 1; i < len(text)-1; i++ {
		switch c := text[i]; {
		case c == '"' && text[i-1] != '\\':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			members, start = append(members, text[start:i]), i+1
		}
	}
	members = append(members, text[start:len(text)-1])
	slices.Reverse(members)
	return " {\n\t" + strings.Join(members, " ,\r\n ") + " } \n"
}

// elsewhere uses a key for another operation, in another workspace, and with another API key of the same workspace.
func (a *attack) elsewhere() {
	r := a.recipe("createParticipant", nil)
	first := a.must(r, 201)
	key := r.headers[len(r.headers)-1]
	colleague, reader := a.key("participants:write"), a.key("participants:read")
	a.unchanged("W", "another operation", func() {
		for _, id := range []string{"createProgram", "createSignup", "createApiKey", "moveTestClock"} {
			if got := a.send(a.recipe(id, nil).header(key)); got.status != 422 || got.text("code") != "idempotency_key_reuse" {
				a.t.Errorf("%s: %v", id, got)
			}
		}
		a.compare(r.op, first, a.send(r.from(colleague)))
	})
	a.unchanged("W", "a key that may not", func() {
		if got := a.send(r.from(reader)); got.status != 403 {
			a.t.Errorf("the answer was given to a key that may not ask: %v", got)
		}
	})
	for _, as := range []string{"twin", "victim"} {
		got := a.send(r.from(as))
		if got.status != 201 || got.header.Get("Idempotent-Replayed") != "" || got.text("id") == first.text("id") {
			a.t.Errorf("in another workspace: %v", got)
		}
	}
	operator := a.recipe("createWorkspace", nil).header(key)
	if got := a.send(operator); got.status != 201 {
		a.t.Errorf("workspace administration: %v", got)
	}
}

// crash ends a request's connection to the database while its transaction waits with the key claimed. Nothing of it stays, and the
// same request is done once when it comes again, also when several come at once. So it is when its sender goes away meanwhile.
func (a *attack) crash() {
	gone := a.recipe("createSignup", nil)
	conn, text := a.dial(), a.written(gone)
	a.whileLocked(func() answer {
		_, _ = conn.Write(text) // a request that does not arrive is waited for in vain
		return answer{}
	}, func(int64) { _ = conn.Close() })
	before := a.effects()
	if got := a.volley([]request{gone, gone}); got[0].status != 201 || got[0].body != got[1].body {
		a.t.Errorf("after its sender had gone: %v and %v", got[0], got[1])
	}
	if n := a.count("signups WHERE external_id = $2", gone.body.(map[string]any)["external_id"]); n != 1 || a.effects()-before > 1 {
		a.t.Errorf("the signup of somebody who had gone is stored %d times", n)
	}
	for _, id := range []string{"createSignup", "recordConversion", "createManualReward"} {
		r := a.recipe(id, nil)
		var cut answer
		a.unchanged("W", id+" that was cut", func() {
			cut = a.whileLocked(func() answer { return a.send(r) }, func(pid int64) {
				if n := a.number("SELECT pg_terminate_backend($1)::int", pid); n != 1 {
					a.t.Errorf("the connection %d was not there", pid)
				}
			})
		})
		if cut.status != 503 || cut.header.Get("Retry-After") == "" {
			a.t.Errorf("%s: %v", id, cut)
		}
		before = a.effects()
		got := a.volley([]request{r, r, r, r})
		for _, g := range got {
			if g.status != got[0].status || g.body != got[0].body || g.status > 202 {
				a.t.Errorf("%s after the crash: %v and %v", id, g, got[0])
			}
		}
		if n := a.effects() - before; n != 1 {
			a.t.Errorf("%s was done %d times after the crash", id, n)
		}
	}
}

// effects counts the facts of the attacker.
func (w *world) effects() int64 {
	return w.number(`SELECT (SELECT count(*) FROM signups WHERE workspace_id = $1) + (SELECT count(*) FROM conversions WHERE workspace_id = $1)
		+ (SELECT count(*) FROM rewards WHERE workspace_id = $1 AND cause_kind = 'manual')`, w.own.things["workspace"])
}

// whileLocked holds every participant of the attacker's, sends, waits until the request's transaction waits for one of them, and then
// acts on the connection that waits. The lock is let go before it returns the answer.
func (w *world) whileLocked(send func() answer, act func(pid int64)) answer {
	w.t.Helper()
	blocker := dbtest.Connect(w.t, w.database.URL, "")
	defer func() { _, _ = blocker.Exec(context.Background(), "ROLLBACK") }()
	for _, sql := range []string{"BEGIN", "LOCK TABLE participants IN ACCESS EXCLUSIVE MODE"} {
		if _, err := blocker.Exec(w.t.Context(), sql); err != nil {
			w.t.Fatal(err)
		}
	}
	got := make(chan answer, 1)
	go func() {
		defer close(got)
		got <- send()
	}()
	act(w.waiting())
	return <-got
}

// written is a request as bytes.
func (w *world) written(r request) []byte {
	w.t.Helper()
	text := r.text()
	req, err := http.NewRequestWithContext(w.t.Context(), r.method, w.server.URL+r.url(), strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	w.setHeaders(req, r, text)
	var out bytes.Buffer
	if err := req.Write(&out); err != nil {
		w.t.Fatal(err)
	}
	return out.Bytes()
}

// waiting gives the connection that waits for a lock, once there is one.
func (w *world) waiting() int64 {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var pid int64
		err := w.owner.QueryRow(w.t.Context(), `
			SELECT coalesce(max(pid), 0) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'grapevine'`).Scan(&pid)
		if err != nil {
			w.t.Fatal(err)
		}
		if pid != 0 {
			return pid
		}
	}
	w.t.Fatal("nobody waits")
	return 0
}

// storedRefusals tries refused requests again: what was refused for good stays so, what was refused for the moment is done.
func (a *attack) storedRefusals() {
	taken := a.recipe("createCode", map[string]any{"/value": a.own.things["code_value"]})
	first := a.must(taken, 409)
	a.unchanged("W", "a refusal again", func() {
		a.compare(taken.op, first, a.send(taken))
		fixed := taken.with(inBody("/value"), a.unique())
		if got := a.send(fixed); got.status != 422 || got.text("code") != "idempotency_key_reuse" {
			a.t.Errorf("the fixed request with the same key: %v", got)
		}
	})
	code := a.make("code")
	state := a.recipeAt("enableCode", "code_id", code, nil)
	first = a.must(state, 409)
	a.must(a.recipeAt("disableCode", "code_id", code, nil), 200)
	a.compare(state.op, first, a.send(state)) // it would succeed by now

	unknown := a.recipe("createCode", map[string]any{"/program_id": newID()})
	a.compare(unknown.op, a.must(unknown, 422), a.send(unknown))
	invalid := a.recipe("createCode", map[string]any{"/max_uses": 0})
	a.must(invalid, 422)
	if got := a.send(invalid.with(inBody("/max_uses"), 1)); got.status != 201 {
		a.t.Errorf("a key that came with an invalid body is used up: %v", got)
	}

	limited := a.start(func(o *server.Options) { o.RateLimit = server.Rate{PerSecond: 1, Burst: 1} })
	a.through(limited, func() {
		key := a.key("participants:write")
		r := a.recipe("createParticipant", nil).from(key)
		a.must(a.recipe("createParticipant", nil).from(key), 201)
		got := a.send(r)
		for got.status == 201 { // the machine was slower than the limit
			r = a.recipe("createParticipant", nil).from(key)
			got = a.send(r)
		}
		a.once("after 429", r, got, 429)
	})
	busy := a.startOn(a.openStore(func(o *store.Options) { o.LockTimeout = 50 * time.Millisecond }), nil)
	a.through(busy, func() {
		r := a.recipe("createParticipant", nil)
		a.once("after 503", r, a.whileLocked(func() answer { return a.send(r) }, func(int64) {}), 503)
	})
}

// once checks that a request that was refused for the moment is done when it is sent again, to a server that has time.
func (a *attack) once(what string, r request, refused answer, status int) {
	a.t.Helper()
	if refused.status != status || refused.header.Get("Retry-After") == "" {
		a.t.Errorf("%s: %v", what, refused)
	}
	rested := a.start(nil)
	a.through(rested, func() {
		if got := a.must(r, 201); got.header.Get("Idempotent-Replayed") != "" {
			a.t.Errorf("%s: the refusal was stored: %v", what, got)
		}
		a.compare(r.op, a.send(r), a.send(r))
	})
}

// beacons sends one click a thousand times, in many hands at once, and again days later.
func (a *attack) beacons() {
	click := a.recipe("recordClick", nil).from("publishable").with(inBody("/ip"), nil).with(inBody("/occurred_at"), nil)
	again := func(r request) request { return r.header("Idempotency-Key: " + newID()) }
	count := func() int64 {
		return a.number("SELECT count(*) FROM clicks WHERE workspace_id = $1", a.own.things["workspace"])
	}
	before := count()
	batch := make([]request, 100)
	made := 0
	for range 10 {
		for i := range batch {
			batch[i] = again(click)
		}
		for _, got := range a.volley(batch) {
			switch got.status {
			case 201:
				made++
			case 200:
			default:
				a.t.Errorf("%v", got)
			}
		}
	}
	if n := count() - before; n != 1 || made != 1 {
		a.t.Errorf("%d clicks, %d answers that say so", n, made)
	}
	a.must(a.recipe("moveTestClock", map[string]any{"/now": time.Now().UTC().Add(72 * time.Hour).Format(time.RFC3339)}), 200)
	if got := a.send(again(click)); got.status != 200 {
		a.t.Errorf("days later: %v", got)
	}
	other := a.send(again(click.with(inBody("/code"), a.own.things["other_code_value"])))
	if other.status != 409 || count()-before != 1 {
		a.t.Errorf("the id for another click: %v", other)
	}
}
