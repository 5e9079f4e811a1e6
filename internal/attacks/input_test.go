package attacks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func init() {
	programs["lists in bodies"] = (*attack).listsInBodies
	programs["zones"] = (*attack).zones
	programs["aliases"] = (*attack).aliases
	programs["columns"] = (*attack).columns
}

// listsInBodies makes every list of every body one longer than it may be, as short as it may not be, and, where things must differ,
// repeats one.
func (a *attack) listsInBodies() {
	tried := 0
	for _, op := range a.book.operations {
		if op.body == nil {
			continue
		}
		r := a.recipe(op.id, nil)
		for _, l := range op.lists() {
			if l.schema.MaxItems == nil {
				a.t.Errorf("%s %s is not bounded", op.id, l.at)
				continue
			}
			one := at(r.body, l.at+"/0")
			wrong := map[string]any{"too long": slices.Repeat([]any{one}, int(*l.schema.MaxItems)+1)}
			if l.schema.MinItems > 0 {
				wrong["empty"] = []any{}
			}
			if l.schema.UniqueItems {
				wrong["twice the same"] = []any{one, one}
			}
			a.unchanged("W", op.id+" "+l.at, func() {
				for what, value := range wrong {
					if got := a.send(r.with(inBody(l.at), value).header("Idempotency-Key: " + newID())); got.status != 422 || !strings.Contains(got.body, l.at) {
						a.t.Errorf("%s %s %s: %v", op.id, l.at, what, got)
					}
					tried++
				}
			})
		}
	}
	if tried < 20 {
		a.t.Errorf("%d lists were tried", tried)
	}
}

// at gives the value at a pointer of a document, nil when there is none.
func at(doc any, pointer string) any {
	for step := range strings.SplitSeq(pointer[1:], "/") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			doc = v[i]
		}
	}
	return doc
}

// zones counts signups around midnight and around the changes of the clock in the zone of a program: the row gives moments and the
// days they belong to.
func (a *attack) zones() {
	test, _ := a.firm("zones")
	a.populate(test)
	v := a.as(test)
	clock := func(at string) { v.must(v.recipe("moveTestClock", map[string]any{"/now": at}), 200) }
	clock("2027-02-20T00:00:00Z")
	programs, want := map[string]string{}, map[string]map[string]int{}
	for _, season := range []struct{ until, months string }{{"2027-04-01T00:00:00Z", "2027-03"}, {"2027-11-15T00:00:00Z", "2027-11 2027-10"}} {
		for place := range a.row.With {
			if zone, _, _ := strings.Cut(place, " "); programs[zone] == "" {
				programs[zone] = v.must(v.recipe("createProgram", map[string]any{"/time_zone": zone}), 201).text("id")
				want[zone] = map[string]int{}
				v.must(v.recipeAt("activateProgram", "program_id", programs[zone], nil), 200)
			}
		}
		clock(season.until)
		for place, day := range a.row.With {
			zone, at, _ := strings.Cut(place, " ")
			if !strings.Contains(season.months, at[:7]) {
				continue
			}
			r := v.signup(programs[zone], v.unique(), "NONE")
			v.must(r.with(inBody("/occurred_at"), at), 201)
			want[zone][day]++
		}
	}
	for zone, program := range programs {
		r := v.recipeAt("getProgramStatistics", "program_id", program, nil)
		r.query.Set("from", "2027-01-01")
		r.query.Set("to", "2027-12-31")
		got, days := v.must(r, 200), map[string]int{}
		for i := 0; got.text(fmt.Sprintf("days.%d.date", i)) != ""; i++ {
			n := 0
			_, _ = fmt.Sscan(got.text(fmt.Sprintf("days.%d.counts.signups", i)), &n)
			days[got.text(fmt.Sprintf("days.%d.date", i))] = n
		}
		a.exactly(zone, days, want[zone])
	}
}

func inBody(at string) place { return place{in: "body", at: at} }

// aliases signs people up whose address is, in another spelling, the referrer's: the row says which are the same mailbox.
func (a *attack) aliases() {
	for pair, verdict := range a.row.With {
		first, second, _ := strings.Cut(pair, " = ")
		owner := a.must(a.recipe("createParticipant", map[string]any{"/email": first}), 201).text("external_id")
		code := a.must(a.recipe("createCode", map[string]any{"/participant_external_id": owner, "/max_uses": nil}), 201).text("value")
		got := a.must(a.signup(a.own.things["program"], a.unique(), code).with(inBody("/email"), second), 201)
		if got.text("reason") != verdict {
			a.t.Errorf("%s: %v, want %s", pair, got, verdict)
		}
		a.planted = append(a.planted, first, second)
	}
}

// columns looks at the schema: no column can hold a number that is no whole one.
func (a *attack) columns() {
	rows, err := a.owner.Query(a.t.Context(), `
		SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns
		WHERE table_schema = 'public' AND data_type IN ('numeric', 'real', 'double precision', 'money')`)
	if err != nil {
		a.t.Fatal(err)
	}
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			a.t.Fatal(err)
		}
		a.t.Error(column)
	}
}
