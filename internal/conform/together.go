package conform

import (
	"sync"

	"gopkg.in/yaml.v3"
)

// atOnce sends the steps of a group at the same moment, and holds all answers against what is expected of them, in any order.
func (p *play) atOnce(group step) {
	var steps []step
	for _, s := range group.steps {
		for range s.times {
			steps = append(steps, s)
		}
	}
	requests := make([]request, len(steps))
	for i, s := range steps {
		requests[i] = p.prepare(s)
	}
	answers, errs := make([]*answer, len(steps)), make([]error, len(steps))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, r := range requests {
		done.Go(func() {
			start.Wait()
			answers[i], errs[i] = p.api.send(p.ctx, r)
		})
	}
	start.Done()
	done.Wait()
	var seen []any
	for i, s := range steps {
		if errs[i] != nil {
			p.stop(s.line, "%w", errs[i])
		}
		p.keep(s, answers[i])
		seen = append(seen, p.seen(s, answers[i]))
		if group.expect == nil || s.expect != nil {
			p.expected(s, answers[i])
		}
		if group.alike && answers[i].raw != answers[0].raw {
			p.fail(group.line, together, "the same answer to all", answers[0].String()+" and "+answers[i].String())
		}
	}
	if group.expect != nil {
		p.match(together, repeated(group.expect), seen)
	}
}

// repeated writes out the entries of a list that are told once with `times`.
func repeated(list *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.SequenceNode, Line: list.Line}
	for _, entry := range list.Content {
		n := 1
		if times := member(entry, "times"); times != nil {
			n, _ = number(times)
			entry = merged(entry, &yaml.Node{Kind: yaml.MappingNode, Line: entry.Line, Content: []*yaml.Node{
				{Kind: yaml.ScalarNode, Value: "times"}, {Kind: yaml.ScalarNode, Tag: "!!null"},
			}})
		}
		for range n {
			out.Content = append(out.Content, entry)
		}
	}
	return out
}
