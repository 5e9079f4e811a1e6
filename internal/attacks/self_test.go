package attacks

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen"
)

// A check that cannot fail is no check: here each kind of them is given something wrong.

// TestTheDigestSeesEveryTable changes one row of every table that has one, and looks which part of the digest notices.
func TestTheDigestSeesEveryTable(t *testing.T) {
	t.Parallel()
	b, err := theBook()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, b)
	before := w.digest()
	tried := map[string]bool{}
	for p := range before {
		if tried[p.table] || p.workspace != w.victim.things["workspace"] {
			continue
		}
		tried[p.table] = true
		w.undone(func() {
			w.spoil(p)
			got := changes(before, w.digest(), "W", "")
			if len(got) != 1 || !strings.HasPrefix(got[0], p.table+" of "+p.workspace) {
				t.Errorf("a change of %v was noticed as %q", p, got)
			}
			if got := changes(before, w.digest(), "V", w.own.things["workspace"]); len(got) != 1 {
				t.Errorf("a change of the victim's %s was not noticed", p.table)
			}
			if got := changes(before, w.digest(), "V", p.workspace); len(got) != 0 {
				t.Errorf("a change of the attacker's own %s counts: %q", p.table, got)
			}
		})
	}
	for _, table := range slices.Concat(moneyTables, factTables, []string{"workspaces", "api_keys", "programs", "participants", "codes", "events"}) {
		if !tried[table] {
			t.Errorf("the victim has nothing in %s", table)
		}
	}
	if got := changes(before, w.digest(), "W", ""); len(got) > 0 {
		t.Errorf("what was planted has stayed: %q", got)
	}
}

// undone undoes what fn does to the database.
func (w *world) undone(fn func()) {
	w.t.Helper()
	w.exec("BEGIN")
	defer w.exec("ROLLBACK")
	fn()
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.owner.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// spoil changes one row of a table in a workspace, in the first way that its keys and checks let pass.
func (w *world) spoil(p part) {
	w.t.Helper()
	for _, kind := range []struct{ types, sql string }{
		{"'timestamp with time zone'", "UPDATE %t SET %c = %c + interval '1 microsecond'"},
		{"'bigint', 'integer'", "UPDATE %t SET %c = %c + 1"},
		{"'bigint', 'integer'", "UPDATE %t SET %c = %c - 1"},
		{"'text'", "UPDATE %t SET %c = %c || 'x'"},
		{"'uuid', 'bytea'", "DELETE FROM %t"},
	} {
		rows, err := w.owner.Query(w.t.Context(), `
			SELECT column_name FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name = $1 AND is_nullable = 'NO' AND data_type IN (`+kind.types+`)`, p.table)
		if err != nil {
			w.t.Fatal(err)
		}
		var columns []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				w.t.Fatal(err)
			}
			columns = append(columns, name)
		}
		for _, c := range columns {
			sql := strings.NewReplacer("%t", p.table, "%c", c).Replace(kind.sql)
			w.exec("SAVEPOINT before")
			tag, err := w.owner.Exec(w.t.Context(), sql+` WHERE (tableoid, ctid) = (
				SELECT tableoid, ctid FROM `+p.table+` WHERE workspace_id = $1 LIMIT 1)`, p.workspace)
			if err == nil && tag.RowsAffected() == 1 {
				return
			}
			w.exec("ROLLBACK TO before")
		}
	}
	w.t.Fatalf("nothing of %s can be changed", p.table)
}

// TestTheInvariantsAreSeenToFail breaks each of them with raw SQL.
func TestTheInvariantsAreSeenToFail(t *testing.T) {
	t.Parallel()
	b, err := theBook()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, b)
	if got := w.breaches(); len(got) > 0 {
		t.Fatalf("before anything was planted: %q", got)
	}
	for what, sql := range map[string][]string{
		"referees have two live referrals": {
			"DROP INDEX referrals_referee_id_key",
			"CREATE TEMP TABLE twin AS SELECT * FROM referrals LIMIT 1", "UPDATE twin SET id = gen_random_uuid()", "INSERT INTO referrals SELECT * FROM twin",
		},
		"currencies do not sum to zero": {"UPDATE ledger_accounts SET balance = balance - 1 WHERE kind = 'expense'"},
		"accounts differ from their transfers": {
			"UPDATE ledger_accounts SET balance = balance + 1 WHERE kind IN ('pending', 'available')",
		},
		"rewards are not in the books as they stand": {"UPDATE rewards SET granted = granted + 1"},
		"conversions are reversed by more or less than their reversals took": {
			"UPDATE conversions SET reversed_amount = 1 WHERE reversed_amount = 0", "UPDATE reversals SET conversion_external_id = 'another'",
		},
		"codes count other uses than they have": {"UPDATE codes SET max_uses = 9, uses = 7"},
	} {
		w.undone(func() {
			for _, s := range sql {
				w.exec(s)
			}
			if got := w.breaches(); !slices.ContainsFunc(got, func(b string) bool { return strings.HasSuffix(b, what) }) {
				t.Errorf("planted: %s; found: %q", what, got)
			}
		})
	}
	for what := range invariants {
		if !slices.Contains([]string{
			"referees have two live referrals", "currencies do not sum to zero", "accounts differ from their transfers",
			"rewards are not in the books as they stand", "conversions are reversed by more or less than their reversals took",
			"codes count other uses than they have",
		}, what) {
			t.Errorf("nothing was planted for %s", what)
		}
	}
	w.undone(func() {
		program := w.own.things["program"]
		w.exec("CREATE TEMP TABLE back AS SELECT * FROM referrals WHERE program_id = $1 LIMIT 1", program)
		if n := w.number(cyclesSQL, program); n != 0 {
			t.Errorf("%d cycles before one was planted", n)
		}
		w.exec("UPDATE back SET id = gen_random_uuid(), referrer_id = referee_id, referee_id = referrer_id")
		w.exec("INSERT INTO referrals SELECT * FROM back")
		if n := w.number(cyclesSQL, program); n != 2 {
			t.Errorf("a cycle of two is found in %d participants", n)
		}
	})
	if got, closed := w.sendRaw("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); got.status != 200 || closed {
		t.Errorf("a connection that stays open counts as closed: %v", got)
	}
}

// TestWrongAnswersAreSeen gives every judge of answers one that is wrong in one respect.
func TestWrongAnswersAreSeen(t *testing.T) {
	t.Parallel()
	good := func(change func(*answer)) answer {
		a := answer{status: 422, header: http.Header{
			"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "X-Request-Id": {"1"}, "Location": {"/a"},
		}, body: `{"status":422,"code":"validation_failed","errors":[{"pointer":"/a"}]}`}
		if change != nil {
			change(&a)
		}
		_ = json.Unmarshal([]byte(a.body), &a.doc)
		return a
	}
	want := wanted{status: []int{422}, code: "validation_failed", header: map[string]string{"Location": "^/a$"}, matches: "code", pointer: "/a"}
	if faults := slices.Concat(refusalFaults(good(nil)), want.faults(good(nil))); len(faults) > 0 {
		t.Fatalf("a good answer has %q", faults)
	}
	for what, change := range map[string]func(*answer){
		"status": func(a *answer) {
			a.status, a.body = 400, `{"status":400,"code":"validation_failed","errors":[{"pointer":"/a"}]}`
		},
		"code":          func(a *answer) { a.body = `{"status":422,"code":"conflict","errors":[{"pointer":"/a"}]}` },
		"pointer":       func(a *answer) { a.body = `{"status":422,"code":"validation_failed","errors":[{"pointer":"/b"}]}` },
		"header":        func(a *answer) { a.header.Set("Location", "/b") },
		"header twice":  func(a *answer) { a.header.Add("Location", "/a") },
		"body":          func(a *answer) { a.body = `{"status":422}` },
		"no problem":    func(a *answer) { a.body = "Unprocessable" },
		"media type":    func(a *answer) { a.header.Set("Content-Type", "application/json") },
		"cached":        func(a *answer) { a.header.Del("Cache-Control") },
		"no request id": func(a *answer) { a.header.Del("X-Request-Id") },
		"server":        func(a *answer) { a.header.Set("Server", "x") },
		"500":           func(a *answer) { a.status = 500 },
		"SQL":           func(a *answer) { a.body = strings.Replace(a.body, "/a", "SELECT 1", 1) },
		"stack":         func(a *answer) { a.body = strings.Replace(a.body, "/a", "edge.go:12", 1) },
		"SQLSTATE":      func(a *answer) { a.body = strings.Replace(a.body, "/a", "SQLSTATE 23505", 1) },
	} {
		a := good(change)
		if faults := slices.Concat(refusalFaults(a), want.faults(a)); len(faults) == 0 {
			t.Errorf("%s was not noticed", what)
		}
	}
	w := &world{foreign: map[string]bool{"0190a000-0000-7000-8000-000000000001": true}, planted: []string{"ada@planted.example"}}
	for what, body := range map[string]string{"an id": `"0190a000-0000-7000-8000-000000000001"`, "a text": `"ada@planted.example"`} {
		if faults := w.always(request{as: "own"}, "", answer{status: 200, body: body}); len(faults) != 1 {
			t.Errorf("%s of another was noticed as %q", what, faults)
		}
	}
	key := "gv_test_sk_" + strings.Repeat("1", 43) + strings.Repeat("s", 27) + "123456"
	if found("x"+strings.Repeat("s", 27)+"x", []string{key}) == nil || found("none", []string{key, ""}) != nil {
		t.Error("the secret of a key is not found")
	}
	if got := (&book{}).unbounded(`x{operation="planted"} 1` + "\n" + `y{operation="none"} 1`); len(got) != 1 {
		t.Errorf("a label of the caller's choice: %q", got)
	}
}

// TestWrongComparisonsAreSeen gives the judges that compare answers, counts and sources something that differs.
func TestWrongComparisonsAreSeen(t *testing.T) {
	t.Parallel()
	first := answer{status: 201, body: `{"id":"0190a000-0000-7000-8000-000000000001","at":"2026-01-01T00:00:00Z","who":"u1q"}`, header: http.Header{"Location": {"/a"}}}
	again := answer{status: 201, body: first.body, header: http.Header{"Location": {"/a"}, "Idempotent-Replayed": {"true"}}}
	if faults := replayFaults(first, again, false); len(faults) > 0 {
		t.Errorf("a good repetition has %q", faults)
	}
	for what, change := range map[string]func(a *answer){
		"status": func(a *answer) { a.status = 200 }, "body": func(a *answer) { a.body = "{}" },
		"location": func(a *answer) { a.header = http.Header{"Idempotent-Replayed": {"true"}} },
		"marker":   func(a *answer) { a.header = http.Header{"Location": {"/a"}} },
	} {
		wrong := again
		change(&wrong)
		if len(replayFaults(first, wrong, false)) == 0 {
			t.Errorf("a repetition with another %s was not noticed", what)
		}
	}
	like := answer{status: 201, body: `{"id":"0190a000-0000-7000-8000-000000000002","at":"2026-01-01T00:00:01Z","who":"u22q"}`, header: http.Header{"Location": {"/a"}}}
	unlike := answer{status: 201, body: `{"id":"0190a000-0000-7000-8000-000000000002","at":"2026-01-01T00:00:01Z","who":"bob"}`, header: like.header}
	if first.masked() != like.masked() || first.masked() == unlike.masked() {
		t.Errorf("%s and %s and %s", first.masked(), like.masked(), unlike.masked())
	}
	if got := exactly(map[string]int{"201 ": 2, "500 ": 1}, map[string]int{"201 ": 1, "409 ": 1}); len(got) != 3 {
		t.Errorf("three faults of a tally are %q", got)
	}
	leaf := place{op: &operation{id: "x"}, in: "body", at: "/y"}
	for what, c := range map[string]struct {
		in  string
		got answer
		ok  bool
	}{
		"a path that is found":      {"path", answer{status: 200}, false},
		"a path that is not":        {"path", answer{status: 404, doc: map[string]any{"code": "not_found"}}, true},
		"a filter that finds":       {"query", answer{status: 200, doc: map[string]any{"data": []any{1}}}, false},
		"a filter that does not":    {"query", answer{status: 200, doc: map[string]any{"data": []any{}}}, true},
		"a reference that is taken": {"body", answer{status: 201}, false},
		"a reference that is not":   {"body", answer{status: 422, doc: map[string]any{"code": "unknown_reference"}}, true},
	} {
		leaf.in = c.in
		if fault := (row{}).isolated(leaf, c.got); (fault == "") != c.ok {
			t.Errorf("%s: %q", what, fault)
		}
	}
	for source, want := range map[string]int{
		`package p; func Matches() bool { return subtle.ConstantTimeCompare(a, b) == 1 }`:                                      0,
		`package p; func Matches() bool { return bytes.Equal(k.Hash, b) }`:                                                     2,
		`package p; func Matches() bool { return subtle.ConstantTimeCompare(a, b) == 1 && string(x.SecretHash) == y }`:         1,
		`package p; func Matches() bool { return subtle.ConstantTimeCompare(a, b) == 1 }; func f() bool { return token == o }`: 1,
	} {
		if got := comparisonFaults("x.go", source, "Matches"); len(got) != want {
			t.Errorf("%s: %q", source, got)
		}
	}
}

// TestGapsAreSeen plants rows, operations, parameters and properties that nothing tries.
func TestGapsAreSeen(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		text     func(string) string
		contract func(map[string]any)
		programs []string
		want     string
	}{
		"an empty row":             {text: func(s string) string { return s + "\n  - {id: XX01, what: x}\n" }, want: "XX01 says neither"},
		"a row that is put off":    {text: func(s string) string { return s + "\n  - {id: XX01, what: x, later: y, run: rings}\n" }, want: "XX01 says neither"},
		"a program that is not":    {text: func(s string) string { return s + "\n  - {id: XX01, what: x, run: nothing}\n" }, want: "nothing, which does not exist"},
		"an id twice":              {text: func(s string) string { return s + "\n  - {id: AK01, what: x, run: rings}\n" }, want: "AK01 stands there twice"},
		"an unknown operation":     {text: func(s string) string { return s + "\n  - {id: XX01, what: x, cases: [{on: nothing, status: 1}]}\n" }, want: `no set "nothing"`},
		"a case without a status":  {text: func(s string) string { return s + "\n  - {id: XX01, what: x, cases: [{on: all}]}\n" }, want: "no status"},
		"an unknown kind of check": {text: func(s string) string { return s + "\n  - {id: XX01, what: x, run: rings, unchanged: Q}\n" }, want: "wants Q unchanged"},
		"a program without a row":  {programs: []string{"new"}, want: "the program new has no row"},
		"a recipe of nothing":      {text: func(s string) string { return strings.Replace(s, "\nrecipes:\n", "\nrecipes:\n  nothing: {}\n", 1) }, want: "no operation nothing"},
		"a name of nothing": {text: func(s string) string {
			return strings.Replace(s, "\nnames:\n", "\nnames:\n  nothing /x: code_value\n", 1)
		}, want: "no nothing /x"},
		"a new operation": {contract: func(c map[string]any) {
			paths := c["paths"].(map[string]any)
			paths["/v1/things"] = map[string]any{"get": map[string]any{"operationId": "listThings", "x-key": "secret", "responses": map[string]any{}}}
		}, want: "listThings has no recipe"},
		"a new id in a path": {contract: func(c map[string]any) {
			parameters(c, "/v1/codes")["parameters"] = []any{map[string]any{"in": "query", "name": "thing_id", "schema": map[string]any{"type": "string", "format": "uuid"}}}
		}, want: "listCodes thing_id names is not among the kinds"},
		"a new id in a body": {contract: func(c map[string]any) {
			properties(c, "NewCode")["thing_id"] = map[string]any{"type": "string", "format": "uuid"}
		}, want: "createCode /thing_id names is not among the kinds"},
		"a new name in a body": {contract: func(c map[string]any) {
			properties(c, "NewCode")["thing_external_id"] = map[string]any{"type": "string"}
		}, want: "createCode /thing_external_id names is not among the names"},
	} {
		text := string(bookText)
		if c.text != nil {
			text = c.text(text)
		}
		var contract map[string]any
		if err := json.Unmarshal(gen.OpenAPIJSON, &contract); err != nil {
			t.Fatal(err)
		}
		if c.contract != nil {
			c.contract(contract)
		}
		changed, err := json.Marshal(contract)
		if err != nil {
			t.Fatal(err)
		}
		b, err := readBook([]byte(text), changed)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var names []string
		for name := range programs {
			names = append(names, name)
		}
		faults := b.faults(append(names, c.programs...))
		if len(faults) != 1 || !strings.Contains(faults[0], c.want) {
			t.Errorf("%s was noticed as %q", what, faults)
		}
	}
	if _, err := readBook([]byte("rows: [{id: x, wat: y}]"), gen.OpenAPIJSON); err == nil {
		t.Error("an unknown field of a row was not noticed")
	}
}

func parameters(contract map[string]any, path string) map[string]any {
	return contract["paths"].(map[string]any)[path].(map[string]any)["get"].(map[string]any)
}

func properties(contract map[string]any, schema string) map[string]any {
	return contract["components"].(map[string]any)["schemas"].(map[string]any)[schema].(map[string]any)["properties"].(map[string]any)
}
