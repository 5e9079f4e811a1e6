package conform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
)

// standing checks what must hold after every situation, whatever it was.
func (p *play) standing() {
	for _, check := range []struct {
		what string
		run  func() error
	}{
		{"the trial balance is zero", p.booksBalance},
		{"accounts are what their transfers make", p.accountsFollow},
		{"people have what they were granted, less what was taken, paid, redeemed or expired", p.peopleHaveTheirs},
		{"every decision can be replayed", p.decisionsReplay},
		{"statistics equal facts", p.statisticsEqual},
	} {
		if err := check.run(); err != nil {
			p.fail(1, "after every situation", check.what, err.Error())
		}
	}
}

// chainHolds walks the log of the workspace, which is one for all of its situations.
func chainHolds(ctx context.Context, c *api, now time.Time) error {
	if err := setClock(ctx, c, now.Add(time.Second)); err != nil { // what is due is done then, the numbering of events too
		return err
	}
	for from := int64(1); ; {
		a, err := c.read(ctx, fmt.Sprintf("/v1/events/verification?from_seq=%d", from))
		if err != nil {
			return err
		}
		if a.get("verified") != true {
			return errors.New(a.String())
		}
		if a.get("complete") == true {
			return nil
		}
		from = integer(a.get("through_seq")) + 1
	}
}

// known are the people of the story of whom the server has heard.
func (p *play) known() []string {
	var out []string
	for _, who := range slices.Sorted(maps.Keys(p.ids)) {
		if _, err := p.id(who); err == nil {
			out = append(out, who)
		}
	}
	return out
}

func (p *play) booksBalance() error {
	a, err := p.api.read(p.ctx, "/v1/ledger/trial-balance")
	if err == nil && a.get("balanced") != true {
		err = errors.New(a.String())
	}
	return err
}

// account names a ledger account of somebody.
type account struct{ currency, reward, kind string }

// accountsFollow adds up the transfers of each person: each moves a positive amount from one account to another, all accounts of a
// currency sum to zero, and each is what the server says it is.
func (p *play) accountsFollow() error {
	for _, who := range p.known() {
		of := url.Values{"participant_id": {p.ids[who]}}
		transfers, err := p.api.list(p.ctx, "/v1/ledger/transfers", maps.Clone(of))
		if err != nil {
			return err
		}
		accounts, err := p.api.list(p.ctx, "/v1/ledger/accounts", of)
		if err != nil {
			return err
		}
		sums := map[account]int64{}
		for _, t := range transfers {
			currency, reward, n := fmt.Sprint(t["currency"]), fmt.Sprint(t["reward_kind"]), integer(t["amount"])
			if n <= 0 || t["from_kind"] == t["to_kind"] {
				return fmt.Errorf("a transfer of %s that moves nothing: %s", who, show(t))
			}
			sums[account{currency, reward, fmt.Sprint(t["from_kind"])}] -= n
			sums[account{currency, reward, fmt.Sprint(t["to_kind"])}] += n
		}
		for _, a := range accounts {
			name := account{fmt.Sprint(a["currency"]), fmt.Sprint(a["reward_kind"]), fmt.Sprint(a["kind"])}
			if got := integer(a["balance"]); got != sums[name] {
				return fmt.Errorf("the account %v of %s has %d, its transfers make %d", name, who, got, sums[name])
			}
			delete(sums, name)
		}
		for name, n := range sums {
			if n != 0 {
				return fmt.Errorf("the account %v of %s is not there, its transfers make %d", name, who, n)
			}
		}
	}
	return nil
}

func (p *play) peopleHaveTheirs() error {
	for _, who := range p.known() {
		rewards, err := p.api.list(p.ctx, "/v1/rewards", url.Values{"participant_id": {p.ids[who]}})
		if err != nil {
			return err
		}
		owed := map[[2]any]int64{}
		for _, r := range rewards {
			owed[[2]any{r["currency"], r["kind"]}] += integer(r["granted"]) - integer(r["reversed"])
		}
		rows, err := p.balances(who)
		if err != nil {
			return err
		}
		for _, b := range rows {
			for _, name := range amounts {
				owed[[2]any{b["currency"], b["reward_kind"]}] -= integer(b[name])
			}
		}
		for of, n := range owed {
			if n != 0 {
				return fmt.Errorf("%s lacks %d of %v: rewards %s, balances %s", who, n, of, show(rewards), show(rows))
			}
		}
	}
	return nil
}

func (p *play) decisionsReplay() error {
	all, err := p.ofProgram("/v1/decisions")
	for _, d := range all {
		r := request{method: http.MethodPost, path: fmt.Sprintf("/v1/decisions/%v/replay", d["id"]), key: uuid.NewString()}
		a, err := p.api.send(p.ctx, r)
		if err != nil {
			return err
		}
		if a.get("same") != true || a.get("answer_hash") != d["answer_hash"] || a.get("inputs_hash") != d["inputs_hash"] {
			return fmt.Errorf("%s replayed as %v", show(d), a)
		}
	}
	return err
}

// totals are the statistics of the program over the whole story.
func (p *play) totals() (map[string]any, error) {
	// Facts may be older than the story by 30 days; one answer reaches over 366.
	from, until := p.began.Add(-40*day), p.clock.present().Add(2*day)
	sums := map[string]int64{}
	for from.Before(until) {
		to := from.Add(360 * day)
		a, err := p.api.read(p.ctx, fmt.Sprintf("/v1/programs/%s/statistics?from=%s&to=%s", p.program.str("id"), from.Format(time.DateOnly), to.Format(time.DateOnly)))
		if err != nil {
			return nil, err
		}
		counts, _ := a.get("totals").(map[string]any)
		for name, v := range counts {
			sums[name] += integer(v)
		}
		from = to.Add(day)
	}
	out := map[string]any{}
	for name, n := range sums {
		out[name] = n
	}
	return out, nil
}

// statisticsEqual counts the facts again.
func (p *play) statisticsEqual() error {
	got, err := p.totals()
	if err != nil {
		return err
	}
	want, err := p.recount()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			return fmt.Errorf("%s is %v, the facts make %d", name, got[name], want[name])
		}
	}
	return nil
}

func (p *play) recount() (map[string]int64, error) {
	out := map[string]int64{}
	count := func(path string, add func(fact map[string]any)) error {
		all, err := p.ofProgram(path)
		for _, fact := range all {
			add(fact)
		}
		return err
	}
	rewards, err := p.everyReward()
	for _, r := range rewards {
		if r := r.(map[string]any); r["kind"] == "money" || r["kind"] == "credit" { // the others are counted in no currency
			out["rewards_granted"] += integer(r["granted"])
			out["rewards_reversed"] += integer(r["reversed"])
		}
	}
	return out, errors.Join(err,
		count("/v1/clicks", func(c map[string]any) {
			out["clicks"]++
			if c["classification"] == "human" {
				out["human_clicks"]++
			}
		}),
		count("/v1/signups", func(map[string]any) { out["signups"]++ }),
		count("/v1/referrals", func(r map[string]any) {
			if r["state"] != "superseded" {
				out["referrals"]++
			}
			if (r["state"] == "qualified" || r["state"] == "churned") && r["qualified_at"] != nil {
				out["qualified"]++
			}
		}),
		count("/v1/conversions", func(c map[string]any) {
			if c["referral_id"] != nil && c["state"] != "disqualified" && c["state"] != "unmatched" {
				out["conversions"]++
				out["revenue"] += integer(c["base_amount"])
				out["reversed_revenue"] += integer(c["base_amount"]) - integer(c["base_net_amount"])
			}
		}),
	)
}
