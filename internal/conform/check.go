package conform

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// checks are what a `then` can speak of.
var checks map[string]func(p *play, n *yaml.Node) error

func init() { // reading a file asks for their names
	checks = map[string]func(p *play, n *yaml.Node) error{
		"referrals":  checkReferrals,
		"rewards":    checkRewards,
		"balances":   checkBalances,
		"orders":     checkOrders,
		"decisions":  checkDecisions,
		"codes":      checkCodes,
		"people":     checkPeople,
		"statistics": checkStatistics,
		"counts":     checkCounts,
		"payouts":    checkPayouts,
	}
}

// check holds the present state of the server against what a `then` says.
func (p *play) check(n *yaml.Node) {
	for name, v := range members(n) {
		if err := checks[name.Value](p, v); err != nil {
			p.stop(name.Line, "%s: %w", name.Value, err)
		}
	}
}

func checkReferrals(p *play, n *yaml.Node) error {
	for who, want := range members(n) {
		got, err := p.referral(who.Value)
		if err != nil {
			return err
		}
		what := "referral of " + who.Value
		switch {
		case want.Value == "none" && got != nil:
			p.fail(want.Line, what, "none", show(got))
		case want.Kind == yaml.MappingNode && got == nil:
			p.fail(want.Line, what, p.shown(want), "none")
		case want.Kind == yaml.MappingNode:
			p.match(what, want, got)
		}
	}
	return nil
}

func checkRewards(p *play, n *yaml.Node) error {
	all, err := p.everyReward()
	if err == nil {
		p.match("rewards", n, all)
	}
	return err
}

// amounts are the members of a balance.
var amounts = []string{"pending", "available", "reserved", "paid", "redeemed", "expired"}

// balances are what somebody has, a row for each currency and kind.
func (p *play) balances(who string) ([]map[string]any, error) {
	id, err := p.id(who)
	if err != nil {
		return nil, err
	}
	a, err := p.api.read(p.ctx, "/v1/participants/"+id+"/balances")
	if err != nil {
		return nil, err
	}
	var out []map[string]any
	data, _ := a.get("data").([]any)
	for _, row := range data {
		if row, ok := row.(map[string]any); ok {
			out = append(out, row)
		}
	}
	return out, nil
}

// checkBalances holds what each person has against what is told. An amount that is not named is 0; without a kind the kinds are
// added up, without a currency it is that of the program.
func checkBalances(p *play, n *yaml.Node) error {
	for who, want := range members(n) {
		rows, err := p.balances(who.Value)
		if err != nil {
			return err
		}
		list := []*yaml.Node{want}
		if want.Kind == yaml.SequenceNode {
			list = want.Content
		}
		for _, w := range list {
			p.checkBalance("balance of "+who.Value, w, rows)
		}
	}
	return nil
}

func (p *play) checkBalance(what string, want *yaml.Node, rows []map[string]any) {
	currency, kind := p.program.str("currency"), ""
	if n := member(want, "kind"); n != nil {
		kind = n.Value
		if kind != "money" && kind != "credit" {
			currency = "XXX" // points and the like are counted in no currency
		}
	}
	if n := member(want, "currency"); n != nil {
		currency = fmt.Sprint(p.value(n))
	}
	got := map[string]int64{}
	for _, row := range rows {
		if row["currency"] == currency && (kind == "" || row["reward_kind"] == kind) {
			for _, name := range amounts {
				got[name] += integer(row[name])
			}
		}
	}
	for name := range members(want) {
		if !slices.Contains(append([]string{"currency", "kind"}, amounts...), name.Value) {
			p.stop(name.Line, "a balance has no %s", name.Value)
		}
	}
	for _, name := range amounts {
		expected := int64(0)
		line := want.Line
		if n := member(want, name); n != nil {
			expected, line = integer(p.value(n)), n.Line
		}
		if got[name] != expected {
			p.fail(line, fmt.Sprintf("%s, %s", what, name), strconv.FormatInt(expected, 10), strconv.FormatInt(got[name], 10))
		}
	}
}

func integer(v any) int64 {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return i
}

// ofProgram lists what belongs to the program.
func (p *play) ofProgram(path string) ([]map[string]any, error) {
	return p.api.list(p.ctx, path, url.Values{"program_id": {p.program.str("id")}})
}

func checkOrders(p *play, n *yaml.Node) error {
	all, err := p.ofProgram("/v1/conversions")
	if err != nil {
		return err
	}
	for order, want := range members(n) {
		found := slices.IndexFunc(all, func(c map[string]any) bool { return c["external_id"] == p.my(order.Value) })
		if found < 0 {
			p.fail(order.Line, "order "+order.Value, p.shown(want), "no such conversion")
			continue
		}
		p.match("order "+order.Value, want, all[found])
	}
	return nil
}

func checkDecisions(p *play, n *yaml.Node) error {
	all, err := p.ofProgram("/v1/decisions")
	if err != nil {
		return err
	}
	for who, want := range members(n) {
		id, err := p.id(who.Value)
		if err != nil {
			return err
		}
		got := []any{}
		for _, d := range all {
			if d["referee_id"] == id {
				d["referrer"] = p.nameOf(d["referrer_id"])
				got = append(got, d)
			}
		}
		p.match("decisions about "+who.Value, want, got)
	}
	return nil
}

func checkCodes(p *play, n *yaml.Node) error {
	for name, want := range members(n) {
		code := p.saved[name.Value]
		if code == nil {
			return fmt.Errorf("no code is called %s", name.Value)
		}
		a, err := p.api.read(p.ctx, "/v1/codes/"+code.str("id"))
		if err != nil {
			return err
		}
		p.match("code "+name.Value, want, a.body)
	}
	return nil
}

func checkPeople(p *play, n *yaml.Node) error {
	for who, want := range members(n) {
		id, err := p.id(who.Value)
		if err != nil {
			return err
		}
		a, err := p.api.read(p.ctx, "/v1/participants/"+id)
		if err != nil {
			return err
		}
		p.match(who.Value, want, a.body)
	}
	return nil
}

func checkStatistics(p *play, n *yaml.Node) error {
	totals, err := p.totals()
	if err == nil {
		p.match("statistics", n, map[string]any(totals))
	}
	return err
}

// checkCounts counts what the program has.
func checkCounts(p *play, n *yaml.Node) error {
	for name, want := range members(n) {
		got := 0
		switch name.Value {
		case "rewards":
			all, err := p.everyReward()
			if err != nil {
				return err
			}
			got = len(all)
		case "signups", "referrals", "decisions", "conversions", "clicks":
			all, err := p.ofProgram("/v1/" + name.Value)
			if err != nil {
				return err
			}
			got = len(all)
		default:
			return fmt.Errorf("%s are not counted; counted are signups, referrals, decisions, conversions, clicks, rewards", name.Value)
		}
		if expected, err := number(want); err != nil || got != expected {
			p.fail(want.Line, "number of "+name.Value, want.Value, strconv.Itoa(got))
		}
	}
	return nil
}
