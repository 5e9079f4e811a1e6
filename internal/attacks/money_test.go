package attacks

import "fmt"

func init() {
	programs["more back than paid"] = (*attack).overRefunds
	programs["refund first"] = (*attack).refundFirst
	programs["refund farming"] = (*attack).refundFarming
	programs["many small orders"] = (*attack).smallOrders
	programs["the last of a budget"] = (*attack).lastOfBudget
}

// brings makes a program with one referee, and gives both, and the referrer's id.
func (a *attack) brings(set map[string]any) (program, referee, referrer string) {
	a.t.Helper()
	draft := a.must(a.recipe("createProgram", set), 201).text("id")
	program = a.must(a.recipeAt("activateProgram", "program_id", draft, nil), 200).text("id")
	referee = "buyer-" + a.unique()
	code := a.codes(program, 1)[0]
	made := a.must(a.signup(program, referee, code), 201)
	return program, referee, a.must(a.recipeAt("getReferral", "referral_id", made.text("referral_id"), nil), 200).text("referrer_id")
}

func (a *attack) sale(program, referee, order string, amount int) request {
	return a.recipe("recordConversion", map[string]any{
		"/program_id": program, "/referee_external_id": referee, "/external_id": order, "/amount": amount,
	})
}

func (a *attack) refund(order, refund string, amount int) request {
	return a.recipe("recordReversal", map[string]any{"/conversion_external_id": order, "/external_id": refund, "/amount": amount})
}

// owed is what an order has earned for everybody, and what of it was taken back.
func (a *attack) owed(order string) string {
	return fmt.Sprint(
		a.number("SELECT coalesce(sum(granted), 0) FROM rewards WHERE conversion_id = (SELECT id FROM conversions WHERE external_id = $1)", order), " ",
		a.number("SELECT coalesce(sum(reversed), 0) FROM rewards WHERE conversion_id = (SELECT id FROM conversions WHERE external_id = $1)", order))
}

// overRefunds takes back more than was paid, at once and in parts: what goes beyond is refused and changes nothing.
func (a *attack) overRefunds() {
	program, referee, _ := a.brings(nil)
	order := "order-" + a.unique()
	a.must(a.sale(program, referee, order, 10_000), 201)
	refused := func(id string, amount int) {
		r := a.refund(order, id, amount)
		a.unchanged("W", fmt.Sprintf("a refund of %d", amount), func() {
			if got := a.send(r); got.status != 422 || got.text("code") != "reversal_exceeds_conversion" {
				a.t.Errorf("a refund of %d: %v", amount, got)
			}
		})
	}
	refused(order+"-all", 10_001)
	third := a.refund(order, order+"-0", 3_333)
	a.must(third, 201)
	for i := 1; i < 3; i++ {
		a.must(a.refund(order, fmt.Sprint(order, "-", i), 3_333), 201)
	}
	before := a.owed(order)
	if got := a.send(third.header("Idempotency-Key: " + newID())); got.status != 200 || a.owed(order) != before {
		a.t.Errorf("the same refund again: %v, %s after %s", got, a.owed(order), before)
	}
	refused(order+"-3", 2)
	refused(order+"-4", 3_333)
	a.must(a.refund(order, order+"-5", 1), 201)
	refused(order+"-6", 1)
	if got := a.owed(order); got != "3000 3000" {
		a.t.Errorf("granted and taken back are %s", got)
	}
	a.standing()
}

// refundFirst tells of a refund before its sale: all ends as if told in order.
func (a *attack) refundFirst() {
	var ends []string
	for _, first := range []bool{false, true} {
		program, referee, _ := a.brings(nil)
		order := "order-" + a.unique()
		sale, refund := a.sale(program, referee, order, 10_000), a.refund(order, order+"-back", 4_000)
		if first {
			a.must(refund, 202)
			a.must(sale, 201)
		} else {
			a.must(sale, 201)
			a.must(refund, 201)
		}
		ends = append(ends, fmt.Sprint(a.owed(order), " ",
			a.number("SELECT count(*) FROM conversions WHERE external_id = $1 AND state = 'partially_reversed' AND reversed_amount = 4000", order)))
	}
	if ends[0] != ends[1] || ends[0] != "3000 800 1" {
		a.t.Errorf("in order it is %s, the other way round %s", ends[0], ends[1])
	}
	a.standing()
}

// refundFarming has five friends buy for the better tier, is paid, and takes everything back: what was paid is owed, and the next sale
// goes against it.
func (a *attack) refundFarming() {
	program := a.make("active_program")
	code := a.codes(program, 1)[0]
	orders := make([]string, 5)
	for i := range orders {
		friend := "farmer-" + a.unique()
		orders[i] = "order-" + a.unique()
		a.must(a.signup(program, friend, code), 201)
		a.must(a.sale(program, friend, orders[i], 10_000), 201)
	}
	owner := "(SELECT participant_id FROM codes WHERE value = $1)"
	available := func() int64 {
		return a.number("SELECT balance FROM ledger_accounts WHERE kind = 'available' AND reward_kind = 'money' AND participant_id = "+owner, code)
	}
	const earned = 4*2000 + 2500
	a.must(a.recipe("moveTestClock", map[string]any{"/now": a.after(120)}), 200)
	if n := available(); n != earned {
		a.t.Errorf("%d are available, want %d", n, earned)
	}
	run := a.must(a.recipe("createPayoutRun", nil), 201).text("run.id")
	var payout string
	if err := a.world.owner.QueryRow(a.t.Context(), "SELECT id::text FROM payouts WHERE run_id = $2 AND participant_id = "+owner, code, run).Scan(&payout); err != nil {
		a.t.Fatal(err)
	}
	for _, step := range []string{"approvePayout", "submitPayout", "markPayoutPaid"} {
		a.must(a.recipeAt(step, "payout_id", payout, nil), 200)
	}
	for _, order := range orders {
		a.must(a.refund(order, order+"-back", 10_000), 201)
	}
	if n := available(); n != -earned {
		a.t.Errorf("after the refunds %d are available, want %d", n, -earned)
	}
	last := "farmer-" + a.unique()
	a.must(a.signup(program, last, code), 201)
	a.must(a.sale(program, last, "order-"+a.unique(), 10_000), 201)
	a.must(a.recipe("moveTestClock", map[string]any{"/now": a.after(120)}), 200)
	if n := available(); n != 2000-earned {
		a.t.Errorf("with another sale %d are available, want %d: a tier that is no longer reached pays nothing more", n, 2000-earned)
	}
	run = a.must(a.recipe("createPayoutRun", nil), 201).text("run.id")
	if n := a.number("SELECT count(*) FROM payouts WHERE run_id = $2 AND participant_id = "+owner, code, run); n != 0 {
		a.t.Error("who owes is paid")
	}
	a.standing()
}

// smallOrders makes a hundred orders at once of what could be one: together they stay within the cap, to the unit.
func (a *attack) smallOrders() {
	program, referee, referrer := a.brings(nil)
	var all []request
	for range 100 {
		all = append(all, a.sale(program, referee, "order-"+a.unique(), 10_000))
	}
	a.exactly("orders", tally(a.volley(all), isStatus), map[string]int{"201 ": 100})
	if n := a.number("SELECT sum(granted) FROM rewards WHERE program_id = $1 AND rule_key = 'share' AND participant_id = $2", program, referrer); n != 50_000 {
		a.t.Errorf("%d are granted under a cap of 50000", n)
	}
	a.standing()
}

// lastOfBudget has fifty sales at once take the one unit that is left of a budget, and more after the end.
func (a *attack) lastOfBudget() {
	program, referee, _ := a.brings(map[string]any{"/honor_pending_seconds": 0, "/rules": map[string]any{
		"budget": map[string]any{"amount": 2001},
		"rewards": []any{map[string]any{
			"key": "share", "triggers": []any{"purchase"}, "beneficiary": "referrer", "kind": "money",
			"amount": map[string]any{"type": "basis_points", "value": 2000},
		}},
	}})
	a.must(a.sale(program, referee, "order-"+a.unique(), 10_000), 201)
	granted := func() int64 { return a.number("SELECT sum(granted) FROM rewards WHERE program_id = $1", program) }
	var all []request
	for range 50 {
		all = append(all, a.sale(program, referee, "order-"+a.unique(), 10_000))
	}
	a.exactly("sales", tally(a.volley(all), isStatus), map[string]int{"201 ": 50})
	if n := granted(); n != 2001 {
		a.t.Errorf("%d are granted of a budget of 2001", n)
	}
	a.must(a.recipeAt("endProgram", "program_id", program, nil), 200)
	a.must(a.recipe("moveTestClock", map[string]any{"/now": a.after(10)}), 200)
	late := a.must(a.sale(program, referee, "order-"+a.unique(), 10_000), 201)
	if late.text("reason") != "PROGRAM_NOT_ACTIVE" || granted() != 2001 {
		a.t.Errorf("a sale after the end: %v, %d are granted", late, granted())
	}
	a.standing()
}
