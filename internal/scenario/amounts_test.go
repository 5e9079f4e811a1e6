package scenario

import (
	"testing"
	"time"
)

func TestAmounts(t *testing.T) {
	situations(t, map[string]func(*situation){
		"an eighth of a sale is rounded half up, and its refunds add up to it": func(s *situation) {
			s.referred(offer([]body{rule("eighth", "referrer", "purchase", share, 1250)}))
			s.buys("B", "o1", 12_345, time.Hour).want(201, "rewards.0.granted", 1543, "rewards.0.state", "available") // 1,543.125
			for i, left := range []int64{1029, 514, 0} {                                                              // 1,028.75 and 514.375
				s.undoes("refund", "o1", string(rune('a'+i)), 4_115, 2*time.Hour).want(201)
				s.has("A", 0, left)
			}
			s.earned("A", "eighth: 1543 of 1543 cancelled REVERSED_REFUND")
			s.is("B", "attributed")
		},
		"half a cent is a cent, and less is nothing": func(s *situation) {
			s.referred(offer([]body{rule("eighth", "referrer", "purchase", share, 1250)}, func(b body) {
				b["qualification"].(body)["minimum_amount"] = 0
			}))
			s.buys("B", "o1", 4, time.Hour).want(201, "rewards.0.granted", 1)
			s.buys("B", "o2", 3, time.Hour).want(201, "rewards", "[]", "conversion.state", "counted")
			s.undoes("refund", "o1", "r1", 1, time.Hour).want(201, "rewards.0.net", 0, "rewards.0.state", "cancelled")
			s.has("A", 0, 0)
		},
		"a currency of three decimals counts in its thousandths": func(s *situation) {
			s.referred(offer([]body{rule("third", "referrer", "purchase", share, 333)}), "currency", "KWD")
			s.buys("B", "o1", 10_005, time.Hour).want(201, "rewards.0.granted", 333, "rewards.0.currency", "KWD") // 333.1665
			s.undoes("refund", "o1", "r1", 7, time.Hour).want(201, "rewards.0.net", 333)                          // 332.9334
			s.undoes("refund", "o1", "r2", 14, time.Hour).want(201, "rewards.0.net", 332)                         // 332.4672
			s.buys("B", "o2", 10_005, time.Hour, "currency", "USD").want(201, "conversion.state", "counted", "reason", "FX_RATE_MISSING")
			s.undoes("refund", "o1", "r3", 5, time.Hour, "currency", "USD").want(422, "code", "currency_mismatch")
		},
		"the largest sale, all of it": func(s *situation) {
			const most = 999_999_999_999
			s.referred(offer([]body{rule("all", "referrer", "purchase", share, 10_000)}))
			s.buys("B", "o1", most, time.Hour).want(201, "rewards.0.granted", most)
			s.undoes("refund", "o1", "r1", most-2000, time.Hour).want(201)
			s.has("A", 0, 2000)
			s.undoes("refund", "o1", "r2", 2001, time.Hour).want(422, "code", "reversal_exceeds_conversion")
		},
		"several rewards on each side, each with its own trigger, hold and minimum": severalRules,
		"a rule's own minimum order value": func(s *situation) {
			s.referred(offer([]body{
				rule("big", "referrer", "purchase", flat, 500, "minimum_amount", 5000), rule("hello", "referee", "qualified", flat, 1000),
			}))
			s.buys("B", "o1", 4_999, time.Hour).want(201, "conversion.state", "counted", "rewards.0.rule_key", "hello", "rewards.1", nil)
			s.buys("B", "o2", 5_000, time.Hour).want(201, "rewards.0.granted", 500)
			s.renews("B", "n1", 9_000, time.Hour).want(201, "rewards", "[]")
			s.has("A", 0, 500)
			s.has("B", 0, 1000)
		},
		"refunds of several purchases move the qualification": func(s *situation) {
			s.referred(offer([]body{rule("part", "referrer", "purchase", share, 1500), rule("hello", "referee", "qualified", flat, 1000)}))
			s.buys("B", "o1", 3_000, 1*time.Hour)
			s.buys("B", "o2", 1_500, 2*time.Hour)
			s.buys("B", "o3", 4_000, 3*time.Hour)
			s.has("A", 0, 450+225+600)
			s.undoes("refund", "o1", "r1", 0, 4*time.Hour).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 600)
			s.earned("A", "part: 450 of 450 cancelled REVERSED_REFUND", "part: 225 of 225 cancelled NOT_QUALIFIED", "part: 0 of 600 available GRANTED")
			s.earned("B", "hello: 1000 of 1000 cancelled REVERSED_REFUND", "hello: 0 of 1000 available GRANTED")
			s.undoes("refund", "o3", "r3", 2_001, 5*time.Hour).want(201, "conversion.state", "partially_reversed")
			s.is("B", "attributed")
			s.has("A", 0, 0)
			s.has("B", 0, 0)
			s.buys("B", "o4", 2_000, 6*time.Hour).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 300)
			s.has("B", 0, 1000)
		},
		"a program may keep the qualification when little is left of a sale": func(s *situation) {
			s.referred(offer([]body{rule("part", "referrer", "purchase", share, 1500), rule("hello", "referee", "qualified", flat, 1000)}, func(b body) {
				b["qualification"].(body)["revoke_on_reversal"] = false
			}))
			s.buys("B", "o1", 3_000, time.Hour)
			s.undoes("refund", "o1", "r1", 2_999, 2*time.Hour).want(201)
			s.is("B", "qualified")
			s.earned("A", "part: 450 of 450 cancelled REVERSED_REFUND") // 15 % of a cent
			s.has("B", 0, 1000)
		},
		"types of one's own qualify and pay": func(s *situation) {
			s.referred(offer([]body{rule("seat", "referrer", "subscription_started seat_added", flat, 99)}, func(b body) {
				b["qualification"] = body{"conversion_types": []string{"subscription_started"}, "minimum_amount": 1, "window_seconds": 3600}
			}))
			s.buys("B", "o1", 5_000, time.Minute).want(201, "reason", "NOT_QUALIFIED", "rewards", "[]")
			s.buys("B", "o1", 1, 2*time.Minute, "type", "seat_added").want(201, "reason", "NOT_QUALIFIED", "rewards", "[]")
			s.buys("B", "o1", 1, 59*time.Minute+59*time.Second, "type", "subscription_started").want(201, "rewards.0.granted", 99)
			s.buys("B", "o2", 1, 2*time.Hour, "type", "seat_added").want(201, "rewards.0.granted", 99)
			s.has("A", 0, 198)
			s.undoes("refund", "o1", "r1", 0, 2*time.Hour, "conversion_type", "subscription_started").want(201)
			s.is("B", "expired")
			s.has("A", 0, 0)
		},
	})
}

func severalRules(s *situation) {
	s.referred(offer([]body{
		rule("a_first", "referrer", "qualified", flat, 700, "hold_seconds", 3600),
		rule("a_share", "referrer", "purchase renewal", share, 1000),
		rule("a_renew", "referrer", "renewal", flat, 55, "hold_seconds", 61),
		rule("b_join", "referee", "signup", flat, 250, "kind", "credit"),
		rule("b_first", "referee", "qualified", share, 500, "hold_seconds", 1),
		rule("b_renew", "referee", "renewal", share, 250, "minimum_amount", 3000),
	}))
	s.has("B", 0, 250)
	s.buys("B", "o1", 1_999, 1*time.Hour).want(201, "reason", "BELOW_MINIMUM", "rewards", "[]")
	s.buys("B", "o2", 8_888, 2*time.Hour).want(201)
	s.has("A", 700, 889)
	s.has("B", 444, 250)
	s.at(2*time.Hour + time.Second)
	s.has("B", 0, 694)
	s.at(3*time.Hour - time.Second)
	s.has("A", 700, 889)
	s.at(3 * time.Hour)
	s.has("A", 0, 1589)
	s.renews("B", "n1", 2_999, 4*time.Hour).want(201)
	s.has("A", 55, 1889)
	s.has("B", 0, 694)
	s.at(4*time.Hour + 60*time.Second)
	s.has("A", 55, 1889)
	s.at(4*time.Hour + 61*time.Second)
	s.has("A", 0, 1944)
	s.renews("B", "n2", 3_000, 5*time.Hour).want(201)
	s.has("A", 55, 2244)
	s.has("B", 0, 769)
	s.undoes("refund", "o2", "r2", 8_888, 5*time.Hour+time.Second).want(201)
	s.is("B", "attributed")
	s.has("A", 0, 0)
	s.has("B", 0, 250) // joining was no sale
	s.buys("B", "o3", 2_000, 7*time.Hour).want(201)
	s.has("A", 700, 200)
	s.has("B", 100, 250)
}

func TestDurationsInMonths(t *testing.T) {
	year := t0.Year() + 1
	lastOfFebruary := time.Date(year, 3, 0, 10, 0, 0, 0, time.UTC)
	situations(t, map[string]func(*situation){
		"1 a month from the last of January ends on the last of February": func(s *situation) {
			january := time.Date(year, 1, 31, 10, 0, 0, 0, time.UTC).Sub(s.began)
			s.begin(offer([]body{rule("month", "referrer", "purchase renewal", share, 1000, "duration_months", 1)}))
			s.joins("B", january-time.Hour, "code", s.gets("A")).want(201, "attributed", true)
			s.buys("B", "o1", 2_000, january).want(201, "rewards.0.granted", 200)
			end := lastOfFebruary.Sub(s.began)
			s.renews("B", "n1", 2_000, end-time.Millisecond).want(201, "rewards.0.granted", 200)
			s.renews("B", "n2", 2_000, end).want(201, "rewards", "[]", "reason", "DURATION_ENDED", "conversion.state", "counted")
			s.renews("B", "n3", 2_000, end-2*day).want(201, "rewards.0.granted", 200) // it arrives late
			s.has("A", 0, 600)
		},
		"2 in the zone of the program": func(s *situation) {
			york, err := time.LoadLocation("America/New_York")
			if err != nil {
				s.t.Fatal(err)
			}
			january := time.Date(year+1, 1, 30, 23, 30, 0, 0, york).Sub(s.began) // the 31st in UTC
			s.begin(offer([]body{rule("month", "referrer", "purchase renewal", share, 1000, "duration_months", 1)}), "time_zone", "America/New_York")
			s.joins("B", january, "code", s.gets("A")).want(201, "attributed", true)
			s.buys("B", "o1", 2_000, january).want(201, "rewards.0.granted", 200)
			end := time.Date(year+1, 3, 0, 23, 30, 0, 0, york).Sub(s.began)
			s.renews("B", "n1", 2_000, end-time.Second).want(201, "rewards.0.granted", 200)
			s.renews("B", "n2", 2_000, end).want(201, "rewards", "[]", "reason", "DURATION_ENDED")
		},
	})
}
