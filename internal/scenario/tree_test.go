package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// threeLevels pays 20 % to the referrer, 5 % to the one above, and 2 % to the one above that.
func threeLevels() body {
	rules := fixture()
	rules["rewards"] = []body{
		{"key": "direct", "triggers": []string{"purchase"}, "beneficiary": "referrer", "kind": "money", "amount": body{"type": "basis_points", "value": 2000}},
		{"key": "second", "triggers": []string{"purchase"}, "beneficiary": "upline", "level": 2, "kind": "money", "amount": body{"type": "basis_points", "value": 500}},
		{"key": "third", "triggers": []string{"purchase"}, "beneficiary": "upline", "level": 3, "kind": "money", "amount": body{"type": "basis_points", "value": 200}},
	}
	return rules
}

// earned tells what an order has earned whom, and what is left of it: "A1:2000 F2:500".
func (w *world) earned(order string) string {
	w.t.Helper()
	conn := w.db.Owner(w.t)
	rows, err := conn.Query(w.t.Context(), `
		SELECT p.external_id, r.level, r.granted - r.reversed FROM rewards r
		JOIN participants p ON p.id = r.participant_id JOIN conversions c ON c.id = r.conversion_id
		WHERE c.external_id = $1 AND r.granted > r.reversed`, order)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		var who string
		var level, amount int64
		if err := rows.Scan(&who, &level, &amount); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s:%d", level, who, amount))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *world) earns(order, want string) {
	w.t.Helper()
	if got := w.earned(order); got != want {
		w.t.Errorf("%s earned %q, want %q", order, got, want)
	}
}

func (w *world) code1(owner string) string {
	_, value := w.code(owner, "")
	return value
}

// A sale pays the tree of its moment, also where the tree is told afterwards.
func TestTheTreeIsToldAfterTheSale(t *testing.T) {
	w := newWorld(t)
	w.start(threeLevels())
	a, f, g, z := w.code1("A"), w.code1("F"), w.code1("G"), w.code1("Z")
	now := t0.Add(10 * day)
	w.clock(now)
	w.signup("B", t0, "code", a).want(201, "attributed", true)
	w.purchase("B", "o1", 10_000, t0.Add(2*day)).want(201)
	w.purchase("B", "o2", 10_000, t0.Add(4*day)).want(201)
	w.earns("o1", "1 A:2000")
	w.signup("A", t0.Add(3*day), "code", f).want(201, "attributed", true)
	w.signup("F", t0, "code", g).want(201, "attributed", true)
	w.clock(now.Add(time.Second))
	w.earns("o1", "1 A:2000")
	w.earns("o2", "1 A:2000 2 F:500 3 G:200")
	w.do("POST", "/v1/referrals/"+w.referral("A").str("id")+"/reattribute", body{"code": z, "reason": "it was Z"}).want(201, "attributed", true)
	w.clock(now.Add(2 * time.Second))
	w.earns("o1", "1 A:2000")
	w.earns("o2", "1 A:2000 2 F:500 3 G:200") // given to Z from then on
	w.do("POST", "/v1/referrals/"+w.referral("A").str("id")+"/reject", body{"reason": "a mistake"}).want(200)
	w.purchase("B", "o3", 10_000, now.Add(time.Second)).want(201)
	w.purchase("B", "o4", 10_000, now.Add(2*time.Second)).want(201)
	w.clock(now.Add(day))
	w.earns("o2", "1 A:2000 2 F:500 3 G:200")
	w.earns("o3", "1 A:2000 2 Z:500")
	w.earns("o4", "1 A:2000")
	w.standing()
}

// Whoever was not qualified in the window was not above any more when it was over, until a late fact says otherwise.
func TestTheUplineQualifiesAfterTheSale(t *testing.T) {
	w := newWorld(t)
	rules := threeLevels()
	rules["qualification"].(body)["window_seconds"] = int64(5 * day / time.Second)
	w.start(rules)
	a, f := w.code1("A"), w.code1("F")
	w.clock(t0.Add(8 * day))
	w.signup("A", t0, "code", f).want(201, "attributed", true)
	w.signup("B", t0.Add(4*day), "code", a).want(201, "attributed", true)
	w.purchase("B", "o1", 10_000, t0.Add(5*day-time.Second)).want(201)
	w.purchase("B", "o2", 10_000, t0.Add(5*day)).want(201)
	w.clock(t0.Add(9 * day))
	w.earns("o1", "1 A:2000 2 F:500")
	w.earns("o2", "1 A:2000")
	w.purchase("A", "late", 10_000, t0.Add(day)).want(201)
	w.clock(t0.Add(9*day + time.Minute))
	w.earns("o2", "1 A:2000 2 F:500")
	w.undo("refund", "late", "r", 0, t0.Add(9*day)).want(201)
	w.clock(t0.Add(9*day + 2*time.Minute))
	w.earns("o1", "1 A:2000 2 F:500")
	w.earns("o2", "1 A:2000")
	w.standing()
}

// Signups and purchases of a family are told in any order, and earn the same in the end.
func TestAFamilyIsToldInAnyOrder(t *testing.T) {
	w := newWorld(t)
	w.start(threeLevels())
	const people, orders, tellings = 9, 16, 5
	dice := rand.New(rand.NewPCG(1, 2))
	above := make([]int, people) // by number: somebody before
	joined := make([]time.Duration, people)
	for i := 1; i < people; i++ {
		above[i], joined[i] = dice.IntN(i), time.Duration(dice.IntN(16))*day/4
	}
	type sale struct {
		by int
		at time.Duration
	}
	sales := make([]sale, orders)
	for i := range sales {
		sales[i] = sale{1 + dice.IntN(people-1), time.Duration(dice.IntN(40)) * day / 4}
	}
	w.clock(t0.Add(15 * day))
	var want []string
	for telling := range tellings {
		name := func(i int) string { return fmt.Sprintf("p%d-%d", telling, i) }
		codes := make([]string, people)
		for i := range people {
			codes[i] = w.code1(name(i))
		}
		var facts []func()
		for i := 1; i < people; i++ {
			facts = append(facts, func() { w.signup(name(i), t0.Add(joined[i]), "code", codes[above[i]]).want(201, "attributed", true) })
		}
		for i, s := range sales {
			facts = append(facts, func() { w.purchase(name(s.by), fmt.Sprintf("o%d-%d", telling, i), 10_000, t0.Add(s.at)) })
		}
		if telling > 0 {
			dice.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
		}
		for _, tell := range facts {
			tell()
		}
		w.clock(t0.Add(15*day + time.Duration(telling+1)*time.Hour))
		for i := range sales {
			got := strings.ReplaceAll(w.earned(fmt.Sprintf("o%d-%d", telling, i)), fmt.Sprintf("p%d-", telling), "p")
			if telling == 0 {
				want = append(want, got)
			} else if got != want[i] {
				t.Errorf("telling %d: order %d of p%d earned %q, want %q", telling, i, sales[i].by, got, want[i])
			}
		}
	}
	w.standing()
}

// A sale that is written while the tree above it changes is found all the same.
func TestTheTreeIsToldDuringSales(t *testing.T) {
	w := newWorld(t)
	w.start(threeLevels())
	const families, orders = 4, 12
	w.clock(t0.Add(day))
	var calls []func()
	for i := range families {
		name := func(who string) string { return fmt.Sprintf("%s%d", who, i) }
		a, f := w.code1(name("A")), w.code1(name("F"))
		w.signup(name("B"), t0, "code", a).want(201, "attributed", true)
		signup := w.signupBody(name("A"), t0, "code", f)
		calls = append(calls, func() { w.do("POST", "/v1/signups", signup).want(201, "attributed", true) })
		for n := range orders {
			b := w.purchaseBody(name("B"), fmt.Sprintf("o%d-%d", i, n), 10_000, t0.Add(time.Hour))
			calls = append(calls, func() { w.do("POST", "/v1/conversions", b).want(201) })
		}
	}
	together(calls...)
	w.clock(t0.Add(day + 2*time.Minute))
	for i := range families {
		for n := range orders {
			w.earns(fmt.Sprintf("o%d-%d", i, n), fmt.Sprintf("1 A%d:2000 2 F%d:500", i, i))
		}
	}
	w.standing()
}
