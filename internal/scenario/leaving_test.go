package scenario

import (
	"testing"
	"time"
)

func TestLeaving(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a window of odd seconds is half-open": func(s *situation) {
			s.begin(eighth(within(86_461*time.Second, false)))
			a := s.gets("A")
			for _, who := range []string{"B", "D"} {
				s.joins(who, 0, "code", a).want(201)
				s.buys(who, "o"+who, 8_000, time.Hour).want(201)
			}
			s.leaves("B", "l1", time.Hour+86_461*time.Second-time.Microsecond).want(201, "effective", true, "reason", "REVERSED_CHURN")
			s.leaves("D", "l2", time.Hour+86_461*time.Second).want(201, "effective", false)
			s.is("B", "churned")
			s.is("D", "qualified")
			s.earned("A", "eighth: 1000 of 1000 cancelled REVERSED_CHURN", "eighth: 0 of 1000 available GRANTED")
			s.earned("B", "hello: 500 of 500 cancelled REVERSED_CHURN")
			s.has("D", 0, 500)
		},
		"everything goes, whether it matured, was refunded in part, or was renewed": func(s *situation) {
			rules := fixture()
			within(45*day, false)(rules)
			s.referred(rules)
			s.buys("B", "o1", 10_000, day).want(201)
			s.undoes("refund", "o1", "r1", 2_500, 2*day).want(201)
			s.renews("B", "n1", 3_333, 30*day).want(201)
			s.has("A", 667, 1500)
			s.leaves("B", "l1", 46*day-time.Second).want(201)
			s.has("A", 0, 0)
			s.has("B", 0, 0)
			s.undoes("refund", "n1", "r2", 0, 46*day, "conversion_type", "renewal").want(201)
			s.has("A", 0, 0)
		},
		"what is bought while away earns nothing, and says why": func(s *situation) {
			s.referred(eighth(within(60*day, false)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.leaves("B", "l1", 10*day).want(201)
			s.renews("B", "n1", 8_000, 11*day).want(201, "rewards", "[]", "reason", "REVERSED_CHURN", "conversion.state", "counted")
			s.returns("B", "b1", 12*day).want(201)
			s.is("B", "qualified")
			s.renews("B", "n2", 8_000, 12*day).want(201, "rewards.0.granted", 1000, "reason", "COUNTED")
			s.has("A", 0, 1000)
			s.order("n1").want(200, "reason", "REVERSED_CHURN")
		},
		"with reinstatement everything comes back, also what was bought while away": func(s *situation) {
			s.referred(eighth(within(60*day, true)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.leaves("B", "l1", 10*day).want(201)
			s.renews("B", "n1", 4_000, 11*day).want(201, "rewards", "[]")
			s.returns("B", "b1", 70*day).want(201, "effective", true)
			s.is("B", "qualified")
			s.earned("A", "eighth: 0 of 1000 available REINSTATED", "eighth: 0 of 500 available GRANTED")
			s.earned("B", "hello: 0 of 500 available REINSTATED")
			s.leaves("B", "l2", 71*day).want(201, "effective", false) // the window is over
			s.has("A", 0, 1500)
		},
		"a refund while away is a refund all the same when everything comes back": func(s *situation) {
			s.referred(eighth(within(60*day, true)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.leaves("B", "l1", 10*day).want(201)
			s.undoes("refund", "o1", "r1", 3_000, 11*day).want(201, "conversion.net_amount", 5000)
			s.has("A", 0, 0)
			s.returns("B", "b1", 12*day).want(201)
			s.earned("A", "eighth: 375 of 1000 available REVERSED_REFUND")
			s.earned("B", "hello: 0 of 500 available REINSTATED")
		},
		"who left and got everything refunded is back with the next purchase after the return": func(s *situation) {
			s.referred(eighth(within(60*day, true)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.leaves("B", "l1", 10*day).want(201)
			s.undoes("refund", "o1", "r1", 0, 11*day).want(201)
			s.is("B", "churned")
			s.buys("B", "o2", 4_000, 12*day).want(201, "rewards", "[]")
			s.is("B", "churned")
			s.undoes("refund", "o2", "r2", 0, 12*day).want(201)
			s.returns("B", "b1", 13*day).want(201)
			s.is("B", "churned")
			s.has("A", 0, 0)
			s.buys("B", "o3", 2_000, 14*day).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 250)
			s.has("B", 0, 500)
			s.undoes("refund", "o3", "r3", 0, 15*day).want(201)
			s.is("B", "attributed")
		},
		"a refund from before the departure arrives after it: nobody qualified had left": func(s *situation) {
			s.referred(eighth(within(60*day, false)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.leaves("B", "l1", 10*day).want(201)
			s.is("B", "churned")
			s.undoes("refund", "o1", "r1", 0, 9*day).want(201)
			s.is("B", "attributed")
			s.buys("B", "o2", 2_000, 11*day).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 250)
		},
		"a refund after a departure that was too late does not make it churn": func(s *situation) {
			s.referred(eighth(within(20*day, false)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.buys("B", "o2", 4_000, 10*day).want(201)
			s.leaves("B", "l1", 25*day).want(201, "effective", false)
			s.undoes("refund", "o1", "r1", 0, 26*day).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 500)
		},
		"a late purchase from before the first one moves the window away from the departure": func(s *situation) {
			s.referred(eighth(within(20*day, false)))
			s.at(25 * day)
			s.buys("B", "o2", 4_000, 10*day).want(201)
			s.leaves("B", "l1", 25*day).want(201, "effective", true)
			s.buys("B", "o1", 8_000, 5*day-time.Second).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 1500)
		},
		"leaving twice": func(s *situation) {
			s.referred(eighth(within(60*day, true)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.leaves("B", "l1", 10*day).want(201, "effective", true)
			s.leaves("B", "l1", 10*day).want(200, "effective", false)
			s.leaves("B", "l2", 11*day).want(201, "effective", false)
			s.returns("B", "b1", 20*day).want(201)
			s.leaves("B", "l3", 30*day).want(201, "effective", true)
			s.is("B", "churned")
			s.has("A", 0, 0)
			s.returns("B", "b2", 31*day).want(201)
			s.has("A", 0, 1000)
		},
		"leaving before anything was bought is nothing": func(s *situation) {
			s.referred(eighth(within(60*day, false)))
			s.leaves("B", "l1", day).want(201, "effective", false)
			s.buys("B", "o1", 8_000, 2*day).want(201)
			s.is("B", "qualified")
			s.has("A", 0, 1000)
		},
		"a dispute won while away pays when the referee is back": func(s *situation) {
			s.referred(eighth(within(60*day, true)))
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			c := s.undoes("chargeback", "o1", "c1", 7_000, 2*day).want(201)
			s.is("B", "attributed")
			s.wins(c, "w1", 3*day).want(200)
			s.is("B", "qualified")
			s.leaves("B", "l1", 10*day).want(201)
			s.is("B", "churned")
			s.returns("B", "b1", 11*day).want(201)
			s.has("A", 0, 1000)
			s.has("B", 0, 500)
		},
	})
}
