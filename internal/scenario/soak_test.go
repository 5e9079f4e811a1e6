package scenario

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// fact is one request of a lifecycle. The requests of a lifecycle are sent in any order.
type fact struct {
	path string
	body body
}

// lifecycle is a referee's whole story, with what it must come to: independent of the order of arrival, computed without the
// code under test.
type lifecycle struct {
	facts              []fact
	referrer, referees int64
}

// TestRandomLifecyclesAgreeToTheCent runs random stories from many clients at once, each story's facts shuffled, and compares
// every total with a model of a few lines. GRAPEVINE_LIFECYCLES sets how many; `make soak` runs ten thousand.
func TestRandomLifecyclesAgreeToTheCent(t *testing.T) {
	stories := 300
	if n, err := strconv.Atoi(os.Getenv("GRAPEVINE_LIFECYCLES")); err == nil {
		stories = n
	}
	const clients, referrers = 32, 5
	w := newWorld(t)
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	rules := fixture()
	within(60*day, true)(rules)
	w.start(rules)
	var codes [referrers]string
	for i := range codes {
		_, codes[i] = w.code(fmt.Sprintf("A%d", i), "")
	}
	var mu sync.Mutex
	var referrer, referees int64
	next := make(chan int)
	var done sync.WaitGroup
	for range clients {
		done.Go(func() {
			for i := range next {
				l := w.story(i, codes[i%referrers])
				var sent []func()
				for _, f := range l.facts {
					sent = append(sent, func() {
						key := fmt.Sprintf("story-%d", w.serial.Add(1))
						got := w.send("POST", f.path, f.body, key)
						for tries := 0; got.status == http.StatusServiceUnavailable && tries < 100; tries++ { // as its answer asks
							got = w.send("POST", f.path, f.body, key)
						}
						if got.status >= 300 {
							t.Errorf("%s answered %d: %s", f.path, got.status, got.raw)
						}
					})
				}
				for pair := range slices.Chunk(sent, 2) { // the facts of one referee race each other, too
					together(pair...)
				}
				mu.Lock()
				referrer += l.referrer
				referees += l.referees
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for i := range stories {
		next <- i
	}
	close(next)
	done.Wait()
	total := map[string]int64{}
	rows := w.do("GET", "/v1/ledger/trial-balance", nil).want(200, "balanced", true)
	kinds, _ := rows.get("currencies").([]any)
	for k := range kinds {
		accounts, _ := rows.get(fmt.Sprintf("currencies.%d.accounts", k)).([]any)
		for i := range accounts {
			at := fmt.Sprintf("currencies.%d.accounts.%d.", k, i)
			total[rows.str(at+"kind")] += rows.num(at + "balance")
		}
	}
	if total["pending"]+total["available"] != referrer+referees || total["expense"] != -referrer-referees {
		t.Errorf("the books hold %v, the model %d for referrers and %d for referees", total, referrer, referees)
	}
	w.standing()
	t.Logf("%d lifecycles in %s: %d cents to referrers, %d to referees, books %v", stories, time.Since(began).Round(time.Millisecond), referrer, referees, total)
}

// story makes a lifecycle: a signup, up to four purchases, refunds and chargebacks of some of them; of six referees one leaves at the
// end, which takes everything, and one leaves and comes back, which takes nothing.
func (w *world) story(i int, code string) lifecycle {
	r := rand.New(rand.NewPCG(uint64(i), 42))
	who := fmt.Sprintf("B%d", i)
	l := lifecycle{facts: []fact{{"/v1/signups", w.signupBody(who, t0.Add(-20*day), "code", code)}}}
	qualified := false
	for p := range 1 + r.IntN(4) {
		order := fmt.Sprintf("%s-%d", who, p)
		amount := int64(500 + r.IntN(20_000))
		at := t0.Add(-15*day + time.Duration(p)*time.Hour)
		l.facts = append(l.facts, fact{"/v1/conversions", w.purchaseBody(who, order, amount, at)})
		net := amount
		for n := range r.IntN(3) {
			back := 1 + r.Int64N(net)
			net -= back
			l.facts = append(l.facts, fact{"/v1/reversals", body{
				"source": "shop", "external_id": fmt.Sprintf("%s-r%d", order, n), "conversion_external_id": order,
				"conversion_type": "purchase", "kind": []string{"refund", "chargeback"}[r.IntN(2)], "amount": back, "occurred_at": at.Add(time.Minute * time.Duration(n+1)),
			}})
			if net == 0 {
				break
			}
		}
		if net >= 2000 && !qualified {
			qualified = true
			l.referees += 1000
		}
		if qualified {
			l.referrer += (net*2 + 5) / 10
		}
	}
	leaving := func(path, ref string, at time.Time) fact {
		return fact{path, body{"program_id": w.program, "referee_external_id": who, "external_id": who + ref, "occurred_at": at}}
	}
	switch r.IntN(6) {
	case 0:
		l.facts = append(l.facts, leaving("/v1/churns", "-left", t0.Add(-10*day)))
		l.referrer, l.referees = 0, 0
	case 1:
		l.facts = append(l.facts, leaving("/v1/churns", "-left", t0.Add(-10*day)), leaving("/v1/reactivations", "-back", t0.Add(-9*day)))
	}
	r.Shuffle(len(l.facts), func(a, b int) { l.facts[a], l.facts[b] = l.facts[b], l.facts[a] })
	return l
}
