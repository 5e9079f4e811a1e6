package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// situation is one story in a world that it shares with others: its own program, people and references, and a beginning of its own.
// Times are told from that beginning. A fact from after the present moves the clock there; one from before it arrives late.
type situation struct {
	*world
	began, now time.Time
	name       string
	currency   string
}

// situations runs stories one after the other in one world, because a world costs more than a story, and then has the doctor look
// at all of them.
func situations(t *testing.T, stories map[string]func(s *situation)) {
	w := newWorld(t)
	began := t0
	for i, name := range slices.Sorted(maps.Keys(stories)) {
		s := &situation{world: w, began: began, now: began, name: fmt.Sprint(i), currency: "USD"}
		t.Run(name, func(t *testing.T) {
			w.t = t
			defer func() { w.t = nil }()
			stories[name](s)
		})
		began = s.now.Add(time.Minute)
	}
	w.t = t
	w.standing()
}

// begin makes and activates the program; more are pairs of further fields of it.
func (s *situation) begin(rules body, more ...any) *situation {
	s.t.Helper()
	s.at(0)
	b := body{"name": s.name, "currency": s.currency, "landing_url": "https://shop.example/welcome", "rules": rules}
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	s.currency = b["currency"].(string)
	s.program = s.do("POST", "/v1/programs", b).want(201).str("id")
	s.do("POST", "/v1/programs/"+s.program+"/activate", nil).want(200)
	return s
}

// referred begins with B referred by A at the beginning.
func (s *situation) referred(rules body, more ...any) *situation {
	s.t.Helper()
	s.begin(rules, more...)
	s.joins("B", 0, "code", s.gets("A")).want(201, "attributed", true)
	return s
}

// at moves the clock forward to a moment of the story.
func (s *situation) at(after time.Duration) {
	s.t.Helper()
	if to := s.began.Add(after); to.After(s.now) || after == 0 {
		s.now = to
		s.clock(to)
	}
}

// my makes a name of the story that no other one uses.
func (s *situation) my(name string) string { return name + "-" + s.name }

func (s *situation) fact(after time.Duration, more []any, b body) body {
	s.t.Helper()
	s.at(max(after, s.now.Sub(s.began)))
	b["occurred_at"] = s.began.Add(after)
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	return b
}

// gets gives somebody a code and returns its value.
func (s *situation) gets(owner string, more ...any) string {
	s.t.Helper()
	_, value := s.code(s.my(owner), "", more...)
	return value
}

func (s *situation) clicks(code string, after time.Duration, more ...any) string {
	s.t.Helper()
	return s.do("POST", "/v1/clicks", s.fact(after, more, body{"code": code})).want(201).str("id")
}

func (s *situation) joins(who string, after time.Duration, more ...any) answer {
	s.t.Helper()
	return s.do("POST", "/v1/signups", s.fact(after, more, body{
		"program_id": s.program, "referee_external_id": s.my(who), "external_id": s.my(fmt.Sprintf("s%d", s.serial.Add(1))),
	}))
}

func (s *situation) buys(who, order string, amount int64, after time.Duration, more ...any) answer {
	s.t.Helper()
	return s.do("POST", "/v1/conversions", s.fact(after, more, body{
		"program_id": s.program, "referee_external_id": s.my(who), "source": "shop", "external_id": s.my(order), "type": "purchase",
		"amount": amount, "currency": s.currency,
	}))
}

func (s *situation) renews(who, order string, amount int64, after time.Duration) answer {
	s.t.Helper()
	return s.buys(who, order, amount, after, "type", "renewal")
}

// undoes takes an order back under a reference; amount 0 takes all that is left.
func (s *situation) undoes(kind, order, ref string, amount int64, after time.Duration, more ...any) answer {
	s.t.Helper()
	b := body{"source": "shop", "external_id": s.my(ref), "conversion_external_id": s.my(order), "conversion_type": "purchase", "kind": kind}
	if amount > 0 {
		b["amount"] = amount
	}
	return s.do("POST", "/v1/reversals", s.fact(after, more, b))
}

// wins ends the dispute about a chargeback.
func (s *situation) wins(chargeback answer, ref string, after time.Duration) answer {
	s.t.Helper()
	return s.do("POST", "/v1/reversals/"+chargeback.str("reversal.id")+"/dispute-won", s.fact(after, nil, body{"external_id": s.my(ref)}))
}

func (s *situation) leaves(who, ref string, after time.Duration) answer {
	s.t.Helper()
	return s.do("POST", "/v1/churns", s.fact(after, nil, body{"program_id": s.program, "referee_external_id": s.my(who), "external_id": s.my(ref)}))
}

func (s *situation) returns(who, ref string, after time.Duration) answer {
	s.t.Helper()
	return s.do("POST", "/v1/reactivations", s.fact(after, nil, body{"program_id": s.program, "referee_external_id": s.my(who), "external_id": s.my(ref)}))
}

// is checks the state of a referee's newest referral, and what it was given to, if named.
func (s *situation) is(who, state string, referrer ...string) {
	s.t.Helper()
	r := s.referral(s.my(who)).want(200, "state", state)
	if len(referrer) > 0 && r.str("referrer_id") != s.participant(s.my(referrer[0])) {
		s.t.Errorf("%s belongs to somebody else than %s", who, referrer[0])
	}
}

// has checks what somebody has pending and available.
func (s *situation) has(who string, pending, available int64) {
	s.t.Helper()
	s.balance(s.my(who), pending, available)
}

// earned checks the rewards of somebody, oldest first, each as "rule: reversed of granted state REASON".
func (s *situation) earned(who string, want ...string) {
	s.t.Helper()
	a := s.do("GET", "/v1/rewards?participant_id="+s.participant(s.my(who)), nil).want(200)
	var got []string
	list, _ := a.get("data").([]any)
	for i := range list {
		at := fmt.Sprintf("data.%d.", i)
		got = append(got, fmt.Sprintf("%s: %d of %d %s %s", a.str(at+"rule_key"), a.num(at+"reversed"), a.num(at+"granted"), a.str(at+"state"), a.str(at+"reason")))
	}
	slices.Reverse(got)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("%s has\n%s\nwant\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// order reads a conversion of the program.
func (s *situation) order(ref string) answer {
	s.t.Helper()
	a := s.do("GET", "/v1/conversions?limit=200&program_id="+s.program, nil).want(200)
	list, _ := a.get("data").([]any)
	for _, c := range list {
		if c := c.(body); c["external_id"] == s.my(ref) {
			return answer{t: s.t, status: 200, body: c, raw: a.raw}
		}
	}
	s.t.Fatalf("no conversion %s in %s", s.my(ref), a.raw)
	return answer{}
}

// rule is a reward rule; more are pairs of further fields.
func rule(key, beneficiary, trigger, kind string, value int64, more ...any) body {
	b := body{
		"key": key, "beneficiary": beneficiary, "triggers": strings.Fields(trigger), "kind": "money", "amount": body{"type": kind, "value": value},
	}
	for i := 0; i < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	return b
}

const share, flat = "basis_points", "fixed"

// offer is rules with rewards, a minimum of 2,000 and 90 days to qualify; changes edit it.
func offer(rewards []body, changes ...func(body)) body {
	b := body{
		"qualification": body{"conversion_types": []string{"purchase"}, "minimum_amount": 2000, "window_seconds": 7776000}, "rewards": rewards,
	}
	for _, change := range changes {
		change(b)
	}
	return b
}

// within sets a churn window.
func within(window time.Duration, reinstate bool) func(body) {
	return func(b body) {
		b["churn"] = body{"window_seconds": int64(window / time.Second), "reinstate_on_reactivation": reinstate}
	}
}
