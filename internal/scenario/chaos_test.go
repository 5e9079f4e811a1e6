package scenario

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestHandsAndFactsAtOnce lets clients do whatever can be done to a few people at the same time: facts, late and early, and everything
// that is done by hand. Nothing may fail in another way than by a refusal, and afterwards the doctor finds nothing.
// GRAPEVINE_CHAOS sets how many requests each of the clients sends.
func TestHandsAndFactsAtOnce(t *testing.T) {
	requests := 60
	if n, err := strconv.Atoi(os.Getenv("GRAPEVINE_CHAOS")); err == nil {
		requests = n
	}
	const clients = 6
	w := newWorld(t)
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	rules := fixture()
	within(20*day, true)(rules)
	rules["rewards"] = append(rules["rewards"].([]body), rule("joined", "referee", "signup", flat, 30))
	w.start(rules)
	c := &chaos{world: w, at: t0}
	for i := range 4 {
		_, code := w.code(fmt.Sprintf("A%d", i), "")
		c.codes = append(c.codes, code)
	}
	for range 40 {
		c.clicks = append(c.clicks, clickID())
	}
	var mu sync.Mutex
	seen := map[string]int{}
	for round := range 4 { // between the rounds time passes
		var fns []func()
		for client := range clients {
			r := rand.New(rand.NewPCG(uint64(round), uint64(client)))
			fns = append(fns, func() {
				for range requests / 4 {
					what, a := c.act(r)
					mu.Lock()
					seen[fmt.Sprint(what, " ", a.status)]++
					mu.Unlock()
					if a.status >= 500 || a.status < 200 || a.status == 400 || a.status == 404 {
						t.Errorf("%s answered %d: %s", what, a.status, a.raw)
					}
				}
			})
		}
		together(fns...)
		c.at = c.at.Add(8 * day)
		w.clock(c.at)
	}
	w.standing()
	t.Log(seen)
}

// chaos does one thing after the other.
type chaos struct {
	*world
	at     time.Time
	codes  []string
	clicks []string // their ids, which signups name before or after they are reported
}

func (c *chaos) act(r *rand.Rand) (what string, a answer) {
	pick := func(names ...string) string { return names[r.IntN(len(names))] }
	who := pick("B0", "B1", "B2", "A1", "A2", "L0", "L1", "L2")
	order := fmt.Sprintf("%s-o%d", who, r.IntN(25))
	at := c.at.Add(-time.Duration(r.IntN(20*24)) * time.Hour)
	of := body{"program_id": c.program, "referee_external_id": who, "occurred_at": at}
	switch n := r.IntN(26); {
	case n < 2:
		return "signup", c.signup(who, at, "code", c.codes[r.IntN(len(c.codes))])
	case n < 4:
		i := r.IntN(len(c.clicks) - 3)
		return "signup with clicks", c.signup(fmt.Sprint("L", i/4), t0, "click_ids", c.clicks[i:i+3])
	case n < 5:
		i := r.IntN(len(c.clicks))
		return "click", c.do("POST", "/v1/clicks", body{"id": c.clicks[i], "code": c.codes[i%len(c.codes)], "occurred_at": t0.Add(-time.Duration(i) * time.Minute)})
	case n < 9:
		return "purchase", c.purchase(who, order, 10_000, at, "type", pick("purchase", "purchase", "renewal"))
	case n < 13:
		return "undo", c.undo(pick("refund", "refund", "chargeback", "manual"), order, fmt.Sprintf("r%d", c.serial.Add(1)), int64(r.IntN(4)*3_000), at)
	case n < 15:
		list := c.do("GET", "/v1/reversals?limit=50", nil)
		id := list.str(fmt.Sprintf("data.%d.id", r.IntN(10)))
		if id == "" {
			return "reversals", list
		}
		return "dispute won", c.do("POST", "/v1/reversals/"+id+"/dispute-won", body{"external_id": fmt.Sprint("w", c.serial.Add(1))})
	case n < 17:
		of["external_id"] = fmt.Sprint("l", c.serial.Add(1))
		return "churn", c.do("POST", "/v1/"+pick("churns", "reactivations"), of)
	case n < 22:
		return c.byHand(r, pick)
	case n < 24:
		list := c.do("GET", "/v1/rewards?limit=50", nil)
		id, verb := list.str(fmt.Sprintf("data.%d.id", r.IntN(20))), pick("hold", "release", "hold", "release", "cancel")
		if id == "" {
			return "rewards", list
		}
		if verb == "release" {
			return verb, c.do("POST", "/v1/rewards/"+id+"/release", nil)
		}
		return verb, c.do("POST", "/v1/rewards/"+id+"/"+verb, body{"reason": "chaos"})
	}
	return "reward", c.do("POST", "/v1/rewards", body{
		"program_id": c.program, "participant_external_id": "A1", "external_id": fmt.Sprint("g", r.IntN(5)), "amount": 100, "currency": "USD", "kind": "money",
		"reason": "thanks",
	})
}

// byHand refers, rejects, gives to somebody else, bans and forgives.
func (c *chaos) byHand(r *rand.Rand, pick func(...string) string) (what string, a answer) {
	list := c.do("GET", "/v1/referrals?limit=50", nil)
	id := list.str(fmt.Sprintf("data.%d.id", r.IntN(8)))
	if id == "" {
		return "referrals", list
	}
	referrer := pick("A0", "A1", "A2", "A3")
	switch r.IntN(12) {
	case 0:
		return "reject", c.do("POST", "/v1/referrals/"+id+"/reject", body{"reason": "chaos"})
	case 1:
		return "ban", c.do("POST", "/v1/participants/"+c.participant(referrer)+"/ban", body{"reason": "chaos"})
	case 2, 3:
		return "reinstate", c.do("POST", "/v1/participants/"+c.participant(referrer)+"/reinstate", body{"reason": "chaos"})
	case 4, 5, 6:
		return "referral", c.do("POST", "/v1/referrals", body{
			"program_id": c.program, "referrer_external_id": referrer, "referee_external_id": pick("B0", "B1", "B2", "A1"), "reason": "chaos",
		})
	}
	return "reattribute", c.do("POST", "/v1/referrals/"+id+"/reattribute", body{"referrer_external_id": referrer, "reason": "chaos"})
}
