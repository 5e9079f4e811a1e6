package attacks

import (
	"fmt"
	"strings"
)

func init() {
	programs["erasure leftovers"] = (*attack).leftovers
	programs["erased and back"] = (*attack).erasedAndBack
	programs["erasure during use"] = (*attack).eraseDuringUse
	programs["linking visitors"] = (*attack).linkVisitors
	programs["persons in addresses"] = (*attack).personsInAddresses
}

func (a *attack) erase(who string, set map[string]any) request {
	r := a.recipe("createErasureRequest", map[string]any{
		"/participant_external_id": who, "/external_id": nil, "/disposition": "forfeit", "/block_reuse": false,
	})
	for pointer, value := range set {
		r = r.with(inBody(pointer), value)
	}
	return r
}

// leftovers tells of a person wherever something can be told, has it erased, and looks for it everywhere.
func (a *attack) leftovers() {
	who := "gone" + a.unique()
	person := map[string]any{
		"/external_id": who, "/email": who + "@gone.example", "/display_name": "Mx " + who, "/customer_since": nil, "/metadata": map[string]any{"plan": who},
	}
	id := a.must(a.recipe("createParticipant", person), 201).text("id")
	a.must(a.recipe("createCode", map[string]any{"/participant_external_id": who, "/value": "C-" + who}), 201)
	click := a.must(a.recipe("recordClick", map[string]any{
		"/visitor_id": who, "/user_agent": "Mozilla/5.0 (X11) " + who, "/referrer_url": "https://" + who + ".example/page",
		"/utm": map[string]any{"source": who, "campaign": who},
	}), 201).text("id")
	joined := a.must(a.recipe("createSignup", map[string]any{
		"/referee_external_id": who, "/external_id": who + "-signup", "/email": who + "@gone.example", "/display_name": who,
		"/metadata": map[string]any{"plan": who}, "/visitor_id": who, "/click_ids": []any{click}, "/customer_since": nil,
	}), 201)
	if joined.text("attributed") != "true" {
		a.t.Fatalf("the person is not referred: %v", joined)
	}
	order := who + "-order"
	sale := a.must(a.recipe("recordConversion", map[string]any{
		"/referee_external_id": who, "/external_id": order, "/metadata": map[string]any{"plan": who},
	}), 201)
	a.must(a.recipeAt("reverseConversion", "conversion_id", sale.text("conversion.id"), map[string]any{"/external_id": who + "-refund", "/reason": who}), 201)
	a.must(a.refund(order, who+"-second", 5).with(inBody("/reason"), who), 201)
	a.must(a.recipe("recordChurn", map[string]any{"/referee_external_id": who, "/external_id": who + "-churn"}), 201)
	a.must(a.recipe("createReferral", map[string]any{"/referrer_external_id": who, "/reason": who}), 201)
	reward := map[string]any{"/participant_external_id": who, "/external_id": who + "-gift", "/reason": who}
	gift := a.must(a.recipe("createManualReward", reward), 201).text("id")
	reward["/external_id"], reward["/kind"], reward["/amount"], reward["/expires_at"] = who+"-money", "money", 5000, nil
	a.must(a.recipe("createManualReward", reward), 201)
	spent := a.must(a.recipe("createCreditRedemption", map[string]any{"/participant_external_id": who, "/external_id": who + "-spent", "/note": who}), 201)
	a.must(a.recipeAt("voidCreditRedemption", "redemption_id", spent.text("id"), map[string]any{"/reason": who}), 200)
	a.must(a.recipeAt("holdReward", "reward_id", gift, map[string]any{"/reason": who}), 200)
	run := a.must(a.recipe("createPayoutRun", nil), 201).text("run.id")
	var payout string
	if err := a.world.owner.QueryRow(a.t.Context(), "SELECT id::text FROM payouts WHERE run_id = $1 AND participant_id = $2", run, id).Scan(&payout); err != nil {
		a.t.Fatal(err)
	}
	a.must(a.recipeAt("approvePayout", "payout_id", payout, nil), 200)
	a.must(a.recipeAt("submitPayout", "payout_id", payout, nil), 200)
	a.must(a.recipeAt("markPayoutFailed", "payout_id", payout, map[string]any{"/reason": "no account of " + who}), 200)
	a.must(a.recipeAt("suspendParticipant", "participant_id", id, map[string]any{"/reason": who}), 200)
	if n := strings.Count(strings.ToLower(a.dump("")), who); n < 30 {
		a.t.Fatalf("only %d rows tell of the person", n)
	}
	a.must(a.erase(who, map[string]any{"/external_id": who + "-ticket", "/block_reuse": true}), 201)
	a.must(a.recipe("moveTestClock", map[string]any{"/now": a.after(60)}), 200) // the rest is due work
	for where, text := range map[string]string{"the database": a.dump(""), "the log": a.logs.String()} {
		for line := range strings.Lines(strings.ToLower(text)) {
			if strings.Contains(line, who) {
				a.t.Errorf("%s: %.300s", where, line)
			}
		}
	}
	a.standing()
}

// erasedAndBack has an erased person join again: it is somebody new, or refused by the one mark that may stay.
func (a *attack) erasedAndBack() {
	program := a.make("active_program")
	code := a.codes(program, 1)[0]
	for blocked, want := range map[bool]string{false: "true ATTRIBUTED_EXPLICIT_CODE", true: "false ERASED"} {
		who := "back" + a.unique()
		first := a.must(a.signup(program, who, code), 201).text("signup.referee_id")
		a.must(a.erase(who, map[string]any{"/block_reuse": blocked}), 201)
		again := a.send(a.signup(program, who, code).with(inBody("/external_id"), who+"-again"))
		if got := again.text("attributed") + " " + again.text("reason"); got != want || again.text("signup.referee_id") == first {
			a.t.Errorf("blocked %v: %s, and the person is %s after %s", blocked, got, again.text("signup.referee_id"), first)
		}
	}
	a.standing()
}

// eraseDuringUse erases a referee and its referrer while sixty sales are told. Each is before the erasure, and erased with it, or after it,
// and of somebody new; nothing is owed to who gave everything up.
func (a *attack) eraseDuringUse() {
	program := a.make("active_program")
	referrer, who := "boss"+a.unique(), "gone"+a.unique()
	code := a.must(a.recipe("createCode", map[string]any{"/program_id": program, "/participant_external_id": referrer, "/max_uses": nil}), 201)
	above := code.text("participant_id")
	below := a.must(a.signup(program, who, code.text("value")), 201).text("signup.referee_id")
	var all []request
	for i := range 60 {
		all = append(all, a.sale(program, who, fmt.Sprint(who, "-", i), 10_000).with(inBody("/metadata"), map[string]any{"plan": who}))
	}
	all[20], all[40] = a.erase(who, nil), a.erase(referrer, nil)
	for i, got := range a.volley(all) {
		if got.status > 202 {
			a.t.Errorf("request %d: %v", i, got)
		}
	}
	a.must(a.recipe("moveTestClock", map[string]any{"/now": a.after(300)}), 200)
	for line := range strings.Lines(a.dump(a.own.things["workspace"])) {
		if strings.Contains(line, below) && strings.Contains(line, who) {
			a.t.Errorf("a row of the erased: %.300s", line)
		}
	}
	for _, id := range []string{above, below} {
		if n := a.number("SELECT coalesce(sum(balance), 0) FROM ledger_accounts WHERE participant_id = $1 AND kind IN ('pending', 'available', 'reserved')", id); n != 0 {
			a.t.Errorf("%d are owed to an erased participant", n)
		}
	}
	a.standing()
}

// linkVisitors has one visitor seen in two workspaces, and on two days: nothing that is stored is the same.
func (a *attack) linkVisitors() {
	twin := a.as(a.twin)
	set := map[string]any{"/visitor_id": "someone-" + a.unique(), "/ip": "198.51.100.7"}
	here := a.must(a.recipe("recordClick", set), 201).text("id")
	there := twin.must(twin.recipe("recordClick", set), 201).text("id")
	set["/visitor_id"] = nil
	today := a.must(a.recipe("recordClick", set), 201).text("id")
	set["/id"], set["/occurred_at"] = nil, a.after(-26*3600)
	before := a.must(a.recipe("recordClick", set), 201).text("id")
	for what, pair := range map[string][2]string{"in two workspaces": {here, there}, "on two days": {today, before}} {
		if n := a.number(`SELECT count(*) FROM clicks AS a JOIN clicks AS b ON a.id = $1 AND b.id = $2
			WHERE a.visitor = b.visitor OR a.visitor_key = b.visitor_key OR a.address_hash = b.address_hash`, pair[0], pair[1]); n != 0 {
			a.t.Errorf("%s a visitor has the same hash", what)
		}
		if n := a.number("SELECT count(*) FROM clicks WHERE id IN ($1, $2) AND address_hash IS NOT NULL", pair[0], pair[1]); n != 2 {
			a.t.Errorf("%s: %d clicks have an address to compare", what, n)
		}
	}
}

// personsInAddresses follows links and asks for things with a person in the path, the query and the campaign; the search at the end
// looks for it in the log, the metrics and the database.
func (a *attack) personsInAddresses() {
	link := "/r/" + a.own.things["slug"] + "/" + a.own.things["code_value"]
	for i, where := range []string{
		link + "?email=%s", link + "?utm_source=%s&utm_campaign=spring", link + "?utm_source=mail&to=%s", "/r/%s/x", "/v1/participants/%s", "/v1/codes?email=%s", "/%s", "/v1/%s",
	} {
		who := fmt.Sprintf("p%d-%s@planted.example", i, a.unique())
		a.world.planted = append(a.world.planted, who)
		got := a.send(request{method: "GET", target: fmt.Sprintf(where, who), as: "own", headers: []string{"User-Agent: " + desktop, "Referer: https://mail.example/?to=" + who}})
		if got.status >= 500 {
			a.t.Errorf("%s: %v", where, got)
		}
	}
}
