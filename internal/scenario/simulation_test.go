package scenario

import (
	"fmt"
	"testing"
	"time"
)

func TestSimulations(t *testing.T) {
	rich := func() body {
		return offer([]body{
			direct("cap", body{"amount": 5_000, "period": "month"}, "tiers", body{
				"measure": "qualified_referrals", "period": "lifetime", "mode": "frozen",
				"steps": []body{{"from": 2, "amount": body{"type": share, "value": 2200}}},
			}),
			level(2, share, 500), rule("hello", "referee", "qualified", flat, 1000, "kind", "credit"),
		}, func(b body) {
			b["milestones"] = []body{{"key": "pair", "measure": "qualified_referrals", "period": "lifetime", "threshold": 2, "kind": "money",
				"amount": 700, "reversible": true}}
		})
	}
	situations(t, map[string]func(*situation){
		"the rules on record change nothing, others do, and nothing is written": func(s *situation) {
			s.begin(rich())
			s.joins("A", 0, "code", s.gets("F")).want(201)
			code := s.gets("A")
			for i := range 3 {
				s.joins(fmt.Sprintf("B%d", i), time.Minute, "code", code).want(201)
				s.buys(fmt.Sprintf("B%d", i), fmt.Sprintf("o%d", i), 10_000, time.Duration(i+1)*time.Hour).want(201)
			}
			s.undoes("refund", "o2", "r1", 5_000, 5*time.Hour).want(201)
			events := s.do("GET", "/v1/events?limit=1", nil).want(200).str("data.0.id")
			simulate := func(rules body) answer {
				return s.do("POST", "/v1/programs/"+s.program+"/simulations", body{"rules": rules}).want(200)
			}
			same := simulate(rich()).want(200, "differences", "[]", "differences_total", 0, "referrals", 4)
			same.want(200, "totals.0.kind", "credit", "totals.0.old", 3000, "totals.1.kind", "money", "totals.1.old", 5000+700+1250)
			again := simulate(rich())
			if same.str("hash") != again.str("hash") {
				t.Error("the same simulation has another hash")
			}
			less := rich()
			less["rewards"].([]body)[1] = level(2, share, 100)
			changed := simulate(less).want(200, "differences_total", 1, "differences.0.old", 1250, "differences.0.new", 250, "differences.0.difference", -1000)
			if changed.str("hash") == same.str("hash") {
				t.Error("another result has the same hash")
			}
			s.do("POST", "/v1/programs/"+s.program+"/simulations", body{"rules": offer([]body{direct(), level(2, share, 9_999)})}).want(422)
			if now := s.do("GET", "/v1/events?limit=1", nil).want(200).str("data.0.id"); now != events {
				t.Errorf("event %s was written", now)
			}
		},
		"a conversion is judged and not recorded": func(s *situation) {
			s.chained(offer([]body{direct(), level(2, share, 500)}))
			sale := body{"program_id": s.program, "referee_external_id": s.my("B"), "source": "shop", "external_id": s.my("o1"), "type": "purchase",
				"amount": 10_000, "currency": "USD"}
			s.do("POST", "/v1/conversions/preview", sale).want(200, "state", "counted", "rewards.0.granted", 2000, "rewards.0.level", 1,
				"rewards.1.granted", 500, "rewards.1.beneficiary", "upline")
			s.is("B", "attributed")
			s.do("GET", "/v1/conversions?program_id="+s.program, nil).want(200, "data", "[]")
			s.do("POST", "/v1/conversions", sale).want(201, "rewards.0.granted", 2000)
		},
	})
}
