package scenario

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// issues gives somebody a code with more fields and returns its id and value.
func (s *situation) issues(owner string, more ...any) (id, value string) {
	s.t.Helper()
	return s.code(s.my(owner), "", more...)
}

func (s *situation) codes(verb, id string, why string, after time.Duration) {
	s.t.Helper()
	s.at(after)
	var b body
	if why != "" {
		b = body{"reason": why}
	}
	s.do("POST", "/v1/codes/"+id+"/"+verb, b).want(200)
}

// judged checks the reason of every candidate of a decision, in the order of the request's clicks and then the code.
func (s *situation) judged(a answer, ids []string, want ...string) {
	s.t.Helper()
	d := s.do("GET", "/v1/decisions/"+a.str("decision_id"), nil).want(200)
	list, _ := d.get("candidates").([]any)
	if len(list) != len(want) {
		s.t.Errorf("%d candidates, want %d: %s", len(list), len(want), d.raw)
	}
	reasons := map[string]string{}
	for _, c := range list {
		c := c.(body)
		id, _ := c["click_id"].(string)
		reasons[id] = c["reason"].(string)
	}
	for i, id := range append(ids, "")[:len(want)] {
		if reasons[id] != want[i] {
			s.t.Errorf("candidate %d is %q, want %q", i, reasons[id], want[i])
		}
	}
	s.do("POST", "/v1/decisions/"+a.str("decision_id")+"/replay", nil).want(200, "same", true)
}

func policy(more ...any) func(body) {
	return func(b body) {
		p := body{}
		for i := 0; i < len(more); i += 2 {
			p[more[i].(string)] = more[i+1]
		}
		b["attribution"] = p
	}
}

func TestTouches(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a code is judged as it was at each touch": func(s *situation) {
			s.begin(eighth())
			id, a := s.issues("A", "starts_at", s.began.Add(2*time.Hour), "expires_at", s.began.Add(20*time.Hour))
			early := s.clicks(a, 2*time.Hour-time.Microsecond)
			first := s.clicks(a, 2*time.Hour)
			s.codes("disable", id, "rotation", 5*time.Hour)
			meanwhile := s.clicks(a, 6*time.Hour)
			s.codes("enable", id, "", 7*time.Hour)
			again := s.clicks(a, 7*time.Hour)
			last := s.clicks(a, 20*time.Hour-time.Microsecond)
			over := s.clicks(a, 20*time.Hour)
			at := 21 * time.Hour
			s.joins("B1", at, "click_ids", []string{early}).want(201, "attributed", false, "reason", "CODE_NOT_STARTED")
			s.joins("B2", at, "click_ids", []string{first}).want(201, "attributed", true)
			s.joins("B3", at, "click_ids", []string{meanwhile}).want(201, "attributed", false, "reason", "CODE_DISABLED")
			s.joins("B4", at, "click_ids", []string{again}).want(201, "attributed", true)
			s.joins("B5", at, "click_ids", []string{last}).want(201, "attributed", true)
			s.joins("B6", at, "click_ids", []string{over}).want(201, "attributed", false, "reason", "CODE_EXPIRED")
			s.joins("B7", at, "code", a).want(201, "attributed", false, "reason", "CODE_EXPIRED")
			s.joins("B8", 20*time.Hour-time.Microsecond, "code", a).want(201, "attributed", true) // arrives late
			s.codes("retire", id, "", 22*time.Hour)
			s.joins("B9", 22*time.Hour, "click_ids", []string{again}).want(201, "attributed", true)
		},
		"fraud closes a code for every touch, and enabling it opens it again": func(s *situation) {
			s.begin(eighth())
			id, a := s.issues("A")
			click := s.clicks(a, time.Hour)
			s.codes("disable", id, "fraud", 2*time.Hour)
			during := s.clicks(a, 3*time.Hour)
			s.joins("B", 3*time.Hour, "click_ids", []string{click}).want(201, "reason", "CODE_DISABLED")
			s.joins("D", time.Hour, "code", a).want(201, "reason", "CODE_DISABLED") // typed before, received after
			s.codes("enable", id, "", 4*time.Hour)
			s.joins("E", 4*time.Hour, "click_ids", []string{click}).want(201, "attributed", true)
			s.joins("F", 4*time.Hour, "click_ids", []string{during}).want(201, "attributed", false, "reason", "CODE_DISABLED")
			s.codes("disable", id, "other", 5*time.Hour)
			s.codes("retire", id, "", 6*time.Hour)
			s.joins("G", 6*time.Hour, "code", a).want(201, "reason", "CODE_DISABLED")
			s.joins("H", 6*time.Hour, "click_ids", []string{click}).want(201, "attributed", true)
		},
		"a typed code that does not count leaves the referee to the click": func(s *situation) {
			s.begin(eighth())
			id, a := s.issues("A")
			click := s.clicks(s.gets("C"), time.Hour)
			s.codes("disable", id, "rotation", 2*time.Hour)
			got := s.joins("B", 3*time.Hour, "code", a, "click_ids", []string{click}).want(201, "attributed", true, "reason", "ATTRIBUTED_LAST_TOUCH")
			s.is("B", "attributed", "C")
			s.judged(got, []string{click}, "ATTRIBUTED_LAST_TOUCH", "CODE_DISABLED")
			got = s.joins("D", 3*time.Hour, "code", "NO-SUCH-CODE", "click_ids", []string{click}).want(201, "attributed", true)
			s.judged(got, []string{click}, "ATTRIBUTED_LAST_TOUCH", "CODE_NOT_FOUND")
		},
		"where clicks come first, a typed code needs that no click counts": func(s *situation) {
			s.begin(eighth(policy("code_precedence", "click", "window_seconds", 3600)))
			a := s.gets("A")
			click := s.clicks(s.gets("C"), time.Hour)
			got := s.joins("B", 2*time.Hour-time.Microsecond, "code", a, "click_ids", []string{click}).want(201, "reason", "ATTRIBUTED_LAST_TOUCH")
			s.judged(got, []string{click}, "ATTRIBUTED_LAST_TOUCH", "SUPERSEDED")
			got = s.joins("D", 2*time.Hour, "code", a, "click_ids", []string{click}).want(201, "reason", "ATTRIBUTED_EXPLICIT_CODE")
			s.judged(got, []string{click}, "WINDOW_EXPIRED", "ATTRIBUTED_EXPLICIT_CODE")
			s.is("B", "attributed", "C")
			s.is("D", "attributed", "A")
		},
		"the first touch of those inside the window wins, and a typed code above it": func(s *situation) {
			s.begin(eighth(policy("model", "first_touch", "window_seconds", 86_400)))
			a, c, e := s.gets("A"), s.gets("C"), s.gets("E")
			clicks := []string{s.clicks(a, 0), s.clicks(c, 2*time.Hour), s.clicks(e, 3*time.Hour)}
			got := s.joins("B", 24*time.Hour, "click_ids", clicks).want(201, "reason", "ATTRIBUTED_FIRST_TOUCH")
			s.judged(got, clicks, "WINDOW_EXPIRED", "ATTRIBUTED_FIRST_TOUCH", "SUPERSEDED")
			s.is("B", "attributed", "C")
			s.joins("D", 24*time.Hour, "click_ids", clicks, "code", e).want(201, "reason", "ATTRIBUTED_EXPLICIT_CODE")
			s.is("D", "attributed", "E")
		},
		"machines, repeats and clicks from the future never win": func(s *situation) {
			s.begin(eighth())
			a, c := s.gets("A"), s.gets("C")
			visitor := uuid.NewString()
			first := s.clicks(a, time.Hour, "visitor_id", visitor)
			again := s.clicks(a, time.Hour+time.Second, "visitor_id", visitor)
			robot := s.clicks(c, 2*time.Hour, "user_agent", "curl/8.0")
			later := s.clicks(c, 3*time.Hour+time.Second)
			clicks := []string{first, again, robot, later}
			got := s.joins("B", 3*time.Hour, "click_ids", clicks).want(201, "attributed", true)
			s.judged(got, clicks, "ATTRIBUTED_LAST_TOUCH", "DUPLICATE_TOUCH", "BOT_TOUCH_ONLY", "WINDOW_EXPIRED")
			s.joins("D", 3*time.Hour, "click_ids", []string{robot}).want(201, "attributed", false, "reason", "BOT_TOUCH_ONLY")
			s.joins("E", 3*time.Hour, "visitor_id", visitor).want(201, "attributed", true)
			s.joins("F", 3*time.Hour).want(201, "attributed", false, "reason", "NO_TOUCH")
		},
		"consent": func(s *situation) {
			s.begin(eighth(policy("require_consent", true)))
			a, c := s.gets("A"), s.gets("C")
			yes, no, unknown := s.clicks(a, time.Hour, "consent", "granted"), s.clicks(c, 2*time.Hour, "consent", "denied"), s.clicks(c, 3*time.Hour)
			clicks := []string{yes, no, unknown}
			got := s.joins("B", 4*time.Hour, "click_ids", clicks).want(201, "attributed", true)
			s.judged(got, clicks, "ATTRIBUTED_LAST_TOUCH", "CONSENT_MISSING", "CONSENT_MISSING")
			s.joins("D", 4*time.Hour, "click_ids", []string{unknown}).want(201, "attributed", false, "reason", "CONSENT_MISSING")
			s.joins("E", 4*time.Hour, "click_ids", []string{unknown}, "code", c).want(201, "reason", "ATTRIBUTED_EXPLICIT_CODE") // typing is consent
		},
		"a customer is judged against the touch that would win": func(s *situation) {
			s.begin(eighth())
			a, c := s.gets("A"), s.gets("C")
			clicks := []string{s.clicks(a, time.Hour), s.clicks(c, 5*time.Hour)}
			since := func(after time.Duration) time.Time { return s.began.Add(after) }
			at := 6 * time.Hour
			s.joins("B1", at, "click_ids", clicks, "customer_since", since(5*time.Hour-time.Second)).want(201, "attributed", false, "reason", "EXISTING_CUSTOMER")
			s.joins("B2", at, "click_ids", clicks, "customer_since", since(5*time.Hour)).want(201, "attributed", true)
			s.joins("B3", at, "click_ids", clicks[:1], "customer_since", since(2*time.Hour)).want(201, "attributed", true)
			s.joins("B4", at, "code", a, "customer_since", since(at-time.Second)).want(201, "attributed", false, "reason", "EXISTING_CUSTOMER")
			s.joins("B5", at, "code", a, "customer_since", since(at)).want(201, "attributed", true)
			s.do("POST", "/v1/participants", body{"external_id": s.my("B6"), "customer_since": since(0)}).want(201)
			s.joins("B6", at, "click_ids", clicks).want(201, "attributed", false, "reason", "EXISTING_CUSTOMER")
		},
		"one's own code refuses, whatever else was touched before": func(s *situation) {
			s.begin(eighth())
			mail := s.my("jane") + ".doe@gmail.com"
			s.do("POST", "/v1/participants", body{"external_id": s.my("A"), "email": mail}).want(201)
			a := s.gets("A")
			click := s.clicks(s.gets("C"), time.Hour)
			s.joins("A", 2*time.Hour, "code", a, "click_ids", []string{click}).want(201, "attributed", false, "reason", "SELF_REFERRAL")
			s.joins("B", 2*time.Hour, "code", a, "email", s.my("J.A.N.E")+"doe+shop@GoogleMail.com").want(201, "reason", "SELF_REFERRAL_ALIAS")
			s.buys("B", "o1", 8_000, 2*time.Hour).want(202, "rewards", "[]")
			s.joins("A", 3*time.Hour, "click_ids", []string{click}).want(201, "attributed", true)
			s.has("A", 0, 0)
		},
		"a signup that names a click which is not there yet": func(s *situation) {
			s.begin(eighth(policy("window_seconds", 3600)))
			a := s.gets("A")
			one, two := clickID(), clickID()
			s.joins("B", 2*time.Hour, "click_ids", []string{one}).want(201, "attributed", false, "reason", "NO_TOUCH")
			s.joins("D", 2*time.Hour, "click_ids", []string{two}).want(201, "attributed", false, "reason", "NO_TOUCH")
			s.buys("B", "o1", 8_000, 3*time.Hour).want(202)
			s.undoes("refund", "o1", "r1", 4_000, 4*time.Hour).want(201)
			s.clicks(a, time.Hour+time.Microsecond, "id", one)
			s.clicks(a, time.Hour, "id", two)
			s.is("B", "qualified", "A")
			s.has("A", 0, 500)
			if n := s.do("GET", "/v1/referrals?referee_id="+s.participant(s.my("D")), nil).get("data.0"); n != nil {
				s.t.Errorf("D was referred by a click outside the window: %v", n)
			}
		},
		"a click that arrives late wins where it would have won": func(s *situation) {
			s.begin(eighth())
			a, c := s.gets("A", "max_uses", 1), s.gets("C")
			one, two, own := s.clicks(a, time.Hour), clickID(), clickID()
			s.joins("B", 3*time.Hour, "click_ids", []string{one, two, own}).want(201, "attributed", true)
			s.buys("B", "o1", 8_000, 4*time.Hour).want(201)
			s.is("B", "qualified", "A")
			s.clicks(s.gets("B"), 2*time.Hour+time.Second, "id", own) // one's own, which would have been refused
			s.is("B", "qualified", "A")
			s.clicks(c, 2*time.Hour, "id", two)
			s.is("B", "qualified", "A") // the youngest is one's own
			s.has("A", 0, 1000)
			three := clickID()
			s.joins("D", 3*time.Hour, "click_ids", []string{s.clicks(c, time.Hour), three}).want(201, "attributed", true)
			s.buys("D", "o2", 8_000, 4*time.Hour).want(201)
			s.undoes("refund", "o2", "r2", 2_000, 4*time.Hour).want(201)
			s.has("C", 0, 750)
			e, old := s.gets("E"), s.referral(s.my("D")).str("id")
			s.clicks(e, 2*time.Hour, "id", three)
			s.is("D", "qualified", "E")
			s.do("GET", "/v1/referrals/"+old, nil).want(200, "state", "superseded", "reason", "SUPERSEDED")
			s.has("C", 0, 0)
			s.has("E", 0, 750)
			s.has("D", 0, 500)
		},
		"a click that arrives when the referral has ended changes nothing": func(s *situation) {
			s.begin(offer([]body{rule("join", "referrer", "signup", flat, 70)}, func(b body) {
				b["qualification"].(body)["window_seconds"] = 86_400
			}))
			a, c := s.gets("A"), s.gets("C")
			one, two, three := s.clicks(a, time.Hour), clickID(), clickID()
			s.joins("B", 3*time.Hour, "click_ids", []string{one, two}).want(201, "attributed", true)
			s.joins("D", 3*time.Hour, "click_ids", []string{one, three}).want(201, "attributed", true)
			s.rejects("D").want(200)
			s.clicks(c, 2*time.Hour, "id", three)
			s.is("D", "rejected", "A")
			four := clickID()
			s.joins("F", 3*time.Hour, "click_ids", []string{one, four}).want(201, "attributed", true)
			s.gives("F", "code", s.gets("E")).want(201, "attributed", true)
			s.clicks(c, 2*time.Hour, "id", four)
			s.is("F", "attributed", "E") // a person has decided
			s.at(3 * day)
			s.is("B", "expired", "A")
			s.clicks(a, 2*time.Hour, "id", two)
			s.is("B", "expired", "A")
			s.is("F", "expired", "E")
			s.has("A", 0, 70)
			s.has("C", 0, 0)
		},
		"a click that arrives late loses where it would have lost": func(s *situation) {
			s.begin(eighth(policy("model", "first_touch")))
			a, c := s.gets("A", "max_uses", 1), s.gets("C")
			late, typed, earlier := clickID(), clickID(), clickID()
			s.joins("B", 3*time.Hour, "click_ids", []string{s.clicks(a, time.Hour), late, earlier}).want(201, "attributed", true)
			s.joins("D", 3*time.Hour, "code", c, "click_ids", []string{typed}).want(201, "reason", "ATTRIBUTED_EXPLICIT_CODE")
			s.clicks(c, 2*time.Hour, "id", late)
			s.is("B", "attributed", "A")
			s.clicks(s.gets("E"), time.Hour, "id", typed)
			s.is("D", "attributed", "C")
			s.clicks(c, time.Hour-time.Second, "id", earlier)
			s.is("B", "attributed", "C")
			s.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data", "[]")
		},
	})
}

func clickID() string { return uuid.Must(uuid.NewV7()).String() }
