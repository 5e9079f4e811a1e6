package conform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Fault is something wrong in a file, before anything is played.
type Fault struct {
	File string
	Line int
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// file reads one YAML file strictly: what it does not know is a fault with its line.
type file struct{ name string }

func (f file) fault(n *yaml.Node, format string, args ...any) error {
	return &Fault{f.name, n.Line, fmt.Sprintf(format, args...)}
}

// root parses the text and checks what YAML allows and a situation does not: names told twice, anchors, fractions.
func (f file) root(text []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, &Fault{f.name, 1, "the file is no mapping"}
	}
	return document.Content[0], f.check(document.Content[0])
}

func (f file) check(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return f.fault(n, "anchors and aliases are not understood")
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" {
		return f.fault(n, "%s is a fraction; amounts are whole minor units", n.Value)
	}
	var names []string
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if slices.Contains(names, child.Value) {
				return f.fault(child, "%q is told twice", child.Value)
			}
			names = append(names, child.Value)
		}
		if err := f.check(child); err != nil {
			return err
		}
	}
	return nil
}

// fields hands every member of a mapping to the reader of its name.
func (f file) fields(n *yaml.Node, readers map[string]func(*yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return f.fault(n, "a mapping is expected here")
	}
	for name, value := range members(n) {
		read, ok := readers[name.Value]
		if !ok {
			return f.fault(name, "%q is not known here; known are %s", name.Value, known(readers))
		}
		if err := read(value); err != nil {
			if _, ours := errors.AsType[*Fault](err); ours {
				return err
			}
			return f.fault(value, "%s: %v", name.Value, err)
		}
	}
	return nil
}

func known(readers map[string]func(*yaml.Node) error) string {
	var names []string
	for name := range readers {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// members are the names and values of a mapping in the order of the file.
func members(n *yaml.Node) func(func(name, value *yaml.Node) bool) {
	return func(yield func(name, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// member is the value of a name, nil when the mapping does not have it.
func member(n *yaml.Node, name string) *yaml.Node {
	for k, v := range members(n) {
		if k.Value == name {
			return v
		}
	}
	return nil
}

// into makes readers of single values.
func into[T any](target *T, parse func(*yaml.Node) (T, error)) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		v, err := parse(n)
		*target = v
		return err
	}
}

func text(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return "", errors.New("a text is expected here")
	}
	return n.Value, nil
}

func truth(n *yaml.Node) (bool, error) {
	if n.ShortTag() != "!!bool" {
		return false, errors.New("true or false is expected here")
	}
	return n.Value == "true", nil
}

func number(n *yaml.Node) (int, error) {
	v, err := strconv.Atoi(n.Value)
	if n.ShortTag() != "!!int" || err != nil {
		return 0, errors.New("a whole number is expected here")
	}
	return v, nil
}

func whole(n *yaml.Node) (*yaml.Node, error) { return n, nil }

func mapping(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("a mapping is expected here")
	}
	return n, nil
}

func moment(n *yaml.Node) (*offset, error) {
	o, err := parseOffset(n.Value)
	return &o, err
}

// merged lays one mapping over another: mappings are merged, null takes a member away, everything else replaces.
func merged(under, over *yaml.Node) *yaml.Node {
	if under == nil || over == nil || under.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		if over == nil {
			return under
		}
		return over
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: over.Line}
	for name, value := range members(under) {
		if above := member(over, name.Value); above == nil || above.ShortTag() != "!!null" {
			out.Content = append(out.Content, name, merged(value, above))
		}
	}
	for name, value := range members(over) {
		if member(under, name.Value) == nil {
			out.Content = append(out.Content, name, value)
		}
	}
	return out
}
