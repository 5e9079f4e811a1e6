package attacks

import (
	"fmt"
	"slices"
)

func init() {
	programs["one referee, many codes"] = (*attack).manyCodes
	programs["one reward, many hands"] = (*attack).oneReward
	programs["one balance"] = (*attack).oneBalance
	programs["last uses of a code"] = (*attack).lastUses
	programs["last code of a participant"] = (*attack).lastCode
	programs["rings"] = (*attack).rings
	programs["revoke during use"] = (*attack).revokeDuringUse
	programs["end during use"] = (*attack).endDuringUse
	programs["reversals at once"] = (*attack).reversals
	programs["one key at once"] = (*attack).oneKey
	programs["one code at once"] = (*attack).oneCode
}

// crowd is how many requests leave at once.
const crowd = 200

// tally counts answers by what they say.
func tally(all []answer, say func(answer) string) map[string]int {
	out := map[string]int{}
	for _, a := range all {
		out[say(a)]++
	}
	return out
}

// exactly lists where a tally is not as wanted; what is not named must not occur.
func exactly(got map[string]int, want map[string]int) []string {
	var out []string
	for what, n := range want {
		if got[what] != n {
			out = append(out, fmt.Sprintf("%d times %q, want %d", got[what], what, n))
		}
	}
	for what, n := range got {
		if _, ok := want[what]; !ok {
			out = append(out, fmt.Sprintf("%d times %q, which should not be", n, what))
		}
	}
	slices.Sort(out)
	return out
}

func (a *attack) exactly(what string, got, want map[string]int) {
	a.t.Helper()
	for _, fault := range exactly(got, want) {
		a.t.Errorf("%s: %s", what, fault)
	}
}

// isSignup says what became of a signup.
func isSignup(g answer) string {
	return fmt.Sprintf("%d attributed %s %s", g.status, g.text("attributed"), g.text("reason")+g.text("code"))
}

func isStatus(g answer) string { return fmt.Sprint(g.status, " ", g.text("code")) }

// count counts rows of the attacker's workspace.
func (w *world) count(from string, args ...any) int64 {
	w.t.Helper()
	return w.number("SELECT count(*) FROM "+from+" AND workspace_id = $1", append([]any{w.own.things["workspace"]}, args...)...)
}

// codes makes n codes of as many participants as are needed, and gives their texts.
func (w *world) codes(program string, n int) []string {
	w.t.Helper()
	items := make([]any, n)
	for i := range items {
		items[i] = map[string]any{"participant_external_id": fmt.Sprintf("referrer-%s-%d", program, i/5)}
	}
	made := w.must(w.recipe("createCodes", map[string]any{"/program_id": program, "/items": items}), 200)
	out := make([]string, n)
	for i := range out {
		out[i] = made.text(fmt.Sprintf("data.%d.code.value", i))
	}
	return out
}

func (w *world) signup(program, referee, code string) request {
	w.t.Helper()
	return w.recipe("createSignup", map[string]any{
		"/program_id": program, "/referee_external_id": referee, "/code": code, "/click_ids": nil, "/visitor_id": nil, "/email": nil,
		"/customer_since": nil,
	})
}

// manyCodes claims one referee for two hundred codes at once.
func (a *attack) manyCodes() {
	program := a.make("active_program")
	var all []request
	for _, code := range a.codes(program, crowd) {
		all = append(all, a.signup(program, "wanted", code))
	}
	got := a.volley(all)
	a.exactly("signups", tally(got, isSignup), map[string]int{
		"201 attributed true ATTRIBUTED_EXPLICIT_CODE": 1, "200 attributed false ALREADY_ATTRIBUTED": crowd - 1,
	})
	if n := a.count("referrals WHERE program_id = $2", program); n != 1 {
		a.t.Errorf("%d referrals", n)
	}
	if n := a.count("attribution_decisions WHERE program_id = $2", program); n != crowd {
		a.t.Errorf("%d decisions", n)
	}
	a.standing()
}

// oneReward cancels one reward in two hundred hands, then holds, releases and cancels another one.
func (a *attack) oneReward() {
	reward := a.make("reward")
	actions := func(id string, ops ...string) (all []request) {
		for i := range crowd {
			all = append(all, a.recipeAt(ops[i%len(ops)], "reward_id", id, nil))
		}
		return all
	}
	a.exactly("cancels", tally(a.volley(actions(reward, "cancelReward")), isStatus), map[string]int{"200 ": 1, "409 state_not_allowed": crowd - 1})
	if n := a.count("ledger_transfers WHERE reward_id = $2 AND recipe = 'clawback'", reward); n > 1 {
		a.t.Errorf("taken back %d times", n)
	}
	other := a.make("reward")
	got := tally(a.volley(actions(other, "holdReward", "releaseReward", "cancelReward")), isStatus)
	if got["200 "] < 1 || got["200 "]+got["409 state_not_allowed"] != crowd {
		a.t.Errorf("hold, release and cancel: %v", got)
	}
	if n := a.number("SELECT count(*) FROM events WHERE subject_id = $1 AND type = 'reward.cancelled'", other); n != 1 {
		a.t.Errorf("cancelled %d times", n)
	}
	a.standing()
}

// oneBalance redeems three each of a hundred in two hundred hands, then voids one of the redemptions in as many.
func (a *attack) oneBalance() {
	owner := a.unique()
	a.must(a.recipe("createParticipant", map[string]any{"/external_id": owner}), 201)
	for range 4 {
		a.must(a.recipe("createManualReward", map[string]any{"/participant_external_id": owner, "/amount": 25}), 201)
	}
	var all []request
	for range crowd {
		all = append(all, a.recipe("createCreditRedemption", map[string]any{"/participant_external_id": owner, "/amount": 3}))
	}
	got := a.volley(all)
	a.exactly("redemptions", tally(got, isStatus), map[string]int{"201 ": 33, "409 insufficient_balance": crowd - 33})
	one := got[slices.IndexFunc(got, func(g answer) bool { return g.status == 201 })].text("id")
	all = all[:0]
	for range crowd {
		all = append(all, a.recipeAt("voidCreditRedemption", "redemption_id", one, nil))
	}
	a.exactly("voids", tally(a.volley(all), isStatus), map[string]int{"200 ": 1, "409 state_not_allowed": crowd - 1})
	if n := a.count("credit_redemptions WHERE participant_id = (SELECT id FROM participants WHERE external_id = $2)", owner); n != 33 {
		a.t.Errorf("%d redemptions", n)
	}
	a.standing()
}

// lastUses signs two hundred people up with codes of one, ten and three uses.
func (a *attack) lastUses() {
	for _, uses := range []int{1, 10} {
		program := a.make("active_program")
		code := a.must(a.recipe("createCode", map[string]any{"/program_id": program, "/max_uses": uses}), 201)
		var all []request
		for i := range crowd {
			all = append(all, a.signup(program, fmt.Sprintf("guest-%d-%d", uses, i), code.text("value")))
		}
		a.exactly(fmt.Sprintf("a code of %d uses", uses), tally(a.volley(all), isSignup), map[string]int{
			"201 attributed true ATTRIBUTED_EXPLICIT_CODE": uses, "201 attributed false CODE_EXHAUSTED": crowd - uses,
		})
		if n := a.number("SELECT uses FROM codes WHERE id = $1", code.text("id")); int(n) != uses {
			a.t.Errorf("the code counts %d uses, want %d", n, uses)
		}
		if n := a.count("referrals WHERE code_id = $2", code.text("id")); int(n) != uses {
			a.t.Errorf("%d referrals by a code of %d uses", n, uses)
		}
	}
	a.standing()
}

// lastCode has forty hands make the last codes that a participant may have: four more of five.
func (a *attack) lastCode() {
	program := a.make("draft_program")
	a.must(a.recipeAt("publishProgramVersion", "program_id", program, map[string]any{"/rules/codes_per_participant": 5}), 201)
	var all []request
	for range 40 {
		all = append(all, a.recipe("createCode", map[string]any{"/program_id": program, "/participant_external_id": "hoarder", "/value": nil}))
	}
	a.must(all[0], 201)
	a.exactly("codes", tally(a.volley(all[1:]), isStatus), map[string]int{"201 ": 4, "409 code_limit": 35})
}

// oneCode has fifty participants take the same code, in different spellings.
func (a *attack) oneCode() {
	value := a.unique()
	var all []request
	for i := range 50 {
		spelling := []string{value, value[:2] + "-" + value[2:], value[:2] + " " + value[2:]}[i%3]
		all = append(all, a.recipe("createCode", map[string]any{"/value": spelling, "/participant_external_id": fmt.Sprint("namesake-", i)}))
	}
	a.exactly("takers", tally(a.volley(all), isStatus), map[string]int{"201 ": 1, "409 code_taken": 49})
}

// ring is people who sign up with one another's codes.
type ring struct {
	program string
	all     []request
}

func (a *attack) ring(size, round int) ring {
	r := ring{program: a.make("active_program")}
	person := func(i int) string { return fmt.Sprintf("ring-%d-%d-%d", size, round, i%size) }
	for i := range size {
		code := a.must(a.recipe("createCode", map[string]any{
			"/program_id": r.program, "/participant_external_id": person(i), "/max_uses": nil,
		}), 201).text("value")
		r.all = append(r.all, a.signup(r.program, person(i+1), code))
	}
	return r
}

// rings has everybody of a ring sign up with the code of the one before, many rings of two to six at once. At least one signup of
// each must be refused, and the forest must stay one.
func (a *attack) rings() {
	var rings []ring
	var all []request
	for size := 2; size <= 6; size++ {
		for round := range 6 {
			r := a.ring(size, round)
			rings = append(rings, r)
			all = append(all, r.all...)
		}
	}
	answers := a.volley(all)
	for _, r := range rings {
		size := len(r.all)
		got := tally(answers[:size], isSignup)
		answers = answers[size:]
		made := got["201 attributed true ATTRIBUTED_EXPLICIT_CODE"]
		if made < 1 || made >= size {
			a.t.Errorf("%d of %d closed a ring: %v", made, size, got)
		}
		if n := a.count("referrals WHERE program_id = $2", r.program); int(n) != made {
			a.t.Errorf("%d referrals of %d that were answered", n, made)
		}
		if n := a.number(cyclesSQL, r.program); n != 0 {
			a.t.Errorf("%d participants of a ring of %d are above themselves", n, size)
		}
	}
}

// cyclesSQL counts the participants of a program who are above themselves.
const cyclesSQL = `
	WITH RECURSIVE up AS (
		SELECT referee_id AS start, referrer_id AS at, 1 AS steps FROM referrals WHERE program_id = $1 AND state NOT IN ('expired', 'rejected', 'superseded')
		UNION ALL
		SELECT up.start, r.referrer_id, steps + 1 FROM up JOIN referrals r ON r.referee_id = up.at
		WHERE r.program_id = $1 AND r.state NOT IN ('expired', 'rejected', 'superseded') AND steps < 20
	)
	SELECT count(DISTINCT start) FROM up WHERE start = at`

// revokeDuringUse revokes a key while a hundred conversions run with it: each is stored and answered so, or refused and not stored.
// Once the revocation is answered, the key does nothing more. A live key is tried as well, because those are kept in memory.
func (a *attack) revokeDuringUse() {
	for range 3 {
		a.revoke(a.world)
		a.revoke(a.as(a.twin))
	}
	a.standing()
}

func (a *attack) revoke(w *world) {
	key, id := w.issue(map[string]any{"/scopes": []any{"conversions:write"}})
	var all []request
	orders := map[string]bool{}
	for range 100 {
		r := w.recipe("recordConversion", nil).from(key)
		orders[r.body.(map[string]any)["external_id"].(string)] = true
		all = append(all, r)
	}
	got := w.volley(slices.Insert(all, 50, w.recipeAt("revokeApiKey", "api_key_id", id, nil)))
	if got[50].status != 200 {
		a.t.Errorf("the revocation: %v", got[50])
	}
	counts := tally(slices.Delete(got, 50, 51), isStatus)
	if counts["201 "]+counts["401 unauthenticated"] != 100 {
		a.t.Errorf("the conversions: %v", counts)
	}
	stored := 0
	for order := range orders {
		stored += int(w.count("conversions WHERE external_id = $2", order))
	}
	if stored != counts["201 "] {
		a.t.Errorf("%d conversions are stored, %d were answered so", stored, counts["201 "])
	}
	late := w.recipe("recordConversion", nil).from(key)
	a.unchanged("W", "a revoked key", func() {
		for range 5 {
			if got := w.send(late); got.status != 401 {
				a.t.Errorf("after the revocation: %v", got)
			}
		}
	})
}

// endDuringUse ends a program while a hundred people sign up: each is attributed, or told that the program is over.
func (a *attack) endDuringUse() {
	program := a.make("active_program")
	code := a.codes(program, 1)[0]
	var all []request
	for i := range 100 {
		all = append(all, a.signup(program, fmt.Sprint("late-", i), code))
	}
	got := a.volley(slices.Insert(all, 50, a.recipeAt("endProgram", "program_id", program, nil)))
	if got[50].status != 200 {
		a.t.Errorf("the end: %v", got[50])
	}
	counts := tally(slices.Delete(got, 50, 51), isSignup)
	made := counts["201 attributed true ATTRIBUTED_EXPLICIT_CODE"]
	if made+counts["201 attributed false PROGRAM_NOT_ACTIVE"] != 100 {
		a.t.Errorf("the signups: %v", counts)
	}
	if n := a.count("referrals WHERE program_id = $2", program); int(n) != made {
		a.t.Errorf("%d referrals, %d were answered so", n, made)
	}
}

// reversals takes a conversion back in fifty hands at once: a tenth each, and then one and the same refund.
func (a *attack) reversals() {
	sale := a.make("conversion")
	refund := func(id string, set map[string]any) request {
		return a.recipeAt("reverseConversion", "conversion_id", id, set)
	}
	var all []request
	for range 50 {
		all = append(all, refund(sale, map[string]any{"/amount": 1000}))
	}
	a.exactly("tenths", tally(a.volley(all), isStatus), map[string]int{"201 ": 10, "422 reversal_exceeds_conversion": 40})
	if n := a.number("SELECT reversed_amount FROM conversions WHERE id = $1", sale); n != 10_000 {
		a.t.Errorf("%d of 10,000 are taken back", n)
	}
	same := a.make("conversion")
	all = nil
	for range 50 {
		all = append(all, refund(same, map[string]any{"/external_id": "refund-of-many", "/amount": 3000}))
	}
	a.exactly("one refund", tally(a.volley(all), isStatus), map[string]int{"201 ": 1, "200 ": 49})
	if n := a.number("SELECT reversed_amount FROM conversions WHERE id = $1", same); n != 3000 {
		a.t.Errorf("%d are taken back, want 3,000", n)
	}
	chargeback := a.make("chargeback")
	all = nil
	for i := range 50 {
		all = append(all, a.recipeAt("restoreReversal", "reversal_id", chargeback, map[string]any{"/external_id": fmt.Sprint("won-", i)}))
	}
	a.exactly("disputes won", tally(a.volley(all), isStatus), map[string]int{"200 ": 1, "409 state_not_allowed": 49})
	a.standing()
}

// oneKey sends one request in fifty hands: one effect, and one answer for all.
func (a *attack) oneKey() {
	for _, id := range []string{"createSignup", "recordConversion", "createManualReward", "createApiKey", "createProgram"} {
		r := a.recipe(id, nil)
		before := a.digest()
		got := a.volley(slices.Repeat([]request{r}, 50))
		bodies := tally(got, func(g answer) string { return g.masked() })
		ids := tally(got, func(g answer) string { return g.header.Get("Location") })
		if len(ids) != 1 || len(bodies) != 1 && id != "createApiKey" || got[0].status != 201 {
			a.t.Errorf("%s: %v %v", id, bodies, ids)
		}
		replayed := tally(got, func(g answer) string { return g.header.Get("Idempotent-Replayed") })
		a.exactly(id, replayed, map[string]int{"": 1, "true": 49})
		if len(changes(before, a.digest(), "W", "")) == 0 {
			a.t.Errorf("%s had no effect at all", id)
		}
	}
	a.standing()
}

// standing checks what must be true of everybody's books at any time.
func (w *world) standing() {
	w.t.Helper()
	for _, breach := range w.breaches() {
		w.t.Error(breach)
	}
}

var invariants = map[string]string{
	"referees have two live referrals": `SELECT count(*) FROM (SELECT 1 FROM referrals WHERE state NOT IN ('expired', 'rejected', 'superseded')
		GROUP BY workspace_id, program_id, referee_id HAVING count(*) > 1) twice`,
	"currencies do not sum to zero": `SELECT count(*) FROM (SELECT 1 FROM ledger_accounts GROUP BY workspace_id, currency, reward_kind HAVING sum(balance) <> 0) off`,
	"accounts differ from their transfers": `
		SELECT count(*) FROM ledger_accounts a WHERE balance <> (
			SELECT coalesce(sum(CASE WHEN to_kind = a.kind THEN amount ELSE -amount END), 0) FROM ledger_transfers t
			WHERE t.workspace_id = a.workspace_id AND t.participant_id = a.participant_id AND t.currency = a.currency
				AND t.reward_kind = a.reward_kind AND a.kind IN (from_kind, to_kind))`,
	"rewards are not in the books as they stand": `
		SELECT count(*) FROM (SELECT workspace_id, participant_id, currency, kind, sum(granted - reversed) AS owed FROM rewards GROUP BY 1, 2, 3, 4) r
		WHERE owed <> (SELECT -balance FROM ledger_accounts a WHERE a.workspace_id = r.workspace_id
			AND a.participant_id = r.participant_id AND a.currency = r.currency AND a.reward_kind = r.kind AND a.kind = 'expense')`,
	"conversions are reversed by more or less than their reversals took": `
		SELECT count(*) FROM conversions c WHERE reversed_amount > amount
			OR reversed_amount > 0 AND NOT EXISTS (SELECT FROM reversals r WHERE r.workspace_id = c.workspace_id AND r.source = c.source
				AND r.conversion_external_id = c.external_id AND r.conversion_type = c.type)`,
	"codes count other uses than they have": `
		SELECT count(*) FROM codes c WHERE max_uses IS NOT NULL AND uses <> (
			SELECT count(*) FROM referrals r WHERE r.workspace_id = c.workspace_id AND r.code_id = c.id)`,
}

// breaches lists what is not as it must be.
func (w *world) breaches() []string {
	w.t.Helper()
	var out []string
	for what, sql := range invariants {
		if n := w.number(sql); n != 0 {
			out = append(out, fmt.Sprintf("%d %s", n, what))
		}
	}
	return out
}
