package attacks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// attack is a row being tried.
type attack struct {
	*world
	row row
}

// programs are what rows name with run.
var programs = map[string]func(*attack){}

// mostRows is how many rows share a world, one after the other: worlds take seconds to make, and rows of different ones run side by
// side.
const mostRows = 12

// TestAttacks walks attacks.yaml. Rows that share the letters of their id share worlds.
func TestAttacks(t *testing.T) {
	t.Parallel()
	b, err := theBook()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range b.faults(slices.Sorted(maps.Keys(programs))) {
		t.Error(fault)
	}
	if t.Failed() {
		return
	}
	groups := map[string][]row{}
	for _, r := range b.Rows {
		group := strings.TrimRight(r.ID, "0123456789")
		groups[group] = append(groups[group], r)
	}
	for group, rows := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			rows = slices.DeleteFunc(rows, func(r row) bool { return r.Later != "" })
			for part := range slices.Chunk(rows, mostRows) {
				t.Run("from "+part[0].ID, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, b)
					for _, r := range part {
						w.try(t, r)
					}
					w.t = t
					w.finish()
				})
			}
		})
	}
}

// watched is how many operations are tried between two looks at the whole database, which take longer than the tries.
const watched = 8

// try tries one row.
func (w *world) try(t *testing.T, r row) {
	t.Run(r.ID, func(t *testing.T) {
		w.t = t
		a := &attack{w, r}
		if r.Run != "" {
			w.unchanged(cmp.Or(r.Unchanged, "W"), r.ID, func() { programs[r.Run](a) })
		}
		for _, c := range r.Cases {
			a.tryCase(c)
		}
	})
}

func (a *attack) tryCase(c try) {
	what := cmp.Or(c.Unchanged, a.row.Unchanged, "W")
	if c.On == "" {
		a.unchanged(what, a.row.ID+" "+c.Name, func() {
			for _, value := range orOne(c.Each) {
				a.tryFree(c, value)
			}
		})
		return
	}
	operations, err := a.book.selectOperations(c.On)
	if err != nil {
		a.t.Fatal(err)
	}
	tried := 0
	for ops := range slices.Chunk(operations, watched) {
		var bases []request
		var names []string
		for _, op := range ops {
			bases, names = append(bases, a.caseRecipe(c, op)), append(names, op.id)
		}
		a.unchanged(what, a.row.ID+" "+strings.Join(names, " or ")+" "+c.Name, func() {
			for _, base := range bases {
				for _, value := range orOne(c.Each) {
					tried += a.tryOperation(c, base, value)
				}
			}
		})
	}
	if tried == 0 {
		a.t.Errorf("the case %q tried nothing", c.Name)
	}
}

func orOne(each []string) []string {
	if len(each) == 0 {
		return []string{""}
	}
	return each
}

// caseRecipe makes what the request uses up before the digest is taken.
func (a *attack) caseRecipe(c try, op *operation) request {
	r := a.recipe(op.id, nil)
	if c.As != "" {
		r.as = a.keyFor(c.As, op)
	}
	return r
}

// tryOperation sends the request of an operation, changed as the case says, once for every place that it names.
func (a *attack) tryOperation(c try, base request, value string) int {
	if c.At == "" {
		a.check(c, a.change(c, base, value), "", value)
		return 1
	}
	places, err := base.op.placesOf(c.At)
	if err != nil {
		a.t.Fatal(err)
	}
	tried := 0
	for _, p := range places {
		text, ok := p.invalid(c.Value)
		if !ok {
			continue
		}
		if p.in == "body" {
			a.check(c, a.change(c, base.with(p, raw(a.fillWith(text, value))), value), p.pointer(), value)
		} else {
			a.check(c, a.change(c, base.with(p, strings.Trim(a.fillWith(text, value), `"`)), value), p.pointer(), value)
		}
		tried++
	}
	return tried
}

// invalid gives a value by the case's word for it, or the word itself; there is none when the place has no such bound.
func (p place) invalid(word string) (string, bool) {
	s := p.schema
	switch word {
	case "=below":
		if s.Min == nil {
			return "", false
		}
		return fmt.Sprint(int64(*s.Min) - 1), true
	case "=above":
		if s.Max == nil {
			return "", false
		}
		return fmt.Sprint(int64(*s.Max) + 1), true
	case "=longer":
		if s.MaxLength == nil {
			return "", false
		}
		return `"` + strings.Repeat("a", int(*s.MaxLength)+1) + `"`, true
	case "=wider":
		if s.MaxLength == nil {
			return "", false
		}
		return `"` + strings.Repeat("\U0001F469\u0301", int(*s.MaxLength)/2+1) + `"`, true
	}
	return word, true
}

// change makes of a valid request what the case sends.
func (a *attack) change(c try, r request, value string) request {
	if c.Method != "" {
		r.method = c.Method
	}
	if c.Query != "" {
		query := a.fillWith(c.Query, value)
		if rest, more := strings.CutPrefix(query, "&"); more && len(r.query) > 0 {
			query = r.query.Encode() + "&" + rest
		} else if more {
			query = rest
		}
		r.target, r.query = r.pathText()+"?"+query, nil
	}
	if r.op != nil && r.op.has("header", "Idempotency-Key") {
		r = r.header("Idempotency-Key: " + newID())
	}
	for _, h := range c.Headers {
		r = r.header(a.fillWith(h, value))
	}
	if c.Body != nil {
		r.body, r.hasBody = a.fillWith(*c.Body, value), true
	}
	if c.Head+c.Append+c.Tail != "" {
		text := r.text()
		if c.Append != "" {
			text = strings.TrimSuffix(text, "}") + "," + a.fillWith(c.Append, value) + "}"
			text = strings.Replace(text, "{,", "{", 1)
		}
		r.body, r.hasBody = a.fillWith(c.Head, value)+text+a.fillWith(c.Tail, value), true
	}
	return r
}

func (a *attack) fillWith(text, value string) string {
	return a.fill(text, map[string]string{"each": a.fill(value, nil)})
}

// tryFree sends what is no operation's request.
func (a *attack) tryFree(c try, value string) {
	a.t.Helper()
	if c.Raw != "" {
		got, closed := a.sendRaw(a.fillWith(c.Raw, value))
		faults := append(refusalFaults(got), wantedOf(c).faults(got)...)
		if c.Closed && !closed {
			faults = append(faults, "the connection stays open")
		}
		for _, fault := range faults {
			a.t.Errorf("%s %.100q: %s", c.Name, value, fault)
		}
		return
	}
	r := request{method: cmp.Or(a.fillWith(c.Method, value), "GET"), target: a.fillWith(c.Target, value), as: cmp.Or(c.As, "own")}
	c.Target, c.Method = "", ""
	a.check(c, a.change(c, r, value), "", value)
}

func (a *attack) check(c try, r request, pointer, value string) {
	a.t.Helper()
	want := wantedOf(c)
	if len(want.status) == 1 { // a case that allows several answers is not about one fault
		want.pointer = pointer
	}
	for _, fault := range want.faults(a.send(r)) {
		a.t.Errorf("%s %s %s %.100q: %s", c.Name, r.method, r.url()[:min(len(r.url()), 200)], pointer+value, fault)
	}
}
