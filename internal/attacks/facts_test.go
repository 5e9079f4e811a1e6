package attacks

import (
	"fmt"
	"slices"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

func init() {
	programs["one key, many bodies"] = (*attack).manyBodies
	programs["lost updates"] = (*attack).lostUpdates
	programs["one thing at once"] = (*attack).oneThing
	programs["one fact at once"] = (*attack).oneFact
	programs["facts in any order"] = (*attack).anyOrder
	programs["clock during use"] = (*attack).clockDuringUse
	programs["clicks and their signups"] = (*attack).lateClicks
}

// manyBodies sends fifty different requests with one key: one is done, the others are refused.
func (a *attack) manyBodies() {
	key := "Idempotency-Key: " + newID()
	var all []request
	for range 50 {
		all = append(all, a.recipe("createManualReward", nil).header(key))
	}
	before := a.effects()
	a.exactly("one key", tally(a.volley(all), isStatus), map[string]int{"201 ": 1, "422 idempotency_key_reuse": 49})
	if n := a.effects() - before; n != 1 {
		a.t.Errorf("%d rewards", n)
	}
	a.standing()
}

// lostUpdates changes one version of a thing in fifty hands: one is the first, the others are told so.
func (a *attack) lostUpdates() {
	for _, id := range []string{"updateProgram", "updateCode", "updateParticipant"} {
		r := a.recipe(id, nil)
		var all []request
		for i := range 50 {
			other := r
			switch id {
			case "updateProgram":
				other = r.with(inBody("/name"), fmt.Sprint("Version ", i))
			case "updateCode":
				other = r.with(inBody("/max_uses"), 100+i)
			default:
				other = r.with(inBody("/display_name"), fmt.Sprint("Person ", i))
			}
			all = append(all, other)
		}
		a.exactly(id, tally(a.volley(all), isStatus), map[string]int{"200 ": 1, "412 precondition_failed": 49})
	}
}

// oneThing makes, or moves, one thing in fifty hands.
func (a *attack) oneThing() {
	fifty := func(r request) []answer {
		var all []request
		for range 50 {
			if r.op.has("header", "Idempotency-Key") {
				r = r.header("Idempotency-Key: " + newID())
			}
			all = append(all, r)
		}
		return a.volley(all)
	}
	a.exactly("participants", tally(fifty(a.recipe("createParticipant", nil)), isStatus), map[string]int{"201 ": 1, "409 participant_exists": 49})
	a.exactly("upserts", tally(fifty(a.recipe("upsertParticipant", nil)), isStatus), map[string]int{"201 ": 1, "200 ": 49})
	for _, id := range []string{"activateProgram", "endProgram", "archiveProgram", "disableCode", "retireCode", "banParticipant", "suspendParticipant", "releaseReward"} {
		r := a.recipe(id, nil)
		a.exactly(id, tally(fifty(r), isStatus), map[string]int{"200 ": 1, "409 state_not_allowed": 49})
	}
	versions := fifty(a.recipe("publishProgramVersion", nil))
	a.exactly("versions", tally(versions, isStatus), map[string]int{"201 ": 50})
	if numbers := tally(versions, func(g answer) string { return g.text("number") }); len(numbers) != 50 {
		a.t.Errorf("the versions are numbered %v", numbers)
	}
	a.exactly("link hosts", tally(fifty(a.recipe("createWorkspace", nil)), isStatus), map[string]int{"201 ": 1, "409 conflict": 49})
	at := a.soon()
	clocks := tally(fifty(a.recipe("moveTestClock", map[string]any{"/now": at})), isStatus)
	if clocks["200 "] < 1 || clocks["200 "]+clocks["409 state_not_allowed"]+clocks["422 validation_failed"] != 50 {
		a.t.Errorf("the clock: %v", clocks)
	}
	a.standing()
}

// oneFact reports one fact in fifty hands, each with a key of its own: it is stored once, and known to the others.
func (a *attack) oneFact() {
	for _, id := range []string{"createSignup", "recordConversion", "recordReversal", "recordChurn", "recordReactivation", "createManualReward", "recordClick"} {
		r := a.recipe(id, nil)
		var all []request
		for range 50 {
			all = append(all, r.header("Idempotency-Key: "+newID()))
		}
		got := a.volley(all)
		counts := tally(got, func(g answer) string { return fmt.Sprint(g.status) })
		first := counts["201"] + counts["202"]
		if first != 1 || counts["200"] != 49 {
			a.t.Errorf("%s: %v", id, tally(got, isStatus))
		}
		ids := tally(got, func(g answer) string {
			for _, path := range []string{"signup.id", "conversion.id", "reversal.id", "churn.id", "id"} {
				if id := g.text(path); id != "" && (path != "conversion.id" || g.text("reversal.id") == "") {
					return id
				}
			}
			return ""
		})
		if len(ids) != 1 || ids[""] > 0 {
			a.t.Errorf("%s is several: %v", id, ids)
		}
	}
	r := a.recipe("recordConversion", nil)
	var all []request
	for i := range 50 {
		all = append(all, r.with(inBody("/amount"), 1000+i).header("Idempotency-Key: "+newID()))
	}
	a.exactly("one order, many amounts", tally(a.volley(all), isStatus), map[string]int{"201 ": 1, "409 conflict": 49})
	a.standing()
}

// anyOrder reports signups, purchases and refunds of twenty people all at once. However they arrive, all end as if in order.
func (a *attack) anyOrder() {
	program := a.make("active_program")
	code := a.codes(program, 1)[0]
	now := a.now()
	var all []request
	const people = 20
	for i := range people {
		who, order := fmt.Sprint("hasty-", i), fmt.Sprint("hasty-order-", i)
		all = append(all,
			a.signup(program, who, code).with(inBody("/occurred_at"), now),
			a.recipe("recordConversion", map[string]any{
				"/program_id": program, "/referee_external_id": who, "/external_id": order, "/amount": 10_000, "/occurred_at": now,
			}),
			a.recipe("recordReversal", map[string]any{
				"/conversion_external_id": order, "/external_id": order + "-refund", "/amount": 4_000, "/occurred_at": now,
			}))
	}
	for _, got := range a.volley(all) {
		if got.status > 202 {
			a.t.Errorf("%v", got)
		}
	}
	for what, want := range map[string]int64{
		"referrals WHERE program_id = $2 AND state = 'qualified'":                                                              people,
		"conversions WHERE program_id = $2 AND state = 'partially_reversed' AND reversed_amount = 4000":                        people,
		"rewards WHERE program_id = $2 AND rule_key = 'share' AND granted = 2000 AND reversed = 800":                           4, // then the tier
		"rewards WHERE program_id = $2 AND rule_key = 'share' AND granted = 2500 AND reversed = 1000":                          people - 4,
		"unmatched_facts WHERE program_id = $2 AND state = 'waiting'":                                                          0,
		"rewards WHERE program_id = $2 AND rule_key = 'welcome' AND granted - reversed = 1000 AND state <> 'cancelled'":        people,
		"unmatched_facts WHERE kind = 'reversal' AND state = 'waiting' AND $2::text <> '' AND waits_for LIKE '%hasty-order-%'": 0,
	} {
		if n := a.count(what, program); n != want {
			a.t.Errorf("%d %s, want %d", n, what, want)
		}
	}
	a.standing()
}

// clockDuringUse moves the clock five times while sixty people sign up: nobody waits for the other, and the clock ends where it was
// moved to last.
func (a *attack) clockDuringUse() {
	program := a.make("active_program")
	code := a.codes(program, 1)[0]
	var all []request
	last := ""
	for i := range 65 {
		if i%13 == 0 {
			at, _ := time.Parse(time.RFC3339, a.soon())
			last = at.Add(time.Duration(i) * time.Second).Format(time.RFC3339)
			all = append(all, a.recipe("moveTestClock", map[string]any{"/now": last}))
			continue
		}
		all = append(all, a.signup(program, fmt.Sprint("timely-", i), code))
	}
	got := tally(a.volley(all), func(g answer) string { return fmt.Sprint(g.status) })
	if got["201"] != 60 || got["200"] < 1 || got["200"]+got["409"] != 5 {
		a.t.Errorf("%v", got)
	}
	if now := a.now(); now != last {
		a.t.Errorf("the clock stands at %s, want %s", now, last)
	}
	// Whatever is being stored in a workspace holds its row like this; waiting for that would be waiting for one another.
	fact := dbtest.Connect(a.t, a.database.URL, "")
	for _, sql := range []string{"BEGIN", "SELECT FROM workspaces FOR KEY SHARE"} {
		if _, err := fact.Exec(a.t.Context(), sql); err != nil {
			a.t.Fatal(err)
		}
	}
	a.must(a.recipe("moveTestClock", nil), 200)
	a.must(a.recipe("createWorkspace", nil), 201)
	if _, err := fact.Exec(a.t.Context(), "ROLLBACK"); err != nil {
		a.t.Error(err)
	}
	a.standing()
}

// lateClicks reports clicks and the signups that name them at once: every signup ends attributed.
func (a *attack) lateClicks() {
	program := a.make("active_program")
	code := a.codes(program, 1)[0]
	var all []request
	const people = 30
	for i := range people {
		click := newID()
		pair := []request{
			a.recipe("recordClick", map[string]any{"/id": click, "/code": code, "/program_id": program, "/visitor_id": nil, "/user_agent": fmt.Sprint(desktop, i)}),
			a.signup(program, fmt.Sprint("swift-", i), code).with(inBody("/code"), nil).with(inBody("/click_ids"), []any{click}),
		}
		if i%2 == 0 {
			slices.Reverse(pair)
		}
		all = append(all, pair...)
	}
	for _, got := range a.volley(all) {
		if got.status > 201 {
			a.t.Errorf("%v", got)
		}
	}
	if n := a.count("referrals WHERE program_id = $2", program); n != people {
		a.t.Errorf("%d of %d are attributed", n, people)
	}
	a.standing()
}
