package conform

import "gopkg.in/yaml.v3"

// give makes what is given: people, program, codes, referrals.
func (p *play) give() {
	for _, who := range p.people {
		body := map[string]any{}
		if who.details != nil {
			body, _ = p.value(who.details).(map[string]any)
		}
		body["external_id"] = p.person(who.name)
		p.must(who.line, request{method: "POST", path: "/v1/participants", body: body})
	}
	p.makeProgram()
	for _, c := range p.codes {
		p.makeCode(c.line, c.name, c.of, c.details)
	}
	for _, r := range p.referred {
		p.refer(r)
	}
}

func (p *play) makeProgram() {
	body := map[string]any{"name": p.Name, "currency": "USD", "landing_url": "https://shop.example/welcome"}
	line := 1
	if p.Situation.program != nil {
		line = p.Situation.program.Line
		p.rules = member(p.Situation.program, "rules")
		for name, v := range members(p.Situation.program) {
			if name.Value != "rules" {
				body[name.Value] = p.lengths(name.Value, v)
			}
		}
	}
	body["rules"] = p.document(p.rules)
	p.program = p.must(line, request{method: "POST", path: "/v1/programs", body: body})
	p.saved["program"] = p.program
	p.must(line, request{method: "POST", path: "/v1/programs/" + p.program.str("id") + "/activate"})
}

func (p *play) makeCode(line int, name, of string, details *yaml.Node) *answer {
	body := map[string]any{}
	for field, v := range members(details) {
		if field.Value != "of" {
			body[field.Value] = p.value(v)
		}
	}
	body["program_id"], body["participant_external_id"] = p.program.str("id"), p.person(of)
	a := p.ask(line, request{method: "POST", path: "/v1/codes", body: body})
	if a.status < 300 {
		p.save(line, name, a)
	}
	return a
}

// refer has somebody join by a code of somebody else, at the beginning.
func (p *play) refer(r referred) {
	own := "code of " + r.by
	if p.saved[own] == nil {
		p.makeCode(r.line, own, r.by, nil)
	}
	a := p.must(r.line, request{method: "POST", path: "/v1/signups", body: map[string]any{
		"program_id": p.program.str("id"), "referee_external_id": p.person(r.who), "external_id": p.my("joined-" + r.who),
		"code": p.saved[own].str("value"), "occurred_at": p.began,
	}})
	if a.get("attributed") != true {
		p.stop(r.line, "%s is not referred by %s: %v", r.who, r.by, a)
	}
}
