package conform

import (
	"time"

	"gopkg.in/yaml.v3"
)

// args are the members of a step.
type args struct {
	p    *play
	step step
	left map[string]*yaml.Node
	only *yaml.Node // a step that is a single value
}

func newArgs(p *play, s step) *args {
	a := &args{p: p, step: s, left: map[string]*yaml.Node{}}
	if s.args.Kind == yaml.ScalarNode {
		a.only = s.args
	}
	for name, v := range members(s.args) {
		a.left[name.Value] = v
	}
	return a
}

// take removes a member and gives its value, nil when there is none.
func (a *args) take(name string) *yaml.Node {
	n := a.left[name]
	delete(a.left, name)
	return n
}

// name takes a member that must be there and is a name; a step that is a single value is that name.
func (a *args) name(field string) string {
	n := a.take(field)
	if n == nil {
		n = a.only
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		a.p.stop(a.step.line, "%s lacks %s", a.step.verb, field)
	}
	return n.Value
}

func (a *args) optional(field, otherwise string) string {
	if n := a.take(field); n != nil {
		return n.Value
	}
	return otherwise
}

// person takes somebody and gives the external id.
func (a *args) person(field string) string { return a.p.person(a.name(field)) }

// subject takes somebody and gives the id.
func (a *args) subject(field string) string {
	name := a.name(field)
	id, err := a.p.id(name)
	if err != nil {
		a.p.stop(a.step.line, "%w", err)
	}
	return id
}

// thing takes the name of something saved and gives it.
func (a *args) thing(field string) *answer {
	name := a.name(field)
	found := a.p.saved[name]
	if found == nil {
		a.p.stop(a.step.line, "nothing is called %s so far", name)
	}
	return found
}

// body adds what is left of the members to a body.
func (a *args) body(b map[string]any) map[string]any {
	for name, n := range a.left {
		b[name] = a.p.lengths(name, n)
	}
	return b
}

// fact is body with the moment at which it happened.
func (a *args) fact(b map[string]any) map[string]any {
	b["occurred_at"] = a.p.at(a.step.at).Format(time.RFC3339Nano)
	return a.body(b)
}
