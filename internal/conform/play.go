package conform

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"
)

// play is one telling of a situation.
type play struct {
	*Situation
	ctx   context.Context
	api   *api
	clock *clock
	slug  string // of the workspace
	order []int  // of the any_order group; nil as the file has it
	label string // which of several orders this is

	run      string // makes the names of this telling its own
	began    time.Time
	program  *answer
	rules    *yaml.Node
	ids      map[string]string // participants by name; empty until asked for
	saved    map[string]*answer
	coins    map[string]string // what the currencies of the file stand for
	orders   map[any]any       // names by id of the conversion
	versions map[any]any       // numbers by id
	failures []Failure
}

// Failure is something that did not come out as told.
type Failure struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Order    string `json:"order,omitempty"`
	What     string `json:"what"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

func (f Failure) String() string {
	order := ""
	if f.Order != "" {
		order = " (" + f.Order + ")"
	}
	return fmt.Sprintf("%s:%d: %s%s: expected %s, got %s", f.File, f.Line, f.What, order, f.Expected, f.Got)
}

func (p *play) fail(line int, what, expected, got string) {
	p.failures = append(p.failures, Failure{File: p.File, Line: line, Order: p.label, What: what, Expected: expected, Got: got})
}

// stopped ends a play that cannot go on.
type stopped struct {
	line int
	err  error
}

func (p *play) stop(line int, format string, args ...any) {
	panic(stopped{line, fmt.Errorf(format, args...)})
}

// tell plays the situation from its beginning.
func (p *play) tell() {
	defer func() {
		if v := recover(); v != nil {
			s, ours := v.(stopped)
			if !ours {
				panic(v)
			}
			p.fail(s.line, "the story goes on", "an answer that it can go on with", s.err.Error())
		}
	}()
	p.run, p.ids, p.saved, p.versions = digits(), map[string]string{}, map[string]*answer{}, map[any]any{}
	p.until(0, p.began)
	p.pickCurrencies()
	p.give()
	for _, s := range p.when {
		p.take(s)
	}
	p.check(p.then)
	p.standing()
}

// digits are ten random ones: no word can be among them that a code may not have.
func digits() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1e10)) // crypto/rand does not fail
	return fmt.Sprintf("%010d", n)
}

func (p *play) until(line int, t time.Time) {
	if err := p.clock.until(p.ctx, t); err != nil {
		p.stop(line, "%w", err)
	}
}

// must sends a request of the story's beginning, whose refusal ends it.
func (p *play) must(line int, r request) *answer {
	a := p.ask(line, r)
	if a.status >= 300 {
		p.stop(line, "%s %s answered %v", r.method, r.path, a)
	}
	return a
}

func (p *play) ask(line int, r request) *answer {
	if r.key == "" {
		r.key = uuid.NewString()
	}
	a, err := p.api.send(p.ctx, r)
	if err != nil {
		p.stop(line, "%w", err)
	}
	return a
}

// at is the moment of an offset; the present without one.
func (p *play) at(o *offset) time.Time {
	if o == nil {
		return p.clock.present()
	}
	return o.from(p.began)
}

// arrive waits until a step can arrive: when it was sent, or as soon as it has happened.
func (p *play) arrive(steps ...step) {
	for _, s := range steps {
		o := s.sent
		if o == nil {
			o = s.at
		}
		p.until(s.line, p.at(o))
	}
}

// take does one step, or the steps of a group.
func (p *play) take(s step) {
	switch s.verb {
	case "clock":
		p.arrive(s)
	case "check":
		p.arrive(s)
		p.check(s.args)
	case together:
		p.arrive(s.steps...)
		p.atOnce(s)
	case anyOrder:
		p.arrive(s.steps...)
		order := p.order
		for _, i := range order {
			inner := s.steps[i]
			inner.expect = nil // what is answered depends on the order; what is so in the end does not
			p.one(inner)
		}
	default:
		p.arrive(s)
		for range s.times {
			p.one(s)
		}
	}
}

// one does a single step and holds its answer against what is expected.
func (p *play) one(s step) {
	r := p.prepare(s)
	a := p.ask(s.line, r)
	p.keep(s, a)
	p.expected(s, a)
}

func (p *play) prepare(s step) request {
	r := verbs[s.verb](p, newArgs(p, s))
	if r.method == http.MethodPost {
		r.key = uuid.NewString()
		if s.key != "" {
			r.key = p.my(s.key)
		}
	}
	return r
}

func (p *play) keep(s step, a *answer) {
	for _, name := range []string{s.as, p.own(s)} {
		if name != "" && a.status < 400 {
			p.save(s.line, name, a)
		}
	}
}

// own is the name under which the answer to a fact with a reference is kept unless `as` says more.
func (p *play) own(s step) string {
	for _, field := range []string{"order", "ref"} {
		if n := member(s.args, field); n != nil && (field == "ref" || member(s.args, "ref") == nil && isConversion(s.verb)) {
			return n.Value
		}
	}
	return ""
}

func (p *play) expected(s step, a *answer) {
	if s.expect == nil {
		if a.status >= 300 {
			p.fail(s.line, s.verb, "an answer that accepts it", a.String())
		}
		return
	}
	if s.expect.Kind == yaml.MappingNode && member(s.expect, "status") == nil && a.status >= 300 {
		p.fail(s.line, s.verb, "an answer that accepts it", a.String())
		return
	}
	p.match(s.verb, s.expect, p.seen(s, a))
}

// told is the order of a play in words.
func (s *Situation) told(order []int) string {
	for _, group := range s.when {
		if group.verb != anyOrder {
			continue
		}
		var names []string
		for _, i := range order {
			inner := group.steps[i]
			names = append(names, strings.TrimSpace(inner.verb+" "+leadOf(inner)))
		}
		return "in the order " + strings.Join(names, ", ")
	}
	return ""
}

func leadOf(s step) string {
	for _, field := range []string{"ref", "order", "who"} {
		if n := member(s.args, field); n != nil {
			return n.Value
		}
	}
	return ""
}
