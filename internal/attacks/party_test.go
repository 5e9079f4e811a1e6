package attacks

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

const desktop = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// firm makes a pair of workspaces through the contract: the test one and the live one.
func (w *world) firm(name string) (test, live *party) {
	w.t.Helper()
	made := w.must(w.recipe("createWorkspace", map[string]any{"/name": "Firm " + name, "/link_host": "go." + name + ".example"}), 201)
	party := func(mode string) *party {
		p := &party{name: name + "-" + mode, secret: made.text(mode + "_key"), things: map[string]string{
			"workspace": made.text(mode + ".id"), "slug": made.text(mode + ".slug"), "link_host": made.text(mode + ".link_host"),
		}}
		key := w.as(p).must(w.recipe("createApiKey", map[string]any{"/name": "Shop", "/kind": "publishable", "/scopes": []any{}}), 201)
		p.publishable = key.text("secret")
		p.things["api_key"] = key.text("api_key.id")
		return p
	}
	return party("test"), party("live")
}

// as makes a party the attacker, as long as the returned world is used.
func (w *world) as(p *party) *world {
	c := &world{
		t: w.t, book: w.book, database: w.database, store: w.store, owner: w.owner, digester: w.digester, queries: w.queries, logs: w.logs,
		server: w.server, own: p, twin: w.twin, victim: w.victim, planted: w.planted,
	}
	c.serial.Store(w.serial.Add(1) * 1_000_000)
	return c
}

// populate makes a thing of every kind in a workspace, with texts that must never be seen.
func (w *world) populate(p *party) {
	w.t.Helper()
	v, t := w.as(p), p.things
	secret := func(text string) string {
		w.planted = append(w.planted, text)
		return text
	}
	t["program"] = v.make("active_program")
	t["version"] = v.must(v.recipe("listProgramVersions", nil), 200).text("data.0.id")
	t["participant_name"], t["participant_email"] = "alice-"+p.name, "alice-"+p.name+"@planted.example"
	t["participant"] = v.must(v.recipe("createParticipant", map[string]any{
		"/external_id": t["participant_name"], "/email": secret(t["participant_email"]), "/display_name": "Alice of " + p.name,
	}), 201).text("id")
	code := v.must(v.recipe("createCode", map[string]any{"/value": "ALICE-" + p.name, "/max_uses": nil}), 201)
	t["code"], t["code_value"] = code.text("id"), code.text("value")
	t["other_code_value"] = v.must(v.recipe("createCode", map[string]any{"/value": "CAROL-" + p.name, "/participant_external_id": "carol"}), 201).text("value")
	t["visitor_name"] = secret("visitor-planted-" + p.name)
	t["click"] = v.must(v.recipe("recordClick", map[string]any{
		"/visitor_id": t["visitor_name"], "/ip": secret("203.0.113." + fmt.Sprint(10+len(w.planted))), "/user_agent": secret("PlantedAgent/" + p.name),
	}), 201).text("id")
	t["referee_name"], t["signup_name"] = "bob-"+p.name, "signup-"+p.name
	signup := v.must(v.recipe("createSignup", map[string]any{
		"/referee_external_id": t["referee_name"], "/external_id": t["signup_name"], "/visitor_id": t["visitor_name"],
		"/email": secret("bob-" + p.name + "@planted.example"), "/customer_since": nil,
	}), 201)
	t["signup"], t["referral"], t["decision"] = signup.text("signup.id"), signup.text("referral_id"), signup.text("decision_id")
	t["referee"] = signup.text("signup.referee_id")
	t["order_name"] = "order-" + p.name
	sale := v.must(v.recipe("recordConversion", map[string]any{"/external_id": t["order_name"]}), 201)
	t["conversion"], t["reward"] = sale.text("conversion.id"), sale.text("rewards.0.id")
	t["reversal_name"] = "chargeback-" + p.name
	t["chargeback"] = v.must(v.recipe("reverseConversion", map[string]any{
		"/external_id": t["reversal_name"], "/kind": "chargeback",
	}), 201).text("reversal.id")
	t["reward_name"] = "reward-" + p.name
	v.must(v.recipe("createManualReward", map[string]any{"/external_id": t["reward_name"], "/amount": 100_000}), 201)
	t["redemption_name"] = "redemption-" + p.name
	t["redemption"] = v.must(v.recipe("createCreditRedemption", map[string]any{"/external_id": t["redemption_name"]}), 201).text("id")
	v.must(v.recipe("voidCreditRedemption", nil), 200)
	v.must(v.recipeAt("setPayoutPolicy", "currency", "USD", ownPolicy), 201)
	v.earn(50) // below the minimum
	t["payout"] = v.make("payout")
	t["payout_run"] = v.must(v.recipe("listPayoutRuns", nil), 200).text("data.0.id")
	t["churn_name"] = "churn-" + p.name
	v.must(v.recipe("recordChurn", map[string]any{"/external_id": t["churn_name"], "/referee_external_id": "nobody-" + p.name}), 202)
	v.must(v.recipe("recordExchangeRate", nil), 201)
	t["erasure_name"] = "erasure-" + p.name
	t["erasure"] = v.must(v.recipe("createErasureRequest", map[string]any{"/external_id": t["erasure_name"]}), 201).text("id")
	t["event"] = v.must(v.recipe("listEvents", nil), 200).text("data.0.id")
}

// ownPolicy lets the key that makes a run approve and submit its payouts.
var ownPolicy = map[string]any{
	"/approval": "manual", "/approval_amount": nil, "/provider": "manual", "/webhook_url": nil, "/rotate_webhook_secret": false,
	"/tax_threshold": nil, "/four_eyes": false,
}

// earn gives somebody new money that can be paid.
func (w *world) earn(amount int) {
	who := w.must(w.recipe("createParticipant", nil), 201).text("external_id")
	w.must(w.recipe("createManualReward", map[string]any{"/kind": "money", "/amount": amount, "/expires_at": nil, "/participant_external_id": who}), 201)
}

// makers make something fresh for an attack that uses it up, and give its id.
func makers() map[string]func(w *world) string {
	return map[string]func(w *world) string{
		"api_key":       func(w *world) string { return w.must(w.recipe("createApiKey", nil), 201).text("api_key.id") },
		"draft_program": func(w *world) string { return w.must(w.recipe("createProgram", nil), 201).text("id") },
		"active_program": func(w *world) string {
			return w.must(w.recipe("activateProgram", nil), 200).text("id")
		},
		"ended_program": func(w *world) string { return w.must(w.recipe("endProgram", nil), 200).text("id") },
		"participant":   func(w *world) string { return w.must(w.recipe("createParticipant", nil), 201).text("id") },
		"person":        func(w *world) string { return w.must(w.recipe("createParticipant", nil), 201).text("external_id") },
		"suspended_participant": func(w *world) string {
			return w.must(w.recipe("suspendParticipant", nil), 200).text("id")
		},
		"code":          func(w *world) string { return w.must(w.recipe("createCode", nil), 201).text("id") },
		"disabled_code": func(w *world) string { return w.must(w.recipe("disableCode", nil), 200).text("id") },
		"conversion":    func(w *world) string { return w.must(w.recipe("recordConversion", nil), 201).text("conversion.id") },
		"order": func(w *world) string {
			return w.must(w.recipe("recordConversion", nil), 201).text("conversion.external_id")
		},
		"decision": func(w *world) string { return w.must(w.recipe("createReferral", nil), 201).text("decision_id") },
		"chargeback": func(w *world) string {
			return w.must(w.recipe("reverseConversion", map[string]any{"/kind": "chargeback"}), 201).text("reversal.id")
		},
		"referral":   func(w *world) string { return w.must(w.recipe("createReferral", nil), 201).text("referral_id") },
		"reward":     func(w *world) string { return w.must(w.recipe("createManualReward", nil), 201).text("id") },
		"redemption": func(w *world) string { return w.must(w.recipe("createCreditRedemption", nil), 201).text("id") },
		"payout_run": func(w *world) string {
			w.earn(5000)
			return w.must(w.recipe("createPayoutRun", nil), 201).text("run.id")
		},
		"payout": func(w *world) string {
			r := w.recipe("listPayouts", nil)
			r.query.Set("run_id", w.make("payout_run"))
			return w.must(r, 200).text("data.0.id")
		},
		"approved_payout":  func(w *world) string { return w.must(w.recipe("approvePayout", nil), 200).text("id") },
		"submitted_payout": func(w *world) string { return w.must(w.recipe("submitPayout", nil), 200).text("id") },
		"paid_payout":      func(w *world) string { return w.must(w.recipe("markPayoutPaid", nil), 200).text("id") },
		"failed_payout":    func(w *world) string { return w.must(w.recipe("markPayoutFailed", nil), 200).text("id") },
		"held_reward":      func(w *world) string { return w.must(w.recipe("holdReward", nil), 200).text("id") },
	}
}

func (w *world) make(what string) string {
	w.t.Helper()
	maker := makers()[what]
	if maker == nil {
		w.t.Fatalf("nothing makes a fresh %s", what)
	}
	return maker(w)
}

// thing is what a kind's thing of a party is called; random is the name of nothing.
func (w *world) thing(whose, kind string) string {
	w.t.Helper()
	v := w.party(whose).things[kind]
	if v == "" {
		w.t.Fatalf("there is no %s of %s", kind, whose)
	}
	return v
}

func (w *world) party(whose string) *party {
	w.t.Helper()
	p := map[string]*party{"own": w.own, "twin": w.twin, "victim": w.victim}[whose]
	if p == nil {
		w.t.Fatalf("there is no party %q", whose)
	}
	return p
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// soon is a time that the test clock has not reached.
func (w *world) soon() string { return w.after(60) }

// after is a time so many seconds from the test clock's.
func (w *world) after(seconds int) string {
	at, err := time.Parse(time.RFC3339, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return at.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
}

// fresh are the operations and the places by which a party makes one more thing that has a name.
var fresh = map[string]struct{ op, at string }{
	"participant_name":  {"createParticipant", "/external_id"},
	"participant_email": {"createParticipant", "/email"},
	"referee_name":      {"createSignup", "/referee_external_id"},
	"signup_name":       {"createSignup", "/external_id"},
	"visitor_name":      {"recordClick", "/visitor_id"},
	"code_value":        {"createCode", "/value"},
	"order_name":        {"recordConversion", "/external_id"},
	"reversal_name":     {"recordReversal", "/external_id"},
	"churn_name":        {"recordChurn", "/external_id"},
	"reward_name":       {"createManualReward", "/external_id"},
	"redemption_name":   {"createCreditRedemption", "/external_id"},
	"fresh_click":       {"recordClick", "/id"},
}

// newName has a party make one more thing, which nobody else has seen the name of, and gives that.
func (w *world) newName(whose, kind string) string {
	w.t.Helper()
	how, ok := fresh[kind]
	if !ok {
		w.t.Fatalf("nothing makes a fresh %s", kind)
	}
	v := w.as(w.party(whose))
	name := strings.ToUpper(w.unique()) + "X"
	switch kind {
	case "participant_email":
		name += "@planted.example"
	case "fresh_click":
		name = newID()
	}
	if got := v.send(v.recipe(how.op, map[string]any{how.at: name})); got.status > 202 {
		w.t.Fatalf("%s makes no %s: %v", whose, kind, got)
	}
	return name
}
