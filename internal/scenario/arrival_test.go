package scenario

import (
	"testing"
	"time"
)

// eighth is 12.5 % of every purchase and renewal to the referrer, 500 once to the referee, without a hold.
func eighth(changes ...func(body)) body {
	return offer([]body{rule("eighth", "referrer", "purchase renewal", share, 1250), rule("hello", "referee", "qualified", flat, 500)}, changes...)
}

func TestFactsArriveInAnyOrder(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a refund, its purchase and an older purchase before the signup": func(s *situation) {
			s.begin(eighth())
			a := s.gets("A")
			s.at(6 * time.Hour)
			click := s.clicks(a, time.Hour)
			s.undoes("refund", "o1", "r1", 2_500, 4*time.Hour).want(202)
			s.buys("B", "o1", 7_777, 3*time.Hour).want(202, "conversion.reversed_amount", 2500)
			s.buys("B", "o0", 9_000, time.Hour).want(202)
			s.joins("B", 2*time.Hour, "click_ids", []string{click}).want(201, "attributed", true, "reason", "ATTRIBUTED_LAST_TOUCH")
			s.is("B", "qualified", "A")
			s.earned("A", "eighth: 312 of 972 available REVERSED_REFUND") // 972.125, and 659.625 is left
			s.earned("B", "hello: 0 of 500 available GRANTED")
			s.order("o0").want(200, "state", "disqualified", "reason", "OCCURRED_BEFORE_SIGNUP")
			s.order("o1").want(200, "state", "partially_reversed", "net_amount", 5277)
			s.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data", "[]")
		},
		"a full refund before its purchase before its signup leaves the window open": func(s *situation) {
			s.begin(eighth())
			a := s.gets("A")
			s.undoes("refund", "o1", "r1", 0, 4*time.Hour).want(202)
			s.buys("B", "o1", 7_777, 3*time.Hour).want(202, "conversion.net_amount", 0)
			s.joins("B", 2*time.Hour, "code", a).want(201, "attributed", true)
			s.is("B", "attributed", "A")
			s.has("A", 0, 0)
			s.earned("A", "eighth: 972 of 972 cancelled REVERSED_REFUND") // as it would be in order
			s.earned("B", "hello: 500 of 500 cancelled REVERSED_REFUND")
			s.order("o1").want(200, "state", "reversed", "reason", "REVERSED_REFUND")
			s.buys("B", "o2", 4_000, 5*time.Hour).want(201)
			s.has("A", 0, 500)
			s.has("B", 0, 500)
		},
		"refunds that wait are taken as they occurred, and one too many is refused": func(s *situation) {
			s.referred(eighth())
			s.undoes("refund", "o1", "late", 5_000, 4*time.Hour).want(202)
			s.undoes("refund", "o1", "early", 6_000, 3*time.Hour).want(202)
			s.undoes("refund", "o1", "never", 12_000, time.Hour).want(202)
			s.buys("B", "o1", 10_000, 2*time.Hour).want(201, "conversion.net_amount", 4000)
			s.has("A", 0, 500)
			s.do("GET", "/v1/unmatched-facts?state=refused", nil).want(200,
				"data.0.reason", "REVERSAL_EXCEEDS_CONVERSION", "data.1.reason", "REVERSAL_EXCEEDS_CONVERSION")
		},
		"a refund in another currency than the sale is refused also when it waits": func(s *situation) {
			s.referred(eighth())
			id := s.undoes("refund", "o1", "r1", 4_000, time.Hour, "currency", "EUR").want(202).str("reversal.id")
			s.undoes("chargeback", "o1", "c1", 4_000, time.Hour, "currency", "EUR").want(202)
			s.buys("B", "o1", 10_000, time.Hour).want(201, "conversion.state", "counted", "conversion.net_amount", 10_000)
			s.has("A", 0, 1250)
			s.do("GET", "/v1/reversals/"+id, nil).want(200, "state", "refused", "reason", "CURRENCY_MISMATCH", "applied_amount", 0)
			s.undoes("refund", "o1", "r2", 4_000, time.Hour, "currency", "USD").want(201)
			s.has("A", 0, 750)
		},
		"a chargeback that waits is clamped": func(s *situation) {
			s.referred(eighth())
			s.undoes("chargeback", "o1", "c1", 12_000, 3*time.Hour).want(202)
			s.undoes("refund", "o1", "r1", 3_000, 2*time.Hour).want(202)
			s.buys("B", "o1", 10_000, time.Hour).want(201, "conversion.state", "reversed")
			s.has("A", 0, 0)
			s.is("B", "attributed")
		},
		"a refund from before a chargeback arrives after it": func(s *situation) {
			s.referred(eighth())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			c := s.undoes("chargeback", "o1", "c1", 0, 3*time.Hour).want(201, "reversal.applied_amount", 10_000)
			s.undoes("refund", "o1", "r2", 1, 4*time.Hour).want(422, "code", "reversal_exceeds_conversion")
			s.undoes("refund", "o1", "r1", 4_000, 2*time.Hour).want(201, "reversal.applied_amount", 4_000, "conversion.net_amount", 0)
			s.undoes("refund", "o1", "r3", 6_001, 2*time.Hour).want(422, "code", "reversal_exceeds_conversion")
			s.has("A", 0, 0)
			s.wins(c, "w1", 5*time.Hour).want(200, "reversal.restored_amount", 6_000, "conversion.net_amount", 6_000)
			s.has("A", 0, 750)
			s.has("B", 0, 500)
			s.is("B", "qualified")
		},
		"a refund never pushes out one that was accepted": func(s *situation) {
			s.referred(eighth())
			s.buys("B", "o1", 10_000, time.Hour).want(201)
			s.undoes("refund", "o1", "r2", 7_000, 3*time.Hour).want(201)
			s.undoes("refund", "o1", "r1", 3_001, 2*time.Hour).want(422, "code", "reversal_exceeds_conversion")
			s.undoes("refund", "o1", "r0", 3_000, 2*time.Hour).want(201, "conversion.net_amount", 0)
		},
		"a purchase from inside the window arrives when the referral has expired": func(s *situation) {
			s.referred(eighth(func(b body) { b["qualification"].(body)["window_seconds"] = 86_461 }))
			s.at(86_461*time.Second - time.Microsecond)
			s.is("B", "attributed")
			s.at(86_461 * time.Second)
			s.is("B", "expired")
			s.buys("B", "o1", 4_000, 86_461*time.Second).want(201, "rewards", "[]", "reason", "QUALIFICATION_WINDOW_EXPIRED")
			s.buys("B", "o2", 4_000, 86_460*time.Second).want(201, "rewards.0.granted", 500)
			s.is("B", "qualified")
			s.has("A", 0, 1000) // the first one comes after the second
			s.undoes("refund", "o2", "r2", 0, 2*day).want(201)
			s.is("B", "expired")
			s.has("A", 0, 0)
			s.has("B", 0, 0)
		},
		"a purchase arrives before the second signup of its referee": func(s *situation) {
			s.referred(eighth(func(b body) { b["qualification"].(body)["window_seconds"] = 86_400 }))
			c := s.gets("C")
			s.at(5 * day)
			s.is("B", "expired")
			s.buys("B", "o1", 8_000, 4*day).want(201, "rewards", "[]")
			s.buys("B", "o0", 8_000, 2*day).want(201, "rewards", "[]")
			s.joins("B", 4*day-time.Hour, "code", c).want(201, "attributed", true)
			s.is("B", "qualified", "C")
			s.has("C", 0, 1000)
			s.has("A", 0, 0)
			s.order("o0").want(200, "reason", "QUALIFICATION_WINDOW_EXPIRED", "state", "counted")
		},
		"a purchase whose hold is over when it arrives is available, and so is its refund": func(s *situation) {
			s.referred(fixture())
			s.at(20 * day)
			s.buys("B", "o1", 10_000, 6*day).want(201)
			s.buys("B", "o2", 5_000, 6*day+time.Second).want(201)
			s.has("A", 1000, 2000)
			s.has("B", 0, 1000)
			s.undoes("refund", "o1", "r1", 2_500, 7*day).want(201)
			s.undoes("refund", "o2", "r2", 2_500, 7*day).want(201)
			s.has("A", 500, 1500)
			s.at(20*day + time.Second)
			s.has("A", 0, 2000)
		},
		"churn and return before the purchase and the signup": func(s *situation) {
			s.begin(eighth(within(60*day, false)))
			a := s.gets("A")
			s.leaves("B", "l1", 3*day).want(202)
			s.at(20 * day)
			s.returns("B", "b1", 5*day).want(202)
			s.buys("B", "o1", 8_000, 2*day).want(202)
			s.buys("B", "o2", 8_000, 4*day).want(202)
			s.buys("B", "o3", 8_000, 5*day).want(202)
			s.joins("B", 1*day, "code", a).want(201, "attributed", true)
			s.is("B", "qualified", "A")
			s.earned("A", "eighth: 0 of 1000 available GRANTED", "eighth: 1000 of 1000 cancelled REVERSED_CHURN") // o3 and o1
			s.earned("B", "hello: 500 of 500 cancelled REVERSED_CHURN")
			s.do("GET", "/v1/unmatched-facts?state=waiting", nil).want(200, "data", "[]")
		},
		"two purchases of one moment qualify in the order of their references, whichever comes first": func(s *situation) {
			s.referred(offer([]body{rule("first", "referrer", "qualified", share, 1000)}))
			s.buys("B", "o2", 6_000, time.Hour).want(201)
			s.has("A", 0, 600)
			s.buys("B", "o1", 4_000, time.Hour).want(201)
			s.has("A", 0, 400)
		},
	})
}
