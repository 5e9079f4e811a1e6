package conform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// difference is one place where an answer is not as expected.
type difference struct {
	line                int
	what, expected, got string
}

// match reports everything in which got is not as expected.
func (p *play) match(what string, expected *yaml.Node, got any) {
	for _, d := range p.differences(what, expected, got) {
		p.fail(d.line, d.what, d.expected, d.got)
	}
}

// differences holds a value against what is expected. Of a mapping, only the members that are named count, and a name may be a
// path with dots. Of a list, there are as many entries as expected, in any order. An offset is the moment that it stands for, null
// is null or nothing, and "*" is anything but null.
func (p *play) differences(what string, expected *yaml.Node, got any) []difference {
	here := func(e, g string) []difference { return []difference{{expected.Line, what, e, g}} }
	switch expected.Kind {
	case yaml.MappingNode:
		if _, object := got.(map[string]any); !object {
			return here(p.shown(expected), show(got))
		}
		var out []difference
		for name, v := range members(expected) {
			out = append(out, p.differences(what+"."+name.Value, v, walk(got, name.Value))...)
		}
		return out
	case yaml.SequenceNode:
		list, ok := got.([]any)
		if !ok {
			return here("a list", show(got))
		}
		return p.unordered(what, expected, list)
	}
	if expected.Value == "*" && got != nil {
		return nil
	}
	if want := p.value(expected); !same(want, got) {
		return here(show(want), show(got))
	}
	return nil
}

// unordered pairs expected entries with entries that fit, as many as can be at once.
func (p *play) unordered(what string, expected *yaml.Node, got []any) []difference {
	fits := make([][]bool, len(expected.Content))
	for i, e := range expected.Content {
		fits[i] = make([]bool, len(got))
		for j, g := range got {
			fits[i][j] = len(p.differences(what, e, g)) == 0
		}
	}
	taken := make([]int, len(got)) // which expected entry has it, plus 1
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for j := range got {
			if !fits[i][j] || tried[j] {
				continue
			}
			tried[j] = true
			if taken[j] == 0 || place(taken[j]-1, tried) {
				taken[j] = i + 1
				return true
			}
		}
		return false
	}
	var missing []*yaml.Node
	for i, e := range expected.Content {
		if !place(i, make([]bool, len(got))) {
			missing = append(missing, e)
		}
	}
	var rest []any
	for j, g := range got {
		if taken[j] == 0 {
			rest = append(rest, g)
		}
	}
	if len(missing) == 1 && len(rest) == 1 { // the difference itself says more
		return p.differences(what+"[]", missing[0], rest[0])
	}
	var out []difference
	for _, e := range missing {
		out = append(out, difference{e.Line, what, p.shown(e), "none of " + p.alike(e, rest)})
	}
	if len(missing) == 0 && len(rest) > 0 {
		out = append(out, difference{expected.Line, what, fmt.Sprintf("%d entries", len(expected.Content)), fmt.Sprintf("%d more: %s", len(rest), show(rest))})
	}
	return out
}

// alike shows of entries the members that an expected one names.
func (p *play) alike(expected *yaml.Node, entries []any) string {
	var out []any
	for _, e := range entries {
		part := map[string]any{}
		for name := range members(expected) {
			part[name.Value] = walk(e, name.Value)
		}
		if len(part) == 0 {
			out = append(out, e)
			continue
		}
		out = append(out, part)
	}
	return show(out)
}

func same(want, got any) bool {
	if a, ok := want.(string); ok {
		b, text := got.(string)
		if !text {
			return false
		}
		at, err := time.Parse(time.RFC3339Nano, a)
		bt, err2 := time.Parse(time.RFC3339Nano, b)
		return a == b || err == nil && err2 == nil && at.Equal(bt)
	}
	return show(want) == show(got)
}

// show writes a value for people.
func show(v any) string {
	if v == nil {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return shorten(string(text))
}

// shown writes what is expected for people.
func (p *play) shown(n *yaml.Node) string {
	if n.Kind != yaml.MappingNode {
		return show(p.value(n))
	}
	var parts []string
	for name, v := range members(n) {
		parts = append(parts, name.Value+": "+p.shown(v))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}
