package scenario

import (
	"testing"
	"time"
)

// What is taken back makes room under a limit for what is granted with it, and what waits is not rated.
func TestRoomUnderLimits(t *testing.T) {
	hello := rule("hello", "referee", "qualified", flat, 1000, "kind", "credit", "cap", body{"amount": 1_000, "period": "lifetime"})
	situations(t, map[string]func(*situation){
		"an earlier purchase that comes late takes over the room of the one that qualified": func(s *situation) {
			s.referred(offer([]body{hello}))
			s.buys("B", "o2", 10_000, 2*time.Hour).want(201, "rewards.0.granted", 1000)
			s.buys("B", "o1", 10_000, time.Hour).want(201, "rewards.0.granted", 1000)
			s.earned("B", "hello: 1000 of 1000 cancelled NOT_QUALIFIED", "hello: 0 of 1000 available GRANTED")
		},
		"the next purchase that qualifies takes over the room of one that is refunded": func(s *situation) {
			s.referred(offer([]body{hello}))
			s.buys("B", "o1", 10_000, time.Hour).want(201, "rewards.0.granted", 1000)
			s.buys("B", "o2", 10_000, 2*time.Hour).want(201, "rewards", "[]")
			s.undoes("refund", "o1", "r1", 0, 3*time.Hour).want(201)
			s.earned("B", "hello: 1000 of 1000 cancelled REVERSED_REFUND", "hello: 0 of 1000 available GRANTED")
		},
		"a sale that was undone before it came keeps the step that it had": func(s *situation) {
			steps := []body{{"from": 2, "amount": body{"type": share, "value": 2000}}, {"from": 3, "amount": body{"type": share, "value": 3000}}}
			s.referred(offer([]body{rule("direct", "referrer", "purchase renewal", share, 1, "tiers", body{
				"measure": "conversions", "period": "lifetime", "mode": "frozen", "steps": steps,
			})}))
			s.buys("B", "o1", 2_500, time.Hour).want(201, "rewards.0.granted", 0)
			charged := s.undoes("chargeback", "o1", "x1", 0, 3*time.Hour).want(201)
			s.renews("B", "o2", 3_000, 2*time.Hour).want(201, "rewards.0.granted", 600, "rewards.0.net", 0)
			s.joins("C", 4*time.Hour, "code", s.gets("A")).want(201)
			s.buys("C", "o3", 2_000, 5*time.Hour).want(201, "rewards.0.granted", 400)
			s.wins(charged, "w1", 6*time.Hour).want(200)
			s.has("A", 0, 1000)
		},
		"what waits for a rate when its period closes is rated when it has one": func(s *situation) {
			s.referred(offer([]body{direct("tiers", body{
				"measure": "conversions", "period": "month", "mode": "recompute", "steps": []body{{"from": 2, "amount": body{"type": share, "value": 3000}}},
			})}))
			s.buys("B", "o1", 10_000, time.Hour).want(201, "rewards.0.granted", 2000)
			s.buys("B", "o2", 10_000, 2*time.Hour, "currency", "EUR").want(201)
			s.at(45 * 24 * time.Hour)
			s.has("A", 0, 2000)
			s.do("POST", "/v1/exchange-rates", body{
				"from_currency": "EUR", "to_currency": "USD", "rate": "1.1", "source": "bank", "effective_at": s.began,
			}).want(201)
			s.at(46 * 24 * time.Hour)
			s.has("A", 0, 6300)
			s.earned("A", "direct: 0 of 2000 available GRANTED", "direct: 0 of 3300 available GRANTED", "direct: 0 of 1000 available TIER_RERATED")
		},
	})
}
