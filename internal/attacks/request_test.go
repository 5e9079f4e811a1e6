package attacks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// request is what is sent. Its body is a document until it is sent, so that it can be changed.
type request struct {
	op      *operation // nil for what is not of the contract
	as      string     // own, twin, victim, publishable, operator, none, or the text of a key
	method  string
	target  string
	path    map[string]string
	query   url.Values
	headers []string // "Name: value"; "+Name: value" adds one more; an empty value takes it away
	body    any      // document; text when it is a string
	hasBody bool
}

// recipe renders the valid request of an operation, with places of its body set to other values; nil takes a property out.
func (w *world) recipe(id string, set map[string]any) request {
	w.t.Helper()
	return w.render(id, w.book.Recipes[id], set)
}

// recipeAt is the recipe for a thing that is there, without making the one that it would use up.
func (w *world) recipeAt(id, param, at string, set map[string]any) request {
	w.t.Helper()
	rec := w.book.Recipes[id]
	rec.Path = map[string]string{param: at}
	return w.render(id, rec, set)
}

func (w *world) render(id string, rec recipe, set map[string]any) request {
	w.t.Helper()
	op := w.book.operation(id)
	if op == nil {
		w.t.Fatalf("there is no operation %s", id)
	}
	// One moment for the whole request: a customer since the second before is one that was there already.
	at, now := map[string]string{"unique": w.unique()}, sync.OnceValue(w.now)
	fill := func(text string) string {
		if strings.Contains(text, "${now}") {
			at["now"] = now()
		}
		return w.fill(text, at)
	}
	r := request{op: op, as: rec.As, method: op.method, path: map[string]string{}, query: url.Values{}}
	if r.as == "" {
		r.as = "own"
	}
	if op.key == "none" {
		r.as = "none"
	}
	for _, p := range op.params {
		given, ok := rec.Path[p.Name]
		switch {
		case p.In == "path" && ok:
			r.path[p.Name] = fill(given)
		case p.In == "path" && rec.Target == "":
			r.path[p.Name] = w.thing("own", w.book.Kinds[p.Name])
		}
	}
	for name, value := range rec.Query {
		r.query.Set(name, fill(value))
	}
	for _, h := range rec.Headers {
		r.headers = append(r.headers, fill(h))
	}
	r.target = fill(rec.Target)
	if op.body != nil {
		r.body, r.hasBody = fillAll(rec.Body, fill), true
		for _, pointer := range slices.Sorted(maps.Keys(set)) {
			r.body = put(r.body, pointer, set[pointer])
		}
	}
	if op.has("header", "If-Match") {
		current := w.send(request{method: http.MethodGet, target: r.pathText(), as: r.as})
		r.headers = append(r.headers, "If-Match: "+current.header.Get("Etag"))
	}
	if op.has("header", "Idempotency-Key") {
		r.headers = append(r.headers, "Idempotency-Key: "+uuid.NewString())
	}
	return r
}

func (r request) pathText() string {
	if r.target != "" || r.op == nil {
		return r.target
	}
	path := r.op.path
	for name, value := range r.path {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

func (r request) url() string {
	if len(r.query) == 0 {
		return r.pathText()
	}
	return r.pathText() + "?" + r.query.Encode()
}

// with gives a copy with a place set to a value.
func (r request) with(p place, value any) request {
	switch p.in {
	case "path":
		r.path = maps.Clone(r.path)
		r.path[p.at] = fmt.Sprint(value)
	case "query":
		r.query = maps.Clone(r.query)
		r.query.Set(p.at, fmt.Sprint(value))
	default:
		r.body = put(r.body, p.at, value)
	}
	return r
}

// header gives a copy with one more header line, which replaces an earlier one of its name when it is sent.
func (r request) header(line string) request {
	r.headers = append(slices.Clone(r.headers), line)
	return r
}

// as gives a copy with another credential.
func (r request) from(as string) request {
	r.as = as
	return r
}

// raw is text that goes into a body as it is, also where it is no JSON.
type raw string

const rawMark = "@raw@"

// text writes the body.
func (r request) text() string {
	if s, ok := r.body.(string); ok {
		return s
	}
	if !r.hasBody {
		return ""
	}
	var raws []string
	var mark func(v any) any
	mark = func(v any) any {
		switch v := v.(type) {
		case raw:
			raws = append(raws, string(v))
			return rawMark + strconv.Itoa(len(raws)-1)
		case map[string]any:
			out := map[string]any{}
			for _, name := range slices.Sorted(maps.Keys(v)) {
				out[name] = mark(v[name])
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = mark(v[i])
			}
			return out
		}
		return v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(mark(r.body)); err != nil {
		panic(err) // it came from YAML
	}
	text := strings.TrimSuffix(b.String(), "\n")
	for i, s := range raws {
		text = strings.Replace(text, `"`+rawMark+strconv.Itoa(i)+`"`, s, 1)
	}
	return text
}

// put gives a copy of a document with another value at a pointer; nil takes a property out. What is missing on the way is made.
func put(doc any, pointer string, value any) any {
	if pointer == "" {
		return value
	}
	step, rest, _ := strings.Cut(pointer[1:], "/")
	if rest != "" {
		rest = "/" + rest
	}
	if i, err := strconv.Atoi(step); err == nil {
		list, _ := doc.([]any)
		list = slices.Clone(list)
		for len(list) <= i {
			list = append(list, map[string]any{})
		}
		list[i] = put(list[i], rest, value)
		return list
	}
	object, _ := doc.(map[string]any)
	out := maps.Clone(object)
	if out == nil {
		out = map[string]any{}
	}
	if rest == "" && value == nil {
		delete(out, step)
		return out
	}
	out[step] = put(out[step], rest, value)
	return out
}

func fillAll(v any, fill func(string) string) any {
	switch v := v.(type) {
	case string:
		return fill(v)
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			out[name] = fillAll(member, fill)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fillAll(v[i], fill)
		}
		return out
	}
	return v
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// unique is a text that no other request has, easy to find in an answer.
func (w *world) unique() string { return fmt.Sprintf("u%dq", w.serial.Add(1)) }

// fill replaces ${…}: the values at hand, the attacker's things (victim.code for another's), new.… for something fresh, and a few
// functions.
func (w *world) fill(text string, at map[string]string) string {
	w.t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		if v, ok := at[name]; ok {
			return v
		}
		word, rest, _ := strings.Cut(name, " ")
		switch word {
		case "unique":
			return w.unique()
		case "now":
			return w.now()
		case "soon":
			return w.soon()
		case "today":
			return today()
		case "fresh_id", "random":
			return newID()
		case "key":
			return w.credential(rest)
		case "fresh":
			whose, kind, _ := strings.Cut(rest, " ")
			return w.newName(whose, kind)
		case "host":
			return strings.TrimPrefix(w.server.URL, "http://")
		case "bytes":
			b, err := hex.DecodeString(rest)
			if err != nil {
				w.t.Fatalf("%s: %v", m, err)
			}
			return string(b)
		case "repeat", "chunks":
			count, what, _ := strings.Cut(rest, " ")
			if word == "chunks" {
				what = "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
			}
			n, err := strconv.Atoi(count)
			if err != nil {
				w.t.Fatalf("%s: %v", m, err)
			}
			return strings.Repeat(what, n)
		}
		if what, ok := strings.CutPrefix(name, "new."); ok {
			return w.make(what)
		}
		if whose, kind, ok := strings.Cut(name, "."); ok {
			return w.thing(whose, kind)
		}
		return w.thing("own", name)
	})
}

// now is the workspace's clock, which may stand still.
func (w *world) now() string {
	var at time.Time
	err := w.owner.QueryRow(w.t.Context(), "SELECT coalesce(clock_at, now()) FROM workspaces WHERE workspace_id = $1", w.own.things["workspace"]).Scan(&at)
	if err != nil {
		w.t.Fatal(err)
	}
	return at.UTC().Format(time.RFC3339)
}

// credential is the text of who sends a request.
func (w *world) credential(as string) string {
	switch as {
	case "own":
		return w.own.secret
	case "twin":
		return w.twin.secret
	case "victim":
		return w.victim.secret
	case "publishable":
		return w.own.publishable
	case "operator":
		return operatorToken
	case "none":
		return ""
	}
	return as
}
