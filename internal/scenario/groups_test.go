package scenario

import (
	"net/url"
	"testing"
	"time"
)

// joinsGroup puts a participant in a group from now on; nil is none.
func (s *situation) joinsGroup(who string, group any) {
	s.t.Helper()
	a := s.do("PUT", "/v1/participants/by-external-id?external_id="+url.QueryEscape(s.my(who)), body{"group": group})
	if a.status != 200 && a.status != 201 {
		s.t.Fatalf("%d: %s", a.status, a.raw)
	}
}

// TestGroups: each group has terms of its own, by the group at the time of the sale.
func TestGroups(t *testing.T) {
	terms := func() body {
		return offer([]body{
			rule("usual", "referrer", "purchase renewal", share, 2000, "groups", []string{"default"}),
			rule("partner", "referrer", "purchase renewal", share, 3000, "groups", []string{"partner"}),
			rule("welcome", "referee", "qualified", flat, 500, "groups", []string{"partner"}, "kind", "credit"),
			rule("above", "upline", "purchase renewal", share, 500, "level", 2, "groups", []string{"partner", "press"}),
		})
	}
	situations(t, map[string]func(*situation){
		"who is in no group has the usual terms": func(s *situation) {
			s.referred(terms())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.earned("A", "usual: 0 of 2000 available GRANTED")
			s.earned("B")
		},
		"who is in a group has those of the group, and so has the referee": func(s *situation) {
			s.joinsGroup("A", "partner")
			s.referred(terms())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.earned("A", "partner: 0 of 3000 available GRANTED")
			s.earned("B", "welcome: 0 of 500 available GRANTED")
			s.undoes("refund", "o1", "r1", 3_333, 2*time.Hour).want(201)
			s.has("A", 0, 2000)
		},
		"a change is for sales from then on": func(s *situation) {
			s.referred(terms())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.at(2 * time.Hour)
			s.joinsGroup("A", "partner")
			s.renews("B", "o2", 10_000, 3*time.Hour).want(201)
			s.has("A", 0, 5000)
			s.at(4 * time.Hour)
			s.joinsGroup("A", nil)
			s.renews("B", "o3", 10_000, 5*time.Hour).want(201)
			s.has("A", 0, 7000)
			s.renews("B", "o4", 10_000, 150*time.Minute).want(201) // told late, of when A was a partner
			s.has("A", 0, 10_000)
			s.undoes("refund", "o1", "r1", 10_000, 6*time.Hour).want(201)
			s.has("A", 0, 0) // nothing else qualifies
		},
		"a group that no rule is for earns nothing, and the sale says why": func(s *situation) {
			s.joinsGroup("A", "press")
			s.referred(offer([]body{direct("groups", []string{"default", "partner"})}))
			s.buys("B", "o1", 10_000, time.Hour).want(201, "conversion.reason", "GROUP_NOT_ELIGIBLE")
			s.earned("A")
		},
		"the upline goes by its own group": func(s *situation) {
			s.joinsGroup("F", "press")
			s.chained(terms())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.earned("A", "usual: 0 of 2000 available GRANTED")
			s.has("F", 0, 500)
			s.has("G", 0, 0)
		},
	})
}

// TestRulesOfLevels: rules that could pay more than the program allows are refused when they are published, never when they pay.
func TestRulesOfLevels(t *testing.T) {
	above := offer([]body{direct(), level(2, share, 500), level(3, share, 200)}, func(b body) { b["levels"] = body{"ceiling_basis_points": 2500} })
	situations(t, map[string]func(*situation){
		"levels above the ceiling": func(s *situation) {
			s.do("POST", "/v1/programs", body{"name": s.name, "currency": "USD", "landing_url": "https://shop.example/welcome", "rules": above}).
				want(422, "code", "rules_invalid", "errors.0.pointer", "/rules/levels/ceiling_basis_points")
			s.begin(offer([]body{direct()}))
			s.do("POST", "/v1/programs/"+s.program+"/versions", body{"rules": above}).want(422, "code", "rules_invalid")
			s.do("POST", "/v1/programs/"+s.program+"/versions/validate", body{"rules": above}).want(200, "valid", false)
			above["levels"] = body{"ceiling_basis_points": 2700}
			s.do("POST", "/v1/programs/"+s.program+"/versions", body{"rules": above}).want(201, "number", 2)
		},
	})
}
