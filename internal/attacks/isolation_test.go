package attacks

import (
	"fmt"
	"net/url"
	"strings"
)

func init() {
	programs["foreign ids"] = (*attack).foreignIDs
	programs["foreign names"] = (*attack).foreignNames
	programs["lists"] = (*attack).lists
	programs["cursors"] = (*attack).cursors
	programs["things that do not belong together"] = (*attack).notTogether
}

// foreignIDs puts the id of another workspace's thing into every place of every operation that takes an id, and compares the answer
// with the one for an id of nothing. The row says whose ids, and which operations: those that read, write, or name things in a body.
func (a *attack) foreignIDs() {
	tried := 0
	for _, op := range a.book.operations {
		for _, p := range op.places() {
			if p.schema.Format == "uuid" && a.row.With["where"] == whereabouts(p) {
				a.foreignID(p)
				tried++
			}
		}
	}
	if tried < 5 {
		a.t.Errorf("%d places were tried", tried)
	}
}

// whereabouts says which row a place belongs to.
func whereabouts(p place) string {
	switch {
	case p.in == "path" && p.op.method == "GET":
		return "path of a read"
	case p.in == "path":
		return "path of a write"
	}
	return p.in
}

func (a *attack) foreignID(p place) {
	a.t.Helper()
	theirs, nothing := a.theirs(a.book.kindOf(p)), newID()
	r, twin := a.recipe(p.op.id, nil), a.recipe(p.op.id, nil)
	var got, other answer
	a.unchanged("V", p.String(), func() { got = a.send(r.with(p, theirs)) })
	a.unchanged("V", p.String(), func() { other = a.send(twin.with(p, nothing)) })
	given := []string{theirs, nothing}
	if got.masked(given...) != other.masked(given...) {
		a.t.Errorf("%s: a foreign id gets %v, a random one %v", p, got, other)
	}
	if fault := a.row.isolated(p, got); fault != "" {
		a.t.Errorf("%s: %s: %v", p, fault, got)
	}
}

// theirs is the name or id of a thing of the party that the row attacks.
func (a *attack) theirs(kind string) string {
	a.t.Helper()
	if _, named := fresh[kind]; named {
		return a.newName(a.row.With["whose"], kind)
	}
	return a.thing(a.row.With["whose"], kind)
}

// isolated says what is wrong with the answer to an id that names nothing of the workspace. The row lists the places where such an id
// is no fault.
func (r row) isolated(p place, got answer) string {
	want := map[string]string{"path": "404 not_found", "query": "empty list", "body": "422 unknown_reference"}[p.in]
	if special := r.With[p.String()]; special != "" {
		want = special
	}
	is := fmt.Sprint(got.status, " ", got.text("code"))
	if got.status < 400 {
		is = fmt.Sprint(got.status)
	}
	if data, _ := got.doc.(map[string]any); got.status == 200 && want == "empty list" {
		if list, ok := data["data"].([]any); ok && len(list) == 0 {
			is = want
		}
	}
	if is != want {
		return is + ", want " + want
	}
	return ""
}

// foreignNames puts what another workspace calls a thing into every place that takes a name, and compares the answer with the one for
// a name of nothing: names are nobody else's business.
func (a *attack) foreignNames() {
	for _, op := range a.book.operations {
		for _, p := range op.places() {
			kind := a.book.Names[p.String()]
			if kind == "" {
				continue
			}
			theirs := a.theirs(kind)
			nothing := strings.ToUpper(a.unique()) + "X"
			if strings.Contains(theirs, "@") {
				nothing += "@planted.example"
			}
			r, twin := a.recipe(op.id, nil), a.recipe(op.id, nil)
			if other := instead[p.String()]; other != "" {
				r, twin = r.with(inBody(other), nil), twin.with(inBody(other), nil)
			}
			var got, other answer
			a.unchanged("V", p.String(), func() { got = a.send(r.with(p, theirs)) })
			a.unchanged("V", p.String(), func() { other = a.send(twin.with(p, nothing)) })
			given := []string{theirs, nothing}
			if got.masked(given...) != other.masked(given...) {
				a.t.Errorf("%s: a foreign name gets %v, a random one %v", p, got, other)
			}
		}
	}
}

// instead are places that stand for one another: giving both is refused before anything is looked up.
var instead = map[string]string{
	"reattributeReferral /referrer_external_id": "/code",
}

// lists reads every list, whole and filtered by what the victim's things are called: nothing of the others' may be in it, which is
// checked with every answer; the attacker's own must be, so that the check had something to see.
func (a *attack) lists() {
	rows := 0
	for _, op := range a.book.operations {
		if !sets["lists"](op) {
			continue
		}
		r := a.recipe(op.id, nil)
		r.query.Set("limit", "200")
		got := a.must(r, 200)
		if list, ok := got.doc.(map[string]any)["data"].([]any); ok {
			rows += len(list)
			if len(list) == 0 {
				a.t.Errorf("%s is empty for its owner", op.id)
			}
		}
		for _, name := range a.names("victim") {
			if strings.Contains(got.body, `"`+name+`"`) {
				a.t.Errorf("%s shows %s", op.id, name)
			}
		}
	}
	if rows < 50 {
		a.t.Errorf("%d rows were looked at", rows)
	}
}

// names are the texts by which a party calls its things.
func (w *world) names(whose string) []string {
	var out []string
	for kind := range map[string]bool{"participant_name": true, "referee_name": true, "order_name": true, "signup_name": true, "code_value": true} {
		out = append(out, w.thing(whose, kind))
	}
	return out
}

// cursors uses cursors where they do not belong: another workspace's, another list's, another filter's, and broken ones.
func (a *attack) cursors() {
	for _, op := range a.book.operations {
		if !sets["lists"](op) {
			continue
		}
		page := func(as *party) (request, string) {
			v := a.as(as)
			r := v.recipe(op.id, nil).from(as.secret)
			r.query.Set("limit", "1")
			return r, v.must(r, 200).text("next_cursor")
		}
		r, own := page(a.own)
		_, theirs := page(a.victim)
		wrong := map[string]string{"no cursor at all": "AAAA", "an empty sum": strings.Repeat("A", 64)}
		if theirs != "" {
			wrong["the victim's"] = theirs
		}
		if own != "" {
			wrong["a changed one"] = flip(own)
			wrong["a shortened one"] = own[:len(own)-2]
		}
		other := "listPrograms"
		if op.id == other {
			other = "listCodes"
		}
		list := a.recipe(other, nil)
		list.query.Set("limit", "1")
		wrong["another list's"] = a.must(list, 200).text("next_cursor")
		for what, cursor := range wrong {
			r.query.Set("cursor", cursor)
			if got := a.send(r); got.status != 400 || got.text("code") != "malformed_request" {
				a.t.Errorf("%s of %s: %v", what, op.id, got)
			}
		}
		if own != "" {
			r.query.Set("cursor", own)
			a.must(r, 200)
		}
	}
	codes := a.recipe("listCodes", nil)
	codes.query = url.Values{"limit": {"1"}, "program_id": {a.own.things["program"]}}
	cursor := a.must(codes, 200).text("next_cursor")
	codes.query = url.Values{"limit": {"1"}, "cursor": {cursor}}
	if got := a.send(codes); got.status != 400 || cursor == "" {
		a.t.Errorf("a cursor of a filtered list with another filter: %v", got)
	}
}

// flip changes one character in the middle.
func flip(text string) string {
	b := []byte(text)
	i := len(b) / 2
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// notTogether names things of one workspace that have nothing to do with each other.
func (a *attack) notTogether() {
	other := a.make("active_program")
	inPath := place{in: "path", at: "program_id"}
	for what, c := range map[string]struct {
		r       request
		status  int
		matches string
	}{
		"a version of another program":     {a.recipe("getProgramVersion", nil).with(inPath, other), 404, "not_found"},
		"a click for another program":      {a.recipe("recordClick", map[string]any{"/program_id": other}), 422, "unknown_reference"},
		"a code of another program":        {a.recipe("lookupCode", map[string]any{"/program_id": other}), 200, `"found":false`},
		"a signup with it":                 {a.signup(other, a.unique(), a.own.things["code_value"]), 201, "CODE_NOT_FOUND"},
		"a signup with its click":          {a.signup(other, a.unique(), "").with(inBody("/code"), nil).with(inBody("/click_ids"), []any{a.own.things["click"]}), 201, "NO_TOUCH"},
		"a reversal of another type":       {a.recipe("recordReversal", map[string]any{"/conversion_type": "renewal"}), 202, `"conversion_id":null`},
		"a reversal from another source":   {a.recipe("recordReversal", map[string]any{"/source": "elsewhere"}), 202, `"conversion_id":null`},
		"a purchase in another program":    {a.recipe("recordConversion", map[string]any{"/program_id": other}), 202, "NO_REFERRAL"},
		"a dispute won of what is no such": {a.recipeAt("restoreReversal", "reversal_id", a.must(a.recipe("reverseConversion", nil), 201).text("reversal.id"), nil), 409, "state_not_allowed"},
	} {
		if got := a.send(c.r); got.status != c.status || !strings.Contains(got.body, c.matches) {
			a.t.Errorf("%s: %v, want %d %s", what, got, c.status, c.matches)
		}
	}
}
