package scenario

import (
	"testing"
	"time"
)

func (s *situation) moves(verb string, after time.Duration) {
	s.t.Helper()
	s.at(after)
	s.do("POST", "/v1/programs/"+s.program+"/"+verb, nil).want(200)
}

func TestTheLifeOfAProgram(t *testing.T) {
	situations(t, map[string]func(*situation){
		"a paused program takes nobody and pays for those whom it has": func(s *situation) {
			s.referred(eighth())
			a := s.gets("A")
			s.moves("pause", 10*time.Hour)
			s.joins("D", 10*time.Hour-time.Microsecond, "code", a).want(201, "attributed", true)
			s.joins("E", 10*time.Hour, "code", a).want(201, "attributed", false, "reason", "PROGRAM_NOT_ACTIVE")
			s.buys("B", "o1", 8_000, 11*time.Hour).want(201, "rewards.0.granted", 1000)
			s.moves("activate", 12*time.Hour)
			s.joins("F", 12*time.Hour-time.Microsecond, "code", a).want(201, "attributed", false, "reason", "PROGRAM_NOT_ACTIVE")
			s.joins("G", 12*time.Hour, "code", a).want(201, "attributed", true)
		},
		"a click before the end does not help a signup after it, but a signup that arrives late counts": func(s *situation) {
			s.begin(eighth())
			a := s.gets("A")
			click, other := s.clicks(a, time.Hour), s.clicks(a, time.Hour)
			s.moves("end", 10*time.Hour)
			s.at(20 * time.Hour)
			s.joins("B", 10*time.Hour, "click_ids", []string{click}).want(201, "attributed", false, "reason", "PROGRAM_NOT_ACTIVE")
			s.joins("D", 10*time.Hour-time.Microsecond, "click_ids", []string{other}).want(201, "attributed", true)
			s.buys("D", "o1", 8_000, 20*time.Hour).want(201, "rewards.0.granted", 1000)
		},
		"a program without honour pays what occurred before its end": func(s *situation) {
			s.referred(eighth(), "honor_pending_seconds", 0)
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.moves("end", 2*time.Hour)
			s.buys("B", "o2", 8_000, 2*time.Hour).want(201, "conversion.state", "disqualified", "reason", "PROGRAM_NOT_ACTIVE", "rewards", "[]")
			s.buys("B", "o3", 4_000, 2*time.Hour-time.Microsecond).want(201, "rewards.0.granted", 500)
			s.undoes("refund", "o1", "r1", 0, 3*time.Hour).want(201)
			s.has("A", 0, 500)
			s.has("B", 0, 500)
		},
		"an honour period of odd seconds, for renewals and first purchases alike": func(s *situation) {
			s.referred(eighth(within(400*day, false)), "honor_pending_seconds", 86_461)
			a := s.gets("A")
			s.joins("D", time.Hour, "code", a).want(201)
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.moves("end", 2*time.Hour)
			over := 2*time.Hour + 86_461*time.Second
			s.renews("B", "n1", 8_000, over-time.Microsecond).want(201, "rewards.0.granted", 1000)
			s.buys("D", "o2", 8_000, over-time.Microsecond).want(201, "rewards.0.granted", 1000)
			s.renews("B", "n2", 8_000, over).want(201, "conversion.state", "disqualified", "reason", "PROGRAM_NOT_ACTIVE")
			s.buys("D", "o3", 8_000, over).want(201, "conversion.state", "disqualified", "reason", "PROGRAM_NOT_ACTIVE")
			s.has("A", 0, 3000)
			s.leaves("B", "l1", over+day).want(201, "effective", true) // what was promised can be taken back
			s.has("A", 0, 1000)
			s.has("B", 0, 0)
		},
		"a paused program ends too, and archived it still takes refunds": func(s *situation) {
			s.referred(eighth(), "honor_pending_seconds", 3600)
			s.buys("B", "o1", 8_000, time.Hour).want(201)
			s.moves("pause", 2*time.Hour)
			s.moves("end", 3*time.Hour)
			s.buys("B", "o2", 8_000, 4*time.Hour-time.Second).want(201, "rewards.0.granted", 1000)
			s.moves("archive", 5*time.Hour)
			s.undoes("refund", "o2", "r2", 4_000, 6*time.Hour).want(201)
			s.has("A", 0, 1500)
			s.do("POST", "/v1/programs/"+s.program+"/activate", nil).want(409, "code", "state_not_allowed")
		},
		"a purchase that waited for its signup is judged by its own time": func(s *situation) {
			s.begin(eighth(), "honor_pending_seconds", 3600)
			a := s.gets("A")
			s.moves("end", 10*time.Hour)
			s.buys("B", "o2", 8_000, 11*time.Hour).want(202)
			s.buys("B", "o1", 8_000, 11*time.Hour-time.Second).want(202)
			s.joins("B", 9*time.Hour, "code", a).want(201, "attributed", true)
			s.order("o1").want(200, "state", "counted")
			s.order("o2").want(200, "state", "disqualified", "reason", "PROGRAM_NOT_ACTIVE")
			s.has("A", 0, 1000)
		},
		"new rules do not reach referrals that were made before": func(s *situation) {
			s.referred(eighth())
			a := s.gets("A")
			s.at(time.Hour)
			s.do("POST", "/v1/programs/"+s.program+"/versions", body{
				"rules": offer([]body{rule("tenth", "referrer", "purchase renewal", share, 1000)}),
			}).want(201, "number", 2)
			s.joins("D", time.Hour, "code", a).want(201)
			s.buys("B", "o1", 8_000, 2*time.Hour).want(201, "rewards.0.granted", 1000, "rewards.0.rule_key", "eighth")
			s.buys("D", "o2", 8_000, 2*time.Hour).want(201, "rewards.0.granted", 800, "rewards.0.rule_key", "tenth")
			s.undoes("refund", "o1", "r1", 4_000, 3*time.Hour).want(201)
			s.has("A", 0, 500+800)
		},
	})
}
