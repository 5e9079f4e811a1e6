package conform

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Situation is a file of the pack: what is given, what happens, and what must be so then.
type Situation struct {
	Key       string // the file's name without its ending
	File      string
	Name      string
	Why       string
	Scenarios []int

	begins beginning
	alone  bool // needs a workspace for itself

	program  *yaml.Node // what the program is made of, the fixture merged in
	digits   []currency // of currencies that stand for others
	people   []person
	codes    []givenCode
	referred []referred
	when     []step
	then     *yaml.Node
}

type person struct {
	line    int
	name    string
	details *yaml.Node // nil: known by its name alone
}

type givenCode struct {
	line     int
	name, of string
	details  *yaml.Node
}

type referred struct {
	line    int
	who, by string
}

// step is one thing that happens, or a group of them.
type step struct {
	line     int
	verb     string
	args     *yaml.Node
	at, sent *offset
	as       string
	key      string // name of an Idempotency-Key that steps share
	times    int
	expect   *yaml.Node
	steps    []step // of a group
	alike    bool   // all answers of the group are the same, byte for byte
}

// The groups.
const (
	together = "together"
	anyOrder = "any_order"
)

// maxOrders is how many orders of a group are told; of more, as many are taken evenly.
const maxOrders = 120

// Load reads every situation of a folder, fixtures from its folder fixtures, sorted by name.
func Load(pack fs.FS) ([]*Situation, error) {
	names, err := fs.Glob(pack, "*.yaml")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []*Situation
	var faults []error
	for _, name := range names {
		s, err := read(pack, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, s)
	}
	if len(names) == 0 {
		return nil, errors.New("there is no situation here (*.yaml)")
	}
	return all, errors.Join(faults...)
}

func read(pack fs.FS, name string) (*Situation, error) {
	raw, err := fs.ReadFile(pack, name)
	if err != nil {
		return nil, err
	}
	f := file{name}
	root, err := f.root(raw)
	if err != nil {
		return nil, err
	}
	s := &Situation{Key: strings.TrimSuffix(path.Base(name), ".yaml"), File: name, begins: anyBeginning}
	var given *yaml.Node
	err = f.fields(root, map[string]func(*yaml.Node) error{
		"name":      into(&s.Name, text),
		"why":       into(&s.Why, text),
		"scenarios": func(n *yaml.Node) error { return n.Decode(&s.Scenarios) },
		"begins":    func(n *yaml.Node) (err error) { s.begins, err = parseBeginning(n.Value); return err },
		"alone":     into(&s.alone, truth),
		"given":     into(&given, mapping),
		"when":      into(&s.when, f.steps),
		"then":      func(n *yaml.Node) error { s.then = n; return f.checks(n) },
	})
	switch {
	case err != nil:
		return nil, err
	case s.Name == "" || given == nil || s.when == nil || s.then == nil:
		return nil, f.fault(root, "a situation has name, given, when and then")
	}
	return s, f.given(pack, s, given)
}

func (f file) given(pack fs.FS, s *Situation, n *yaml.Node) error {
	var uses string
	err := f.fields(n, map[string]func(*yaml.Node) error{
		"uses":       into(&uses, text),
		"program":    into(&s.program, mapping),
		"currencies": into(&s.digits, f.currencies),
		"people":     into(&s.people, f.people),
		"codes":      into(&s.codes, f.codes),
		"referred":   into(&s.referred, f.referred),
	})
	if err != nil || uses == "" {
		return err
	}
	fixture, err := fs.ReadFile(pack, "fixtures/"+uses+".yaml")
	if err != nil {
		return f.fault(n, "the fixture %s cannot be read: %v", uses, err)
	}
	under, err := file{"fixtures/" + uses + ".yaml"}.root(fixture)
	if err != nil {
		return err
	}
	s.program = merged(under, s.program)
	return nil
}

func (f file) people(n *yaml.Node) (out []person, err error) {
	for _, name := range n.Content {
		if n.Kind == yaml.SequenceNode {
			out = append(out, person{name.Line, name.Value, nil})
		}
	}
	for name, details := range members(n) {
		out = append(out, person{name.Line, name.Value, details})
	}
	return out, nil
}

func (f file) codes(n *yaml.Node) (out []givenCode, err error) {
	for name, v := range members(n) {
		c := givenCode{line: name.Line, name: name.Value, of: v.Value}
		if v.Kind == yaml.MappingNode {
			of := member(v, "of")
			if of == nil {
				return nil, f.fault(v, "the code lacks `of`, its owner")
			}
			c.of, c.details = of.Value, v
		}
		out = append(out, c)
	}
	return out, nil
}

func (f file) referred(n *yaml.Node) (out []referred, err error) {
	for who, by := range members(n) {
		out = append(out, referred{who.Line, who.Value, by.Value})
	}
	return out, nil
}

func (f file) steps(n *yaml.Node) ([]step, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, errors.New("a list of steps is expected here")
	}
	out := []step{}
	groups := 0
	for _, child := range n.Content {
		s, err := f.step(child)
		if err != nil {
			return nil, err
		}
		if s.verb == anyOrder {
			groups++
		}
		if groups > 1 {
			return nil, f.fault(child, "a situation has at most one %s", anyOrder)
		}
		out = append(out, s)
	}
	return out, nil
}

func (f file) step(n *yaml.Node) (step, error) {
	s := step{line: n.Line, times: 1}
	readers := map[string]func(*yaml.Node) error{
		"at": into(&s.at, moment), "sent": into(&s.sent, moment), "as": into(&s.as, text), "key": into(&s.key, text),
		"times": into(&s.times, number), "expect": into(&s.expect, whole), "alike": into(&s.alike, truth),
	}
	one := func(verb string, read func(*yaml.Node) error) {
		readers[verb] = func(n *yaml.Node) error {
			if s.verb != "" {
				return f.fault(n, "one step is one thing, not %s and %s", s.verb, verb)
			}
			s.verb = verb
			return read(n)
		}
	}
	for verb := range verbs {
		one(verb, into(&s.args, whole))
	}
	one("clock", into(&s.at, moment))
	one("check", func(n *yaml.Node) error { s.args = n; return f.checks(n) })
	one(together, into(&s.steps, f.steps))
	one(anyOrder, into(&s.steps, f.steps))
	if err := f.fields(n, readers); err != nil {
		return s, err
	}
	if s.verb == "" {
		return s, f.fault(n, "the step says nothing that happens")
	}
	for _, inner := range s.steps {
		if inner.verb == together || inner.verb == anyOrder || inner.verb == "check" || inner.verb == "clock" {
			return s, &Fault{f.name, inner.line, fmt.Sprintf("%s cannot stand inside %s", inner.verb, s.verb)}
		}
	}
	return s, nil
}

// checks reads a `then` for names that are not known, so that no check is silently left out.
func (f file) checks(n *yaml.Node) error {
	readers := map[string]func(*yaml.Node) error{}
	for name := range checks {
		readers[name] = func(*yaml.Node) error { return nil }
	}
	return f.fields(n, readers)
}

// orders are the orders in which the any_order group of the situation is told; one nil order when it has none.
func (s *Situation) orders() [][]int {
	for _, st := range s.when {
		if st.verb == anyOrder {
			return permutations(len(st.steps))
		}
	}
	return [][]int{nil}
}

// permutations are the orders of n things, the first as given, at most maxOrders.
func permutations(n int) [][]int {
	all := [][]int{{}}
	for i := range n {
		var longer [][]int
		for _, p := range all {
			for at := len(p); at >= 0; at-- {
				longer = append(longer, slices.Insert(slices.Clone(p), at, i))
			}
		}
		all = longer
	}
	if len(all) <= maxOrders {
		return all
	}
	var some [][]int
	for i := range maxOrders {
		some = append(some, all[i*len(all)/maxOrders])
	}
	return some
}
