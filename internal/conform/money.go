package conform

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"gopkg.in/yaml.v3"
)

// coinOf is the currency of a step: as it says, that of no currency for points and the like, or that of the program.
func (a *args) coinOf(kind string) string {
	switch n := a.take("currency"); {
	case n != nil:
		return fmt.Sprint(a.p.value(n))
	case kind != "money" && kind != "credit":
		return "XXX"
	}
	return a.p.program.str("currency")
}

func redeems(p *play, a *args) request {
	kind := a.optional("kind", "credit")
	b := map[string]any{
		"participant_external_id": a.person("who"), "reward_kind": kind, "currency": a.coinOf(kind), "external_id": p.my(a.optional("ref", uuid.NewString())),
	}
	return post("/v1/credit-redemptions", a.body(b))
}

func voids(_ *play, a *args) request {
	return post("/v1/credit-redemptions/"+a.thing("of").str("id")+"/void", a.withReason())
}

func setsPolicy(_ *play, a *args) request {
	return request{method: http.MethodPut, path: "/v1/payout-policies/" + a.coinOf("money"), body: a.body(map[string]any{})}
}

func runsPayouts(_ *play, a *args) request {
	return post("/v1/payout-runs", a.body(map[string]any{"currency": a.coinOf("money")}))
}

// payouts are those of somebody, newest first.
func (p *play) payouts(who string) ([]map[string]any, error) {
	id, err := p.id(who)
	if err != nil {
		return nil, err
	}
	return p.api.list(p.ctx, "/v1/payouts", url.Values{"participant_id": {id}})
}

// movesPayout moves the newest payout of somebody: approve, submit, mark-paid, mark-failed, return, retry, cancel.
func movesPayout(p *play, a *args) request {
	who, to := a.name("of"), a.name("to")
	all, err := p.payouts(who)
	if err != nil || len(all) == 0 {
		p.stop(a.step.line, "%s has no payout to %s (%v)", who, to, err)
	}
	path := "/v1/payouts/" + fmt.Sprint(all[0]["id"]) + "/" + to
	switch to {
	case "mark-paid":
		return post(path, a.body(map[string]any{"provider_reference": p.my("paid")}))
	case "mark-failed", "return", "cancel":
		return post(path, a.withReason())
	}
	return post(path, nil)
}

func checkPayouts(p *play, n *yaml.Node) error {
	for who, want := range members(n) {
		all, err := p.payouts(who.Value)
		if err != nil {
			return err
		}
		got := []any{}
		for _, payout := range all {
			got = append(got, payout)
		}
		p.match("payouts of "+who.Value, want, got)
	}
	return nil
}

// seen is what an answer says to a step. A payout run is of the whole workspace: only people of the story are left in its lists, by name.
func (p *play) seen(s step, a *answer) any {
	out, ok := a.seen().(map[string]any)
	if s.verb != "payout_run" || !ok {
		return out
	}
	for _, list := range []string{"payouts", "skipped"} {
		entries, _ := out[list].([]any)
		ours := []any{}
		for _, e := range entries {
			e, _ := e.(map[string]any)
			if name, _ := p.nameOf(e["participant_id"]).(string); slices.Contains(p.known(), name) {
				e["who"] = name
				ours = append(ours, e)
			}
		}
		out[list] = ours
	}
	return out
}
