package scenario

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// sent is one request of every kind of fact, in the order in which they can be made.
func (s *situation) everyFact() map[string]func() (string, body) {
	chargeback := s.undoes("chargeback", "o0", "c0", 0, time.Hour).want(201).str("reversal.id")
	return map[string]func() (string, body){
		"signup": func() (string, body) {
			return "/v1/signups", s.fact(time.Hour, nil, body{
				"program_id": s.program, "referee_external_id": s.my("D"), "external_id": s.my("s"), "code": s.gets("A"),
			})
		},
		"click": func() (string, body) {
			return "/v1/clicks", s.fact(time.Hour, nil, body{"id": clickID(), "code": s.gets("A")})
		},
		"conversion": func() (string, body) {
			return "/v1/conversions", s.fact(time.Hour, nil, body{
				"program_id": s.program, "referee_external_id": s.my("B"), "external_id": s.my("o1"), "type": "purchase", "amount": 8_000, "currency": "USD",
			})
		},
		"reversal": func() (string, body) {
			return "/v1/reversals", s.fact(time.Hour, nil, body{
				"external_id": s.my("r2"), "conversion_external_id": s.my("o2"), "conversion_type": "purchase", "kind": "refund", "amount": 100, "source": "shop",
			})
		},
		"dispute": func() (string, body) {
			return "/v1/reversals/" + chargeback + "/dispute-won", s.fact(time.Hour, nil, body{"external_id": s.my("w0")})
		},
		"churn": func() (string, body) {
			return "/v1/churns", s.fact(time.Hour, nil, body{"program_id": s.program, "referee_external_id": s.my("B"), "external_id": s.my("l1")})
		},
		"reactivation": func() (string, body) {
			return "/v1/reactivations", s.fact(time.Hour, nil, body{"program_id": s.program, "referee_external_id": s.my("B"), "external_id": s.my("b1")})
		},
		"referral": func() (string, body) {
			s.gets("A")
			return "/v1/referrals", s.fact(time.Hour, nil, body{
				"program_id": s.program, "referrer_external_id": s.my("A"), "referee_external_id": s.my("E"), "reason": "by hand",
			})
		},
		"reward": func() (string, body) {
			return "/v1/rewards", body{
				"program_id": s.program, "participant_external_id": s.my("A"), "external_id": s.my("gift"), "amount": 77, "currency": "USD", "kind": "money", "reason": "thanks",
			}
		},
	}
}

// bought begins with B referred, and two purchases of it.
func (s *situation) bought() *situation {
	s.referred(eighth())
	s.buys("B", "o0", 8_000, time.Minute).want(201)
	s.buys("B", "o2", 8_000, time.Minute).want(201)
	return s
}

var factTables = []string{
	"signups", "clicks", "conversions", "reversals", "churns", "attribution_decisions", "referrals", "rewards", "ledger_transfers", "events",
}

func (s *situation) sizes() (out []int) {
	for _, table := range factTables {
		out = append(out, s.count(table))
	}
	return out
}

// atOnce sends a request several times at the same moment, each under a key of its own or all under one, and gives the answers.
func (s *situation) atOnce(path string, b body, keys func(i int) string) []answer {
	s.t.Helper()
	var mu sync.Mutex
	var got []answer
	fns := make([]func(), 6)
	for i := range fns {
		fns[i] = func() {
			a := s.send("POST", path, b, keys(i))
			for a.str("code") == "request_in_progress" {
				a = s.send("POST", path, b, keys(i))
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, a)
		}
	}
	together(fns...)
	return got
}

// TestEveryFactCountsOnce: the same request under one key is one effect and one answer; the same fact in different deliveries is one
// effect, and the others are told what is known.
func TestEveryFactCountsOnce(t *testing.T) {
	situations(t, map[string]func(*situation){
		"under one key": func(s *situation) {
			s.bought()
			for name, request := range s.everyFact() {
				path, b := request()
				once := s.send("POST", path, b, s.my(name))
				after := s.sizes()
				for _, a := range s.atOnce(path, b, func(int) string { return s.my(name) }) {
					if a.status != once.status || a.raw != once.raw {
						s.t.Errorf("%s: %d %s, then %d %s", name, once.status, once.raw, a.status, a.raw)
					}
				}
				if now := s.sizes(); !slices.Equal(after, now) {
					s.t.Errorf("%s: %v rows became %v in %v", name, after, now, factTables)
				}
				if b["external_id"] != nil {
					b["external_id"] = s.my("other-" + name)
					s.send("POST", path, b, s.my(name)).want(422, "code", "idempotency_key_reuse")
				}
			}
		},
		"racing under one key": func(s *situation) {
			s.bought()
			for name, request := range s.everyFact() {
				path, b := request()
				answers := s.atOnce(path, b, func(int) string { return s.my(name) })
				for _, a := range answers {
					if a.status >= 300 || a.status != answers[0].status || a.raw != answers[0].raw {
						s.t.Errorf("%s: %d %s, and %d %s", name, answers[0].status, answers[0].raw, a.status, a.raw)
					}
				}
			}
			s.has("A", 0, 1000+1000+988+77) // o0 again, o1, o2 less an eighth of 1.00, and the gift
		},
		"racing in different deliveries": func(s *situation) {
			s.bought()
			for name, request := range s.everyFact() {
				path, b := request()
				statuses := map[int]int{}
				for _, a := range s.atOnce(path, b, func(i int) string { return s.my(fmt.Sprint(name, i)) }) {
					statuses[a.status]++
					if a.status >= 300 {
						s.t.Errorf("%s: %d %s", name, a.status, a.raw)
					}
				}
				if statuses[http.StatusCreated] != 1 && name != "dispute" {
					s.t.Errorf("%s: %v", name, statuses)
				}
			}
			s.has("A", 0, 1000+1000+988+77)
		},
		"the same reference of different facts at once": func(s *situation) {
			s.bought()
			for name, request := range s.everyFact() {
				path, b := request()
				field := map[string]string{"conversion": "amount", "reversal": "amount", "reward": "amount", "signup": "referee_external_id",
					"churn": "referee_external_id", "reactivation": "referee_external_id"}[name]
				if field == "" {
					continue
				}
				other := body{}
				for k, v := range b {
					other[k] = v
				}
				other[field] = 41
				if field != "amount" {
					other[field] = s.my("other-" + name)
				}
				var one, two answer
				together(func() { one = s.do("POST", path, b) }, func() { two = s.do("POST", path, other) })
				if one.status == 409 {
					one, two = two, one
				}
				if one.status/100 != 2 || two.status != 409 || two.str("code") != "conflict" {
					s.t.Errorf("%s: %d and %d %s", name, one.status, two.status, two.raw)
				}
			}
		},
		"with another time, other metadata, or long after": func(s *situation) {
			s.bought()
			sent := map[string]func(){}
			for name, request := range s.everyFact() {
				path, b := request()
				if !slices.Contains([]string{"signup", "conversion", "reversal", "churn", "reactivation"}, name) {
					continue
				}
				b["occurred_at"] = s.began.Add(time.Hour)
				s.do("POST", path, b).want(201)
				for field, value := range map[string]any{"occurred_at": s.began.Add(time.Hour + time.Second), "metadata": body{"sku": "other"}} {
					other := maps.Clone(b)
					if other[field] = value; field == "metadata" && name != "signup" && name != "conversion" {
						continue
					}
					s.do("POST", path, other).want(409, "code", "conflict")
				}
				sent[name] = func() { s.do("POST", path, b).want(200) }
			}
			s.at(60 * day)
			for _, again := range sent {
				again()
			}
		},
		"two disputes won about one chargeback": func(s *situation) {
			s.bought()
			id := s.undoes("chargeback", "o0", "c1", 0, time.Hour).want(201).str("reversal.id")
			var got [4]int
			var fns []func()
			for i := range got {
				fns = append(fns, func() {
					got[i] = s.do("POST", "/v1/reversals/"+id+"/dispute-won", body{"external_id": s.my(fmt.Sprint("w", i))}).status
				})
			}
			together(fns...)
			if slices.Sort(got[:]); got != [4]int{200, 409, 409, 409} {
				s.t.Errorf("answered %v", got)
			}
			s.has("A", 0, 2000)
		},
		"refunds that fit alone but not together": func(s *situation) {
			s.bought()
			var got [6]int
			var fns []func()
			for i := range got {
				fns = append(fns, func() { got[i] = s.undoes("refund", "o2", fmt.Sprint("q", i), 3_000, time.Hour).status })
			}
			s.at(time.Hour)
			together(fns...)
			if slices.Sort(got[:]); got != [6]int{201, 201, 422, 422, 422, 422} {
				s.t.Errorf("answered %v", got)
			}
			s.order("o2").want(200, "net_amount", 2000)
			s.has("A", 0, 1250)
		},
	})
}

// TestWorkspacesDoNotMeet: the twin of a workspace has the same references for other facts.
func TestWorkspacesDoNotMeet(t *testing.T) {
	w := newWorld(t)
	test := w.key
	for _, side := range []struct {
		key    string
		now    time.Time
		amount int64
	}{{test, t0, 10_000}, {w.liveKey, time.Now().Add(-time.Minute).UTC().Truncate(time.Second), 5_000}} {
		w.key = side.key
		w.start(fixture())
		_, code := w.code("A", "SAME-1")
		w.do("POST", "/v1/signups", body{"program_id": w.program, "referee_external_id": "B", "external_id": "s1", "code": code, "occurred_at": side.now}).
			want(201, "attributed", true)
		w.purchase("B", "o1", side.amount, side.now).want(201, "rewards.0.granted", side.amount/5)
		w.undo("refund", "o1", "r1", 1_000, side.now).want(201)
		w.balance("A", (side.amount-1_000)/5, 0)
	}
	w.key = test
	w.balance("A", 1800, 0)
	w.standing()
}
