package conform

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// my is a name as the server knows it.
func (p *play) my(name string) string { return name + "-" + p.run }

// person makes somebody known to the story and gives the external id.
func (p *play) person(name string) string {
	if _, there := p.ids[name]; !there {
		p.ids[name] = ""
	}
	return p.my(name)
}

// id is the id of somebody of whom the server has heard.
func (p *play) id(name string) (string, error) {
	id, known := p.ids[name]
	if !known {
		return "", fmt.Errorf("nobody in this situation is called %s", name)
	}
	if id == "" {
		a, err := p.api.read(p.ctx, "/v1/participants?external_id="+url.QueryEscape(p.my(name)))
		if err != nil {
			return "", err
		}
		if id = a.str("data.0.id"); id == "" {
			return "", fmt.Errorf("the server has never heard of %s", name)
		}
		p.ids[name] = id
	}
	return id, nil
}

// nameOf is the name of somebody by id; the id itself for strangers.
func (p *play) nameOf(id any) any {
	for _, name := range slices.Sorted(maps.Keys(p.ids)) {
		if known, err := p.id(name); err == nil && known == id {
			return name
		}
	}
	return id
}

// save keeps an answer under a name for ${name.path}.
func (p *play) save(line int, name string, a *answer) {
	if _, person := p.ids[name]; person || name == "run" {
		p.stop(line, "%s is a person already", name)
	}
	p.saved[name] = a
}

// referral is the newest referral of somebody, with the names of the story; nil when there is none.
func (p *play) referral(who string) (map[string]any, error) {
	id, err := p.id(who)
	if err != nil {
		return nil, err
	}
	all, err := p.api.list(p.ctx, "/v1/referrals", url.Values{"referee_id": {id}, "program_id": {p.program.str("id")}})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	newest := all[0]
	newest["referrer"], newest["referee"] = p.nameOf(newest["referrer_id"]), who
	newest["order"] = p.orderOf(newest["qualifying_conversion_id"])
	return newest, nil
}

// orderOf is the name of an order by the id of its conversion.
func (p *play) orderOf(id any) any {
	if _, known := p.orders[id]; id != nil && !known {
		all, err := p.ofProgram("/v1/conversions")
		if err != nil {
			return id
		}
		p.orders = map[any]any{}
		for _, c := range all {
			p.orders[c["id"]] = p.plain(fmt.Sprint(c["external_id"]))
		}
	}
	return p.orders[id]
}

// plain is a name of the server without what makes it this telling's own.
func (p *play) plain(name string) string {
	if n := len(name) - len(p.my("")); n > 0 && name[n:] == p.my("") {
		return name[:n]
	}
	return name
}

// rewards are all rewards of somebody in the program, newest first, with the names of the story.
func (p *play) rewards(who string) ([]map[string]any, error) {
	id, err := p.id(who)
	if err != nil {
		return nil, err
	}
	all, err := p.api.list(p.ctx, "/v1/rewards", url.Values{"participant_id": {id}})
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		r["to"], r["rule"], r["order"] = who, r["rule_key"], p.orderOf(r["conversion_id"])
		if r["version"], err = p.versionOf(r["program_version_id"]); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(r map[string]any) bool { return r["program_id"] != p.program.get("id") }), nil
}

// versionOf is the number of a version of the program by its id.
func (p *play) versionOf(id any) (any, error) {
	if _, known := p.versions[id]; id != nil && !known {
		a, err := p.api.read(p.ctx, "/v1/programs/"+p.program.str("id")+"/versions/"+fmt.Sprint(id))
		if err != nil {
			return nil, err
		}
		p.versions[id] = a.get("number")
	}
	return p.versions[id], nil
}

// everyReward are the rewards of all people of the story.
func (p *play) everyReward() ([]any, error) {
	out := []any{}
	for _, who := range p.known() {
		rewards, err := p.rewards(who)
		if err != nil {
			return nil, err
		}
		for _, r := range rewards {
			out = append(out, r)
		}
	}
	return out, nil
}
