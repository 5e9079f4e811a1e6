package scenario

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// together runs functions at the same moment and waits for all.
func together(fns ...func()) {
	var start, done sync.WaitGroup
	start.Add(1)
	for _, fn := range fns {
		done.Go(func() {
			start.Wait()
			fn()
		})
	}
	start.Done()
	done.Wait()
}

func TestAReferralFromClickToMaturity(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, code := w.code("A", "")
	click := w.click(code, t0)
	w.signup("B", t0.Add(time.Hour), "click_ids", []string{click}).want(422) // an hour ahead of the clock
	w.clock(t0.Add(time.Hour))
	w.signup("B", t0.Add(time.Hour), "click_ids", []string{click}).want(201, "attributed", true, "reason", "ATTRIBUTED_LAST_TOUCH")
	bought := t0.Add(2 * time.Hour)
	w.clock(bought)
	w.purchase("B", "o1", 10_000, bought).want(201, "conversion.state", "counted", "rewards.0.granted", 2000, "rewards.0.state", "pending")
	w.referral("B").want(200, "state", "qualified")
	w.balance("A", 2000, 0)
	w.balance("B", 1000, 0)
	w.clock(bought.Add(14*day - time.Second))
	w.balance("A", 2000, 0)
	w.clock(bought.Add(14 * day))
	w.balance("A", 0, 2000)
	w.balance("B", 0, 1000)
	w.standing()
}

func TestTwoSignupsOfOneRefereeAtOnce(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	_, c := w.code("C", "")
	for i := range 5 {
		who := fmt.Sprintf("B%d", i)
		var got [2]answer
		together(
			func() { got[0] = w.signup(who, t0, "code", a) },
			func() { got[1] = w.signup(who, t0, "code", c) },
		)
		if got[0].status == http.StatusOK {
			got[0], got[1] = got[1], got[0]
		}
		got[0].want(201, "attributed", true)
		got[1].want(200, "attributed", false, "reason", "ALREADY_ATTRIBUTED", "referral_id", got[0].str("referral_id"), "referrer_id", got[0].str("referrer_id"))
	}
	if n := w.count("referrals"); n != 5 {
		t.Errorf("%d referrals", n)
	}
	if n := w.count("attribution_decisions"); n != 10 {
		t.Errorf("%d decisions", n)
	}
	w.standing()
}

func TestTheSameRequestTenTimesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	b := w.signupBody("B", t0, "code", a)
	var mu sync.Mutex
	var bodies []string
	fns := make([]func(), 10)
	for i := range fns {
		fns[i] = func() {
			got := w.send("POST", "/v1/signups", b, "once")
			for got.status == http.StatusConflict {
				got = w.send("POST", "/v1/signups", b, "once")
			}
			mu.Lock()
			bodies = append(bodies, fmt.Sprint(got.status, got.raw))
			mu.Unlock()
		}
	}
	together(fns...)
	for _, got := range bodies {
		if got != bodies[0] {
			t.Errorf("answers differ: %s and %s", got, bodies[0])
		}
	}
	if n := w.count("attribution_decisions"); n != 1 {
		t.Errorf("%d decisions", n)
	}
	b["code"] = "ANOTHER"
	w.send("POST", "/v1/signups", b, "once").want(422, "code", "idempotency_key_reuse")
	if n := w.count("attribution_decisions"); n != 1 {
		t.Errorf("%d decisions after the reuse", n)
	}
	w.standing()
}

func TestTheAttributionWindowIsHalfOpen(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	first, second := w.click(a, t0), w.click(a, t0)
	end := t0.Add(30 * day)
	w.clock(end)
	w.signup("B", end.Add(-time.Millisecond), "click_ids", []string{first}).want(201, "attributed", true)
	w.signup("D", end, "click_ids", []string{second}).want(201, "attributed", false, "reason", "WINDOW_EXPIRED")
	w.standing()
}

func TestFirstAndLastTouch(t *testing.T) {
	for model, winner := range map[string]string{"last_touch": "C", "first_touch": "A"} {
		t.Run(model, func(t *testing.T) {
			w := newWorld(t)
			rules := fixture()
			rules["attribution"].(body)["model"] = model
			w.start(rules)
			_, a := w.code("A", "")
			_, c := w.code("C", "")
			clicks := []string{w.click(a, t0)}
			w.clock(t0.Add(5 * day))
			clicks = append(clicks, w.click(c, t0.Add(5*day)))
			w.clock(t0.Add(6 * day))
			got := w.signup("B", t0.Add(6*day), "click_ids", clicks).want(201, "attributed", true)
			if got.str("referrer_id") != w.participant(winner) {
				t.Errorf("the referrer is not %s", winner)
			}
			d := w.do("GET", "/v1/decisions/"+got.str("decision_id"), nil).want(200)
			reasons := map[any]bool{d.get("candidates.0.reason"): true, d.get("candidates.1.reason"): true}
			if !reasons["SUPERSEDED"] || len(reasons) != 2 {
				t.Errorf("the candidates do not say who lost: %s", d.raw)
			}
			w.standing()
		})
	}
}

func TestATypedCodeOutranksAClick(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	_, c := w.code("C", "")
	click := w.click(c, t0)
	got := w.signup("B", t0, "click_ids", []string{click}, "code", a).want(201, "attributed", true, "reason", "ATTRIBUTED_EXPLICIT_CODE")
	if got.str("referrer_id") != w.participant("A") {
		t.Error("the referrer is not A")
	}
	w.standing()
}

func TestACodeIsJudgedByItsStateAtTheTimeOfTheTouch(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	id, a := w.code("A", "")
	click1, click2 := w.click(a, t0), w.click(a, t0)
	w.clock(t0.Add(day))
	w.do("POST", "/v1/codes/"+id+"/disable", body{"reason": "rotation"}).want(200)
	w.clock(t0.Add(2 * day))
	w.signup("B", t0.Add(2*day), "click_ids", []string{click1}).want(201, "attributed", true)
	w.signup("D", t0.Add(2*day), "code", a).want(201, "attributed", false, "reason", "CODE_DISABLED")
	w.do("POST", "/v1/codes/"+id+"/enable", nil).want(200)
	w.do("POST", "/v1/codes/"+id+"/disable", body{"reason": "fraud"}).want(200)
	w.signup("E", t0.Add(2*day), "click_ids", []string{click2}).want(201, "attributed", false, "reason", "CODE_DISABLED")
	w.signup("F", t0.Add(2*day), "code", a).want(201, "attributed", false, "reason", "CODE_DISABLED")
	w.standing()
}

func TestTheLastUseOfACodeGoesToOne(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	id, a := w.code("A", "", "max_uses", 3)
	fns := make([]func(), 12)
	got := make([]answer, len(fns))
	for i := range fns {
		fns[i] = func() { got[i] = w.signup(fmt.Sprintf("B%d", i), t0, "code", a) }
	}
	together(fns...)
	attributed := 0
	for _, g := range got {
		g.want(201)
		if g.get("attributed") == true {
			attributed++
			continue
		}
		g.want(201, "reason", "CODE_EXHAUSTED")
	}
	if attributed != 3 {
		t.Errorf("%d attributed", attributed)
	}
	w.do("GET", "/v1/codes/"+id, nil).want(200, "uses", 3, "effective_state", "exhausted")
	w.standing()
}

func TestCodesAreComparedFolded(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	w.code("A", "ALICE-9")
	w.signup("B", t0, "code", " alice-9 ").want(201, "attributed", true)
	w.do("POST", "/v1/codes", body{"program_id": w.program, "participant_external_id": "C", "value": "alice-9"}).want(409, "code", "code_taken")
	w.standing()
}

func TestACodeOfAnotherWorkspaceIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	program := w.program
	w.key = w.liveKey
	w.start(fixture())
	now := time.Now()
	w.signup("B", now, "code", a).want(201, "attributed", false, "reason", "CODE_NOT_FOUND")
	w.signup("D", now, "code", "NOSUCHCODE").want(201, "attributed", false, "reason", "CODE_NOT_FOUND")
	w.program = program
	w.signup("E", now, "code", a).want(422, "code", "unknown_reference")
}

func TestAnExistingCustomerIsNotReferred(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	click := w.click(a, t0)
	w.signup("B", t0, "click_ids", []string{click}, "customer_since", t0.Add(-day)).want(201, "attributed", false, "reason", "EXISTING_CUSTOMER")
	if w.count("signups") != 1 || w.count("referrals") != 0 {
		t.Error("want the signup and no referral")
	}
	w.standing()
}

func TestNobodyRefersOneself(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	w.do("POST", "/v1/participants", body{"external_id": "A", "email": "jane.doe@gmail.com"}).want(201)
	_, a := w.code("A", "")
	w.signup("A", t0, "code", a).want(201, "attributed", false, "reason", "SELF_REFERRAL")
	w.signup("B", t0, "code", a, "email", "J.a.n.e.Doe+x@googlemail.com").want(201, "attributed", false, "reason", "SELF_REFERRAL_ALIAS")
	w.signup("D", t0, "code", a, "email", "jane.d@gmail.com").want(201, "attributed", true)
	w.standing()
}

func TestAnEndedProgramHonoursWhatItPromised(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	_, a := w.code("A", "")
	w.signup("B", t0, "code", a).want(201, "attributed", true)
	w.do("POST", "/v1/programs/"+w.program+"/end", nil).want(200, "state", "ended")
	w.signup("D", t0, "code", a).want(201, "attributed", false, "reason", "PROGRAM_NOT_ACTIVE")
	end := t0.Add(30 * day)
	w.clock(end)
	w.purchase("B", "o1", 10_000, end.Add(-time.Second)).want(201, "conversion.state", "counted", "rewards.0.granted", 2000)
	w.purchase("B", "o2", 10_000, end).want(201, "conversion.state", "disqualified", "reason", "PROGRAM_NOT_ACTIVE")
	w.standing()
}

func TestNoCycleIsClosed(t *testing.T) {
	w := newWorld(t)
	w.start(fixture())
	for _, who := range []string{"A", "B", "C"} {
		w.do("POST", "/v1/participants", body{"external_id": who}).want(201)
	}
	w.link("A", "B").want(201)
	w.link("B", "C").want(201)
	w.link("C", "A").want(409, "code", "cycle_detected")
	for i := range 8 {
		x, y := fmt.Sprintf("X%d", i), fmt.Sprintf("Y%d", i)
		w.do("POST", "/v1/participants", body{"external_id": x}).want(201)
		w.do("POST", "/v1/participants", body{"external_id": y}).want(201)
		var got [2]answer
		together(func() { got[0] = w.link(x, y) }, func() { got[1] = w.link(y, x) })
		if got[0].status+got[1].status != 201+409 {
			t.Errorf("the two ends of a cycle answered %d and %d", got[0].status, got[1].status)
		}
	}
	w.standing()
}
