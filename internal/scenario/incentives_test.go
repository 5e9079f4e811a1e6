package scenario

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// chained refers G by H, F by G and A by F, then B by A: H <- G <- F <- A <- B.
func (s *situation) chained(rules body) {
	s.t.Helper()
	s.begin(rules)
	for i, pair := range [][2]string{{"H", "G"}, {"G", "F"}, {"F", "A"}, {"A", "B"}} {
		s.joins(pair[1], time.Duration(i)*time.Minute, "code", s.gets(pair[0])).want(201, "attributed", true)
	}
}

func level(n int, kind string, value int64) body {
	return rule(fmt.Sprintf("level%d", n), "upline", "purchase renewal", kind, value, "level", n)
}

func levels(ineligible string) func(body) {
	return func(b body) { b["levels"] = body{"ceiling_basis_points": 3000, "ineligible": ineligible} }
}

func direct(more ...any) body {
	return rule("direct", "referrer", "purchase renewal", share, 2000, more...)
}

func TestLevels(t *testing.T) {
	shares := []body{direct(), level(2, share, 500), level(3, share, 200)}
	situations(t, map[string]func(*situation){
		"three levels earn from a sale, the fourth is too deep": func(s *situation) {
			s.chained(offer(shares))
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.earned("A", "direct: 0 of 2000 available GRANTED")
			s.earned("F", "level2: 0 of 500 available GRANTED")
			s.earned("G", "level3: 0 of 200 available GRANTED")
			s.earned("H", "level3: 0 of 0 cancelled LEVEL_DEPTH_EXCEEDED")
			s.undoes("refund", "o1", "r1", 5_000, 2*time.Hour).want(201)
			s.has("A", 0, 1000)
			s.has("F", 0, 250)
			s.has("G", 0, 100)
			s.has("H", 0, 0)
		},
		"a share of the commission below": func(s *situation) {
			const commission = "basis_points_of_commission"
			s.chained(offer([]body{direct(), level(2, commission, 1000), level(3, commission, 1000)}))
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.has("A", 0, 2000)
			s.has("F", 0, 200)
			s.has("G", 0, 20)
			s.undoes("refund", "o1", "r1", 5_000, 2*time.Hour).want(201)
			s.has("F", 0, 100)
			s.has("G", 0, 10)
		},
		"an ancestor who may not earn is skipped": func(s *situation) {
			s.chained(offer(shares, levels("skip")))
			s.suspends("F")
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.earned("F", "level2: 0 of 0 cancelled LEVEL_INELIGIBLE_SKIPPED")
			s.has("G", 0, 200)
		},
		"or passed over": func(s *situation) {
			s.chained(offer(shares, levels("compress")))
			s.suspends("F")
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.has("F", 0, 0)
			s.earned("G", "level2: 0 of 500 available LEVEL_COMPRESSED")
			s.earned("H", "level3: 0 of 200 available LEVEL_COMPRESSED")
		},
		"who is above at the time of the sale earns from its refund, whoever is above then": func(s *situation) {
			s.chained(offer(shares))
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.suspends("F")
			s.undoes("refund", "o1", "r1", 5_000, 2*time.Hour).want(201)
			s.has("F", 0, 250)
		},
	})
}

// suspends keeps somebody from earning from now on.
func (s *situation) suspends(who string) {
	s.t.Helper()
	s.do("POST", "/v1/participants/"+s.participant(s.my(who))+"/suspend", body{"reason": "on leave"}).want(200)
}

func TestCapsAndBudgets(t *testing.T) {
	monthly := body{"amount": 5_000, "period": "month"}
	situations(t, map[string]func(*situation){
		"a cap grants what is left and says so": func(s *situation) {
			s.referred(offer([]body{direct("cap", monthly)}))
			s.buys("B", "o1", 20_000, time.Hour).want(201, "rewards.0.granted", 4000)
			s.buys("B", "o2", 20_000, time.Hour).want(201, "rewards.0.granted", 1000, "rewards.0.capped", 3000, "rewards.0.reason", "CAP_PARTIAL")
			s.buys("B", "o3", 20_000, time.Hour).want(201, "rewards.0.granted", 0, "rewards.0.capped", 4000, "rewards.0.reason", "CAP_REACHED",
				"rewards.0.state", "cancelled")
			s.has("A", 0, 5000)
			s.undoes("refund", "o1", "r1", 10_000, time.Hour).want(201)
			s.has("A", 0, 3000)
			s.buys("B", "o4", 5_000, time.Hour).want(201, "rewards.0.granted", 1000)
			s.undoes("refund", "o2", "r2", 15_000, time.Hour).want(201, "rewards.0.net", 1000)
			s.undoes("refund", "o2", "r3", 4_000, time.Hour).want(201, "rewards.0.net", 200)
			s.has("A", 0, 3200)
			s.buys("B", "n1", 20_000, 40*24*time.Hour).want(201, "rewards.0.granted", 4000)
		},
		"what a dispute gives back fits under the cap": func(s *situation) {
			s.referred(offer([]body{direct("cap", monthly)}))
			s.buys("B", "o1", 20_000, time.Hour)
			charged := s.undoes("chargeback", "o1", "x1", 0, time.Hour).want(201)
			s.buys("B", "o2", 15_000, time.Hour).want(201, "rewards.0.granted", 3000)
			s.wins(charged, "w1", 2*time.Hour).want(200)
			s.has("A", 0, 5000)
		},
		"a budget is shared by everybody": func(s *situation) {
			s.referred(offer([]body{direct(), rule("hello", "referee", "qualified", flat, 1000, "kind", "credit")}, func(b body) {
				b["budget"] = body{"amount": 4_500, "period": "lifetime"}
			}))
			s.buys("B", "o1", 20_000, time.Hour).want(201)
			s.earned("A", "direct: 0 of 4000 available GRANTED")
			s.earned("B", "hello: 0 of 500 available BUDGET_EXHAUSTED")
		},
		"64 clients share a cap and a budget to the cent": func(s *situation) {
			s.begin(offer([]body{
				direct("cap", body{"amount": 50_000, "period": "month"}), rule("hello", "referee", "qualified", flat, 1000, "kind", "credit"),
			}, func(b body) { b["budget"] = body{"amount": 100_000, "period": "year"} }))
			code := s.gets("A")
			var all sync.WaitGroup
			for i := range 64 {
				all.Go(func() {
					who := fmt.Sprintf("B%d", i)
					s.joins(who, 0, "code", code).want(201)
					for j := range 3 {
						s.buys(who, fmt.Sprintf("o%d-%d", i, j), 9_999, 0).want(201)
					}
				})
			}
			all.Wait()
			s.has("A", 0, 50_000)
			day := s.began.Format(time.DateOnly)
			s.do("GET", "/v1/programs/"+s.program+"/statistics?from="+day+"&to="+day, nil).want(200, "totals.rewards_granted", 100_000, "totals.conversions", 192)
		},
	})
}

func TestTiers(t *testing.T) {
	tiers := func(measure, period, mode string, steps ...body) body {
		return body{"measure": measure, "period": period, "mode": mode, "steps": steps}
	}
	step := func(from int64, value int64) body {
		return body{"from": from, "amount": body{"type": share, "value": value}}
	}
	situations(t, map[string]func(*situation){
		"the fifth qualified referral reaches the next tier, in every interleaving": func(s *situation) {
			s.begin(offer([]body{direct("tiers", tiers("qualified_referrals", "lifetime", "frozen", step(5, 2500)))}))
			code := s.gets("A")
			for i := range 5 {
				s.joins(fmt.Sprintf("B%d", i), 0, "code", code).want(201)
			}
			for i := range 3 {
				s.buys(fmt.Sprintf("B%d", i), fmt.Sprintf("o%d", i), 10_000, time.Hour).want(201, "rewards.0.granted", 2000, "rewards.0.tier", 0)
			}
			var both sync.WaitGroup
			for i := 3; i < 5; i++ {
				both.Go(func() { s.buys(fmt.Sprintf("B%d", i), fmt.Sprintf("o%d", i), 10_000, time.Hour).want(201) })
			}
			both.Wait()
			s.has("A", 0, 3*2000+4500)
			s.undoes("refund", "o0", "r1", 0, time.Hour).want(201)
			s.buys("B1", "n1", 10_000, time.Hour).want(201, "rewards.0.granted", 2000, "rewards.0.tier", 0)
		},
		"revenue of the month, rated again when it closes": func(s *situation) {
			s.referred(offer([]body{direct("tiers", tiers("revenue", "month", "recompute", step(15_000, 2500), step(30_000, 3000)))}))
			s.buys("B", "o1", 10_000, time.Hour).want(201, "rewards.0.granted", 2000)
			s.buys("B", "o2", 10_000, time.Hour).want(201, "rewards.0.granted", 2500, "rewards.0.tier", 1)
			s.buys("B", "o3", 10_000, time.Hour).want(201, "rewards.0.granted", 3000, "rewards.0.tier", 2)
			s.has("A", 0, 7500)
			s.at(45 * 24 * time.Hour)
			s.has("A", 0, 9000)
			s.undoes("refund", "o1", "r1", 0, 46*24*time.Hour).want(201)
			s.at(47 * 24 * time.Hour)
			s.has("A", 0, 5000)
		},
		"a share that comes to nothing is rated again too": func(s *situation) {
			small := direct("tiers", tiers("revenue", "month", "recompute", step(15_000, 2500)))
			small["amount"] = body{"type": "basis_points", "value": 1}
			s.referred(offer([]body{small}))
			s.buys("B", "o1", 4_000, time.Hour).want(201, "rewards.0.granted", 0)
			s.buys("B", "o2", 20_000, time.Hour).want(201, "rewards.0.granted", 5000)
			s.at(45 * 24 * time.Hour)
			s.has("A", 0, 6000)
		},
	})
}

func TestMilestones(t *testing.T) {
	goal := func(reversible bool) func(body) {
		return func(b body) {
			b["milestones"] = []body{{"key": "third", "measure": "qualified_referrals", "period": "lifetime", "threshold": 3, "kind": "money",
				"amount": 7_000, "reversible": reversible}}
		}
	}
	three := func(s *situation) {
		code := s.gets("A")
		for i := range 3 {
			s.joins(fmt.Sprintf("B%d", i), 0, "code", code).want(201)
			s.buys(fmt.Sprintf("B%d", i), fmt.Sprintf("o%d", i), 10_000, time.Hour).want(201)
		}
	}
	situations(t, map[string]func(*situation){
		"it pays once, and is lost with what reached it": func(s *situation) {
			s.begin(offer([]body{}, goal(true)))
			three(s)
			s.has("A", 0, 7000)
			s.undoes("refund", "o1", "r1", 0, time.Hour).want(201)
			s.has("A", 0, 0)
			s.buys("B1", "o9", 10_000, time.Hour).want(201)
			s.has("A", 0, 7000)
			s.earned("A", "third: 0 of 7000 available REINSTATED")
		},
		"one that is not reversible stays": func(s *situation) {
			s.begin(offer([]body{}, goal(false)))
			three(s)
			s.undoes("refund", "o1", "r1", 0, time.Hour).want(201)
			s.has("A", 0, 7000)
			s.buys("B1", "o9", 10_000, time.Hour).want(201)
			s.has("A", 0, 7000)
		},
	})
}

func TestTermsOfARule(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a condition on the sale": func(s *situation) {
			s.referred(offer([]body{direct("condition", `conversion.amount >= 5000 && conversion.metadata["plan"] == "pro"`)}))
			s.buys("B", "o1", 10_000, time.Hour, "metadata", body{"plan": "pro"}).want(201, "rewards.0.granted", 2000)
			s.buys("B", "o2", 4_999, time.Hour, "metadata", body{"plan": "pro"}).want(201, "rewards", "[]", "conversion.reason", "CONDITION_NOT_MET")
			s.buys("B", "o3", 9_999, time.Hour).want(201, "rewards", "[]", "conversion.reason", "CONDITION_NOT_MET")
		},
		"a group has terms of its own from when somebody is in it": func(s *situation) {
			s.referred(offer([]body{
				rule("usual", "referrer", "purchase", share, 2000, "groups", []string{"default"}),
				rule("partner", "referrer", "purchase", share, 3000, "groups", []string{"partners"}),
			}))
			s.buys("B", "o1", 10_000, time.Hour).want(201, "rewards.0.rule_key", "usual", "rewards.1", nil)
			s.at(2 * time.Hour)
			s.do("PUT", "/v1/participants/by-external-id?external_id="+s.my("A"), body{"group": "partners"}).want(200)
			s.buys("B", "o2", 10_000, 3*time.Hour).want(201, "rewards.0.rule_key", "partner", "rewards.0.granted", 3000, "rewards.1", nil)
			s.undoes("refund", "o1", "r1", 5_000, 4*time.Hour).want(201, "rewards.0.net", 1000, "rewards.0.rule_key", "usual")
			s.buys("B", "o0", 10_000, time.Hour+time.Minute).want(201, "rewards.0.rule_key", "usual")
		},
		"the first sale and those after it": func(s *situation) {
			s.referred(offer([]body{
				rule("new", "referrer", "purchase", share, 3000, "occurrence", "first"),
				rule("again", "referrer", "purchase renewal", share, 500, "occurrence", "later"),
			}))
			s.buys("B", "o1", 10_000, time.Hour).want(201, "rewards.0.rule_key", "new", "rewards.0.granted", 3000, "rewards.1", nil)
			s.buys("B", "o2", 10_000, time.Hour).want(201, "rewards.0.rule_key", "again", "rewards.0.granted", 500, "rewards.1", nil)
		},
		"rules published after the signup, where rewards stay with it":    publishedBetween("attribution", 2000),
		"rules published after the signup, where rewards follow the sale": publishedBetween("conversion", 1000),
	})
}

func publishedBetween(pin string, want int64) func(*situation) {
	return func(s *situation) {
		pinned := func(b body) { b["version_pin"] = pin }
		s.referred(offer([]body{direct()}, pinned))
		s.at(time.Hour)
		less := rule("direct", "referrer", "purchase renewal", share, 1000)
		second := s.do("POST", "/v1/programs/"+s.program+"/versions", body{"rules": offer([]body{less}, pinned)}).want(201).str("id")
		bought := s.buys("B", "o1", 10_000, 2*time.Hour).want(201, "rewards.0.granted", want)
		if (bought.str("rewards.0.program_version_id") == second) != (pin == "conversion") {
			s.t.Errorf("the reward names version %s, the second is %s", bought.str("rewards.0.program_version_id"), second)
		}
		s.undoes("refund", "o1", "r1", 5_000, 3*time.Hour).want(201, "rewards.0.net", want/2)
	}
}
