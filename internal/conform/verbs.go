package conform

import (
	"net/http"
	"time"

	"github.com/google/uuid"
)

// browser is a user agent that is no crawler's.
const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// verb makes the request of a step. Whatever members of the step it does not take are members of the body, so that a file can say
// everything that the contract knows.
type verb func(p *play, a *args) request

var verbs map[string]verb

func init() { // the verbs look up each other's names
	verbs = map[string]verb{
		"click":         clicks,
		"visit":         visits,
		"signup":        signsUp,
		"purchase":      converts("purchase"),
		"renewal":       converts("renewal"),
		"conversion":    converts(""),
		"refund":        reverses("refund"),
		"chargeback":    reverses("chargeback"),
		"reversal":      reverses(""),
		"dispute_won":   winsDispute,
		"churn":         departs("/v1/churns"),
		"reactivation":  departs("/v1/reactivations"),
		"code":          createsCode,
		"disable":       changesCode("disable"),
		"enable":        changesCode("enable"),
		"retire":        changesCode("retire"),
		"suspend":       judges("suspend"),
		"reinstate":     judges("reinstate"),
		"ban":           judges("ban"),
		"refer":         refers,
		"reject":        changesReferral("reject"),
		"reattribute":   changesReferral("reattribute"),
		"hold":          changesReward("hold"),
		"release":       changesReward("release"),
		"cancel":        changesReward("cancel"),
		"gift":          gives,
		"rate":          rates,
		"redeem":        redeems,
		"void":          voids,
		"payout_policy": setsPolicy,
		"payout_run":    runsPayouts,
		"payout":        movesPayout,
		"program":       changesProgram,
		"publish":       publishes,
		"simulate":      simulates,
		"get":           gets,
		"post":          sends(http.MethodPost),
		"put":           sends(http.MethodPut),
		"patch":         sends(http.MethodPatch),
	}
}

func post(path string, body any) request {
	return request{method: http.MethodPost, path: path, body: body}
}

// code adds the code of a step: one of the story, or one typed as it stands.
func (a *args) code(b map[string]any) {
	if n := a.take("typed"); n != nil {
		b["code"] = a.p.value(n)
	} else if a.left["code"] != nil || a.only != nil {
		b["code"] = a.thing("code").str("value")
	}
}

func clicks(_ *play, a *args) request {
	b := map[string]any{"user_agent": browser, "visitor_id": uuid.NewString()}
	if n := a.take("visitor"); n != nil {
		b["visitor_id"] = a.p.my(n.Value)
	}
	a.code(b)
	return post("/v1/clicks", a.fact(b))
}

func visits(p *play, a *args) request {
	return request{method: http.MethodGet, path: "/r/" + p.slug + "/" + a.thing("code").str("value")}
}

func signsUp(p *play, a *args) request {
	who := a.name("who")
	b := map[string]any{"program_id": p.program.str("id"), "referee_external_id": p.person(who), "external_id": p.my(a.optional("ref", uuid.NewString()))}
	a.code(b)
	if list := a.take("clicks"); list != nil {
		ids := []any{}
		for _, n := range list.Content {
			click := p.saved[n.Value]
			if click == nil {
				p.stop(n.Line, "no click is called %s so far", n.Value)
			}
			ids = append(ids, click.get("id"))
		}
		b["click_ids"] = ids
	}
	if n := a.take("visitor"); n != nil {
		b["visitor_id"] = p.my(n.Value)
	}
	return post("/v1/signups", a.fact(b))
}

// source is the system that the orders of a story come from.
const source = "shop"

func isConversion(verb string) bool {
	return verb == "purchase" || verb == "renewal" || verb == "conversion"
}

func converts(kind string) verb {
	return func(p *play, a *args) request {
		b := map[string]any{
			"program_id": p.program.str("id"), "referee_external_id": a.person("who"), "source": source, "external_id": p.my(a.name("order")),
			"currency": p.program.str("currency"),
		}
		if kind != "" {
			b["type"] = kind
		}
		return post("/v1/conversions", a.fact(b))
	}
}

func reverses(kind string) verb {
	return func(p *play, a *args) request {
		b := map[string]any{
			"source": source, "conversion_external_id": p.my(a.name("order")), "conversion_type": a.optional("type", "purchase"),
			"external_id": p.my(a.optional("ref", uuid.NewString())),
		}
		if kind != "" {
			b["kind"] = kind
		}
		return post("/v1/reversals", a.fact(b))
	}
}

func winsDispute(p *play, a *args) request {
	id := a.thing("about").str("reversal.id")
	return post("/v1/reversals/"+id+"/dispute-won", a.fact(map[string]any{"external_id": p.my(a.optional("ref", uuid.NewString()))}))
}

func departs(path string) verb {
	return func(p *play, a *args) request {
		b := map[string]any{"program_id": p.program.str("id"), "referee_external_id": a.person("who"), "external_id": p.my(a.optional("ref", uuid.NewString()))}
		return post(path, a.fact(b))
	}
}

func createsCode(p *play, a *args) request {
	return post("/v1/codes", a.body(map[string]any{"program_id": p.program.str("id"), "participant_external_id": a.person("of")}))
}

// withReason is the body of a change that wants to know why.
func (a *args) withReason() map[string]any {
	b := a.body(map[string]any{})
	if b["reason"] == nil {
		b["reason"] = "as the situation tells"
	}
	return b
}

func changesCode(action string) verb {
	return func(_ *play, a *args) request {
		path := "/v1/codes/" + a.thing("code").str("id") + "/" + action
		if action != "disable" {
			return post(path, nil)
		}
		return post(path, a.body(map[string]any{}))
	}
}

func judges(action string) verb {
	return func(_ *play, a *args) request {
		path := "/v1/participants/" + a.subject("who") + "/" + action
		return post(path, a.withReason())
	}
}

func refers(p *play, a *args) request {
	b := map[string]any{
		"program_id": p.program.str("id"), "referrer_external_id": a.person("by"), "referee_external_id": a.person("who"), "reason": "by hand",
	}
	return post("/v1/referrals", a.fact(b))
}

// changesReferral changes the newest referral of somebody.
func changesReferral(action string) verb {
	return func(p *play, a *args) request {
		who := a.name("who")
		found, err := p.referral(who)
		if err != nil || found == nil {
			p.stop(a.step.line, "%s has no referral to %s (%v)", who, action, err)
		}
		b := map[string]any{}
		a.code(b)
		for name, v := range a.withReason() {
			b[name] = v
		}
		return post("/v1/referrals/"+found["id"].(string)+"/"+action, b)
	}
}

// changesReward changes the reward of somebody by a rule, of an order if one is named.
func changesReward(action string) verb {
	return func(p *play, a *args) request {
		to, rule, order := a.name("to"), a.optional("rule", ""), a.optional("order", "")
		rewards, err := p.rewards(to)
		if err != nil {
			p.stop(a.step.line, "%w", err)
		}
		for _, r := range rewards {
			if (rule == "" || r["rule"] == rule) && (order == "" || r["order"] == order) {
				path := "/v1/rewards/" + r["id"].(string) + "/" + action
				if action == "release" {
					return post(path, nil)
				}
				return post(path, a.withReason())
			}
		}
		p.stop(a.step.line, "%s has no such reward to %s", to, action)
		return request{}
	}
}

func gives(p *play, a *args) request {
	b := map[string]any{
		"program_id": p.program.str("id"), "participant_external_id": a.person("to"), "currency": p.program.str("currency"), "kind": "money",
		"external_id": p.my(a.optional("ref", uuid.NewString())), "reason": "a gift",
	}
	return post("/v1/rewards", a.body(b))
}

// rates records what a unit of one currency is worth in another, from when it happened on.
func rates(p *play, a *args) request {
	b := map[string]any{"source": "desk"}
	for _, side := range []string{"from", "to"} {
		if n := a.take(side); n != nil {
			b[side+"_currency"] = p.value(n)
		}
	}
	b["effective_at"] = p.at(a.step.at).Format(time.RFC3339Nano)
	return post("/v1/exchange-rates", a.body(b))
}

func changesProgram(p *play, a *args) request {
	return post("/v1/programs/"+p.program.str("id")+"/"+a.name("to"), nil)
}

// publishes publishes a version: the rules so far with changes laid over them.
func publishes(p *play, a *args) request {
	p.rules = merged(p.rules, a.step.args)
	return post("/v1/programs/"+p.program.str("id")+"/versions", map[string]any{"rules": p.document(p.rules)})
}

// simulates tries a version without publishing it: the rules so far with changes laid over them.
func simulates(p *play, a *args) request {
	return post("/v1/programs/"+p.program.str("id")+"/simulations", map[string]any{"rules": p.document(merged(p.rules, a.step.args))})
}

func gets(p *play, a *args) request {
	path, _ := p.text(a.step.line, a.name("path")).(string)
	return request{method: http.MethodGet, path: path}
}

// sends sends any request: a path and a body.
func sends(method string) verb {
	return func(p *play, a *args) request {
		path, _ := p.text(a.step.line, a.name("path")).(string)
		r := request{method: method, path: path}
		if b := a.take("body"); b != nil {
			r.body = p.lengths("", b)
		}
		return r
	}
}
