package conform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

var reference = regexp.MustCompile(`\$\{([^}]+)\}`)

// value turns what a file says into what is sent: offsets become moments, ${name.path} what the name stands for.
func (p *play) value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for name, v := range members(n) {
			out[name.Value] = p.value(v)
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, v := range n.Content {
			out = append(out, p.value(v))
		}
		return out
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		return json.Number(strings.ReplaceAll(n.Value, "_", ""))
	}
	return p.text(n.Line, n.Value)
}

func (p *play) text(line int, s string) any {
	if isOffset(s) {
		o, err := parseOffset(s)
		if err != nil {
			p.stop(line, "%w", err)
		}
		return o.from(p.began).Format(time.RFC3339Nano)
	}
	if coin, ok := p.coins[s]; ok {
		return coin
	}
	if whole := reference.FindString(s); whole == s && s != "" {
		return p.refersTo(line, s[2:len(s)-1])
	}
	return reference.ReplaceAllStringFunc(s, func(part string) string {
		return fmt.Sprint(p.refersTo(line, part[2:len(part)-1]))
	})
}

func (p *play) refersTo(line int, what string) any {
	if what == "run" {
		return p.run
	}
	if what == "slug" {
		return p.slug
	}
	if isOffset(what) {
		return p.text(line, what)
	}
	name, path, _ := strings.Cut(what, ".")
	if a := p.saved[name]; a != nil {
		if v := a.get(path); v != nil {
			return v
		}
		p.stop(line, "%s has no %s: %v", name, path, a)
	}
	if _, person := p.ids[name]; !person {
		p.stop(line, "${%s}: nothing is called %s so far", what, name)
	}
	if path != "id" {
		return p.my(name)
	}
	id, err := p.id(name)
	if err != nil {
		p.stop(line, "${%s}: %w", what, err)
	}
	return id
}

// lengths is value, with lengths such as 90d where the contract wants seconds.
func (p *play) lengths(name string, n *yaml.Node) any {
	switch {
	case n.Kind == yaml.MappingNode:
		out := map[string]any{}
		for field, v := range members(n) {
			out[field.Value] = p.lengths(field.Value, v)
		}
		return out
	case n.Kind == yaml.SequenceNode:
		out := []any{}
		for _, v := range n.Content {
			out = append(out, p.lengths(name, v))
		}
		return out
	case strings.HasSuffix(name, "_seconds"):
		if s, ok := seconds(n.Value); ok {
			return s
		}
	}
	return p.value(n)
}

// document makes the rules of a program version: rewards and milestones are told by key, so that a file can change one of them.
func (p *play) document(rules *yaml.Node) map[string]any {
	out := map[string]any{}
	for name, v := range members(rules) {
		keyed := (name.Value == "rewards" || name.Value == "milestones") && v.Kind == yaml.MappingNode
		if !keyed {
			out[name.Value] = p.lengths(name.Value, v)
			continue
		}
		list := []any{}
		for key, entry := range members(v) {
			if e, ok := p.lengths("", entry).(map[string]any); ok { // null takes it away
				e["key"] = key.Value
				list = append(list, e)
			}
		}
		out[name.Value] = list
	}
	return out
}
