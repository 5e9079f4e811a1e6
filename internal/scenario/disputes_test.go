package scenario

import (
	"testing"
	"time"
)

func TestDisputes(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a chargeback of part after a refund of most takes the little that is left, and the dispute gives that back": func(s *situation) {
			s.referred(eighth())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.undoes("refund", "o1", "r1", 7_999, 2*time.Hour).want(201)
			s.has("A", 0, 250) // 250.125
			c := s.undoes("chargeback", "o1", "c1", 3_000, 3*time.Hour).want(201, "reversal.applied_amount", 2001, "conversion.state", "reversed")
			s.is("B", "attributed")
			s.has("A", 0, 0)
			s.wins(c, "w1", 4*time.Hour).want(200, "reversal.restored_amount", 2001, "conversion.net_amount", 2001, "conversion.state", "partially_reversed")
			s.is("B", "qualified")
			s.has("A", 0, 250)
			s.has("B", 0, 500)
			s.wins(c, "w1", 4*time.Hour).want(200, "conversion.net_amount", 2001) // told again
		},
		"of two chargebacks each dispute gives back its own": func(s *situation) {
			s.referred(eighth())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			one := s.undoes("chargeback", "o1", "c1", 6_000, 2*time.Hour).want(201)
			two := s.undoes("chargeback", "o1", "c2", 6_000, 3*time.Hour).want(201, "reversal.applied_amount", 4000)
			s.has("A", 0, 0)
			s.wins(two, "w2", 4*time.Hour).want(200, "conversion.net_amount", 4000)
			s.has("A", 0, 500)
			s.undoes("refund", "o1", "r1", 4_001, 5*time.Hour).want(422, "code", "reversal_exceeds_conversion")
			s.undoes("refund", "o1", "r1", 1_000, 5*time.Hour).want(201, "conversion.net_amount", 3000)
			s.wins(one, "w1", 6*time.Hour).want(200, "conversion.net_amount", 9000)
			s.has("A", 0, 1125)
			s.undoes("chargeback", "o1", "c3", 0, 7*time.Hour).want(201, "reversal.applied_amount", 9000)
			s.has("A", 0, 0)
			s.has("B", 0, 0)
		},
		"a refund cannot be disputed": func(s *situation) {
			s.referred(eighth())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			r := s.undoes("refund", "o1", "r1", 1_000, 2*time.Hour).want(201)
			s.wins(r, "w1", 3*time.Hour).want(409, "code", "state_not_allowed")
			f := s.undoes("fraud", "o1", "f1", 0, 3*time.Hour).want(201, "reversal.applied_amount", 9000)
			s.wins(f, "w2", 3*time.Hour).want(409, "code", "state_not_allowed")
			s.earned("A", "eighth: 1250 of 1250 cancelled REVERSED_FRAUD")
		},
		"a chargeback and its end may come before the purchase": func(s *situation) {
			s.referred(eighth())
			c := s.undoes("chargeback", "o1", "c1", 0, 2*time.Hour).want(202)
			s.wins(c, "w1", 3*time.Hour).want(200)
			s.undoes("refund", "o1", "r1", 1_000, 4*time.Hour).want(202)
			s.buys("B", "o1", 9_000, time.Hour).want(201, "conversion.net_amount", 8000)
			s.has("A", 0, 1000)
			s.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data", "[]")
		},
		"a dispute won after the window opens the referral again": func(s *situation) {
			s.referred(eighth(func(b body) { b["qualification"].(body)["window_seconds"] = 86_400 }))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.renews("B", "n1", 8_000, 20*time.Hour).want(201)
			c := s.undoes("chargeback", "o1", "c1", 0, 30*time.Hour).want(201)
			s.is("B", "expired")
			s.has("A", 0, 0)
			s.wins(c, "w1", 9*day).want(200)
			s.is("B", "qualified")
			s.has("A", 0, 2000)
			s.has("B", 0, 500)
		},
		"a dispute won when the referee belongs to somebody else pays what it took and moves nobody": func(s *situation) {
			s.referred(eighth(func(b body) { b["qualification"].(body)["window_seconds"] = 86_400 }))
			e := s.gets("E")
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			c := s.undoes("chargeback", "o1", "c1", 0, 30*time.Hour).want(201)
			s.is("B", "expired", "A")
			s.joins("B", 40*time.Hour, "code", e).want(201, "attributed", true)
			s.buys("B", "o2", 4_000, 41*time.Hour).want(201, "rewards.0.granted", 500)
			s.wins(c, "w1", 42*time.Hour).want(200)
			s.is("B", "qualified", "E")
			s.has("A", 0, 1000)
			s.has("E", 0, 500)
			s.buys("B", "o3", 4_000, 43*time.Hour).want(201)
			s.has("A", 0, 1000)
			s.has("E", 0, 1000)
		},
		"while the reward is pending it is cancelled and reinstated with its hold": func(s *situation) {
			s.referred(fixture())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			c := s.undoes("chargeback", "o1", "c1", 0, 2*day).want(201)
			s.earned("A", "referrer_share: 2000 of 2000 cancelled REVERSED_CHARGEBACK")
			s.wins(c, "w1", 5*day).want(200)
			s.earned("A", "referrer_share: 0 of 2000 pending DISPUTE_WON")
			s.at(time.Hour + 14*day - time.Second)
			s.has("A", 2000, 0)
			s.at(time.Hour + 14*day)
			s.has("A", 0, 2000)
		},
	})
}

func TestRefereesInSeveralPrograms(t *testing.T) {
	situations(t, map[string]func(*situation){
		"each program has its own referral and its own purchases": func(s *situation) {
			s.referred(eighth())
			first := s.program
			s.program = s.do("POST", "/v1/programs", body{
				"name": "other", "currency": "EUR", "landing_url": "https://shop.example/other",
				"rules": offer([]body{rule("tenth", "referrer", "purchase", share, 1000)}),
			}).want(201).str("id")
			second := s.program
			s.do("POST", "/v1/programs/"+second+"/activate", nil).want(200)
			s.buys("B", "x1", 9_000, time.Hour, "currency", "EUR").want(202, "conversion.state", "unmatched")
			s.joins("B", time.Hour, "code", s.gets("C")).want(201, "attributed", true)
			s.buys("B", "o1", 9_000, 2*time.Hour, "currency", "EUR").want(201, "rewards.0.granted", 900)
			s.buys("B", "o2", 9_000, 2*time.Hour).want(201, "conversion.state", "counted", "reason", "FX_RATE_MISSING")
			s.program = first
			s.joins("B", 2*time.Hour, "code", s.gets("C")).want(200, "attributed", false, "reason", "ALREADY_ATTRIBUTED")
			s.buys("B", "o1", 9_000, 2*time.Hour).want(409, "code", "conflict") // that order is the other program's
			s.buys("B", "o3", 8_000, 2*time.Hour).want(201, "rewards.0.granted", 1000)
			s.has("A", 0, 1000)
			s.has("C", 0, 900+900)
			s.program = second
			s.joins("D", 3*time.Hour, "code", s.gets("A")).want(201, "attributed", true)
			s.program = first
			s.joins("E", 3*time.Hour, "code", s.gets("C")).want(201, "attributed", true)
		},
		"a code of another program is no code of this one": func(s *situation) {
			s.begin(eighth())
			a := s.gets("A")
			click := s.clicks(a, 0)
			s.begin(eighth())
			s.joins("B", 0, "code", a).want(201, "attributed", false, "reason", "CODE_NOT_FOUND")
			s.joins("D", 0, "click_ids", []string{click}).want(201, "attributed", false, "reason", "NO_TOUCH")
			s.joins("E", 0, "code", a, "click_ids", []string{s.clicks(s.gets("C"), 0)}).want(201, "reason", "ATTRIBUTED_LAST_TOUCH")
		},
	})
}
