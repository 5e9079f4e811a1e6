package attacks

import (
	"fmt"
	"maps"
	"slices"
)

func init() {
	programs["approving one's own payout"] = (*attack).ownPayout
	programs["payout runs at once"] = (*attack).runsAtOnce
}

// ownPayout has the key that made a run approve it where four eyes are wanted, as a whole and payout by payout. Another key may.
func (a *attack) ownPayout() {
	strict := maps.Clone(ownPolicy)
	strict["/four_eyes"] = true
	set := func(policy map[string]any) { a.must(a.recipeAt("setPayoutPolicy", "currency", "USD", policy), 200) }
	set(strict)
	defer set(ownPolicy)
	run, payout := a.make("payout_run"), a.make("payout")
	whole, single := a.recipeAt("approvePayoutRun", "payout_run_id", run, nil), a.recipeAt("approvePayout", "payout_id", payout, nil)
	for _, r := range []request{whole, single} {
		a.unchanged("W", r.op.id, func() {
			if got := a.send(r); got.status != 403 || got.text("code") != "forbidden" {
				a.t.Errorf("%s of one's own run: %v", r.op.id, got)
			}
		})
		a.must(r.from(a.key("payouts:approve")), 200)
	}
}

// runsAtOnce has many people start a run, approve it and submit what it pays at once: every reward is in one payout, and what is reserved is
// what the payouts pay.
func (a *attack) runsAtOnce() {
	for range 20 {
		a.earn(5000)
	}
	var all []request
	for range 20 {
		all = append(all, a.recipe("createPayoutRun", nil))
	}
	got := a.volley(all)
	a.exactly("runs", tally(got, isStatus), map[string]int{"201 ": 20})
	pays := 0
	for _, g := range got {
		if g.text("count") != "0" {
			pays++
		}
	}
	if pays != 1 {
		a.t.Errorf("%d runs pay", pays)
	}
	at := slices.IndexFunc(got, func(g answer) bool { return g.text("count") != "0" })
	var approvals []request
	for range 10 {
		approvals = append(approvals, a.recipeAt("approvePayoutRun", "payout_run_id", got[at].text("run.id"), nil))
	}
	a.exactly("approvals", tally(a.volley(approvals), isStatus), map[string]int{"200 ": 10})
	if n := a.number("SELECT count(*) FROM (SELECT 1 FROM payout_items WHERE live GROUP BY workspace_id, reward_id HAVING count(*) > 1) twice"); n != 0 {
		a.t.Errorf("%d rewards are in two payouts", n)
	}
	list := a.recipe("listPayouts", nil)
	list.query.Set("run_id", got[at].text("run.id"))
	payout := a.must(list, 200).text("data.0.id")
	all = nil
	for i := range 20 {
		all = append(all, a.recipeAt([]string{"submitPayout", "cancelPayout"}[i%2], "payout_id", payout, nil))
	}
	counts := tally(a.volley(all), isStatus)
	if counts["200 "] != 1 || counts["409 state_not_allowed"] != 19 {
		a.t.Errorf("submitted and cancelled at once: %v", counts)
	}
	if n := a.number(fmt.Sprintf("SELECT count(*) FROM payouts WHERE id = '%s' AND state IN ('submitted', 'cancelled')", payout)); n != 1 {
		a.t.Errorf("the payout is neither submitted nor cancelled")
	}
	a.standing()
}
