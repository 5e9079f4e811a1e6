package scenario

import (
	"testing"
	"time"
)

// links refers somebody by hand.
func (s *situation) links(referrer, referee string, after time.Duration) answer {
	s.t.Helper()
	return s.do("POST", "/v1/referrals", s.fact(after, nil, body{
		"program_id": s.program, "referrer_external_id": s.my(referrer), "referee_external_id": s.my(referee), "reason": "told us so",
	}))
}

// gives a referee's referral to another referrer.
func (s *situation) gives(referee string, more ...any) answer {
	s.t.Helper()
	b := body{"reason": "support"}
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	return s.do("POST", "/v1/referrals/"+s.referral(s.my(referee)).str("id")+"/reattribute", b)
}

func (s *situation) rejects(referee string) answer {
	s.t.Helper()
	return s.do("POST", "/v1/referrals/"+s.referral(s.my(referee)).str("id")+"/reject", body{"reason": "no"})
}

func (s *situation) reward(id, verb string) answer {
	s.t.Helper()
	if verb == "release" {
		return s.do("POST", "/v1/rewards/"+id+"/release", nil)
	}
	return s.do("POST", "/v1/rewards/"+id+"/"+verb, body{"reason": "by hand"})
}

func TestByHand(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a referral by hand settles what waited": func(s *situation) {
			s.begin(eighth())
			s.gets("A")
			s.gets("C")
			s.buys("B", "o1", 8_000, 2*time.Hour).want(202)
			s.buys("B", "o0", 8_000, time.Hour-time.Microsecond).want(202)
			s.links("A", "B", time.Hour).want(201, "attributed", true, "reason", "ATTRIBUTED_MANUAL")
			s.has("A", 0, 1000)
			s.order("o0").want(200, "state", "disqualified", "reason", "OCCURRED_BEFORE_SIGNUP")
			s.links("C", "B", time.Hour).want(200, "attributed", false, "reason", "ALREADY_ATTRIBUTED")
			s.links("A", "A", time.Hour).want(200, "attributed", false, "reason", "SELF_REFERRAL")
		},
		"a chain of reattributions ends where it began, and the money with it": func(s *situation) {
			s.referred(eighth(func(b body) {
				b["rewards"] = append(b["rewards"].([]body), rule("join", "referrer", "signup", flat, 70), rule("come", "referee", "signup", flat, 30))
			}))
			c := s.gets("C")
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.undoes("refund", "o1", "r1", 2_000, 2*time.Hour).want(201)
			s.has("A", 0, 820)
			s.has("B", 0, 530)
			s.gives("B", "code", c).want(201, "attributed", true)
			s.is("B", "qualified", "C")
			s.has("A", 0, 0)
			s.has("C", 0, 820)
			s.has("B", 0, 530)
			s.gives("B", "referrer_external_id", s.my("A")).want(201, "attributed", true)
			s.is("B", "qualified", "A")
			s.has("A", 0, 820)
			s.has("C", 0, 0)
			s.has("B", 0, 530)
			s.gives("B", "referrer_external_id", s.my("B")).want(200, "attributed", false, "reason", "SELF_REFERRAL")
			s.undoes("refund", "o1", "r2", 1_000, 3*time.Hour).want(201)
			s.buys("B", "o2", 800, 30*time.Minute).want(201, "rewards", "[]", "reason", "BELOW_MINIMUM")
			s.has("A", 0, 695)
			s.has("C", 0, 0)
		},
		"a reattribution is judged at the moment of the joining": func(s *situation) {
			s.referred(eighth())
			id, c := s.issues("C")
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.do("PUT", "/v1/participants/by-external-id?external_id="+s.my("B"), body{"customer_since": s.began.Add(time.Hour)})
			s.codes("disable", id, "rotation", 2*time.Hour)
			s.moves("end", 3*time.Hour)
			s.gives("B", "code", c).want(201, "attributed", true)
			s.gives("B", "referrer_external_id", s.my("A")).want(201, "attributed", true)
			s.has("A", 0, 1000)
		},
		"a rejected referral takes late facts and pays none of them": func(s *situation) {
			s.referred(eighth())
			c := s.gets("C")
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.rejects("B").want(200, "state", "rejected")
			s.has("A", 0, 0)
			s.has("B", 0, 0)
			s.buys("B", "o2", 8_000, 30*time.Minute).want(201, "conversion.state", "disqualified", "reason", "REFERRAL_REJECTED")
			cb := s.undoes("chargeback", "o1", "c1", 0, 2*time.Hour).want(201, "conversion.state", "reversed")
			s.wins(cb, "w1", 3*time.Hour).want(200, "conversion.state", "counted")
			s.has("A", 0, 0)
			s.gives("B", "code", c).want(409, "code", "state_not_allowed")
			s.joins("B", 4*time.Hour, "code", c).want(201, "attributed", true) // not live any more
			s.buys("B", "o3", 8_000, 5*time.Hour).want(201, "rewards.0.granted", 1000)
			s.has("C", 0, 1000)
			s.has("A", 0, 0)
			s.is("B", "qualified", "C")
		},
		"a ban cancels what is owed and leaves the referee its own": func(s *situation) {
			s.referred(fixture())
			a := s.gets("A")
			s.joins("D", 0, "code", a).want(201)
			click := s.clicks(a, 0)
			s.buys("B", "o1", 10_000, 0).want(201)
			s.buys("B", "o2", 15_000, 10*day).want(201)
			s.at(14 * day)
			s.has("A", 3000, 2000)
			s.do("POST", "/v1/participants/"+s.participant(s.my("A"))+"/ban", body{"reason": "ring"}).want(200, "state", "banned")
			s.has("A", 0, 0)
			s.has("B", 0, 1000)
			s.is("B", "rejected")
			s.is("D", "rejected")
			s.buys("D", "o3", 10_000, 13*day).want(201, "conversion.state", "disqualified", "reason", "REFERRER_INELIGIBLE")
			s.undoes("refund", "o2", "r2", 5_000, 14*day).want(201)
			s.undoes("refund", "o1", "r1", 10_000, 14*day).want(201)
			s.has("A", 0, 0)
			s.joins("E", 14*day, "click_ids", []string{click}).want(201, "attributed", false, "reason", "CODE_DISABLED")
			s.joins("F", 14*day, "code", a).want(201, "attributed", false, "reason", "CODE_DISABLED")
		},
		"a held reward keeps what refunds leave of it": func(s *situation) {
			s.referred(eighth())
			id := s.buys("B", "o1", 8_000, time.Hour).want(201).str("rewards.0.id")
			s.reward(id, "hold").want(200, "state", "held")
			s.has("A", 1000, 0)
			s.undoes("refund", "o1", "r1", 3_000, 2*time.Hour).want(201)
			s.has("A", 625, 0)
			s.reward(id, "release").want(200, "state", "available", "net", 625)
			s.has("A", 0, 625)
			s.reward(id, "release").want(409, "code", "state_not_allowed")
		},
		"a hold does not make a reversal final": func(s *situation) {
			s.referred(eighth())
			id := s.buys("B", "o1", 10_000, time.Hour).want(201).str("rewards.0.id")
			c := s.undoes("chargeback", "o1", "c1", 5_000, 2*time.Hour).want(201)
			s.reward(id, "hold").want(200)
			s.undoes("manual", "o1", "m1", 4_000, 3*time.Hour).want(201, "conversion.net_amount", 1000)
			s.is("B", "attributed")
			s.has("A", 0, 0)
			s.wins(c, "w1", 4*time.Hour).want(200, "conversion.net_amount", 6000)
			s.is("B", "qualified")
			s.has("A", 0, 750)
		},
		"a reward cancelled by hand stays so, whatever the facts do": func(s *situation) {
			s.referred(eighth(within(60*day, true)))
			id := s.buys("B", "o1", 8_000, time.Hour).want(201).str("rewards.0.id")
			s.reward(id, "cancel").want(200, "state", "cancelled", "reversed", 1000)
			c := s.undoes("chargeback", "o1", "c1", 0, 2*time.Hour).want(201)
			s.wins(c, "w1", 3*time.Hour).want(200)
			s.leaves("B", "l1", 4*time.Hour).want(201)
			s.returns("B", "b1", 5*time.Hour).want(201)
			s.has("A", 0, 0)
			s.has("B", 0, 500)
			s.reward(id, "cancel").want(409, "code", "state_not_allowed")
		},
		"a refund in full of a held reward cancels it": func(s *situation) {
			s.referred(fixture())
			id := s.buys("B", "o1", 10_000, time.Hour).want(201).str("rewards.0.id")
			s.at(20 * day)
			s.reward(id, "hold").want(200, "state", "held")
			s.has("A", 2000, 0)
			s.undoes("refund", "o1", "r1", 0, 20*day).want(201, "rewards.0.state", "cancelled")
			s.has("A", 0, 0)
			s.reward(id, "release").want(409, "code", "state_not_allowed")
		},
	})
}
