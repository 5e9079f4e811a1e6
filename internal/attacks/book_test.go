package attacks

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/grapevine-referrals/grapevine/gen"
)

//go:embed attacks.yaml
var bookText []byte

// book is attacks.yaml.
type book struct {
	Kinds      map[string]string
	Names      map[string]string
	Recipes    map[string]recipe
	Rows       []row
	operations []*operation
}

// recipe is a valid request of an operation.
type recipe struct {
	As      string
	Target  string // instead of the contract's path
	Path    map[string]string
	Query   map[string]string
	Headers []string
	Body    any
}

// row is one attack.
type row struct {
	ID        string
	What      string
	Later     string // why nothing is tried: what it attacks is not there yet, or it is tried elsewhere
	Unchanged string // W unless said
	Run       string // a program
	With      map[string]string
	Cases     []try
}

// try is a request, or one for each operation, place and value that it names, and what must come back.
type try struct {
	Name      string
	On        string // operations: ids or sets, with commas between; a minus takes away
	As        string
	Method    string
	Target    string
	Query     string // instead of the recipe's
	Headers   []string
	At        string // places whose value is set
	Value     string // raw JSON text; =above, =below, =longer, =wider go by the place's schema
	Body      *string
	Head      string // before the body
	Append    string // members before the end of the body's object
	Tail      string // after the body
	Raw       string // the whole request, as bytes on a connection of its own
	Each      []string
	Unchanged string

	Status  any // a number or several
	Code    string
	Header  map[string]string // names and regular expressions
	Matches string            // regular expression for the body
	Closed  bool              // the connection ends with the answer
}

func readBook(text, contract []byte) (*book, error) {
	b := &book{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(b); err != nil {
		return nil, fmt.Errorf("attacks.yaml: %w", err)
	}
	var err error
	b.operations, err = readContract(contract)
	return b, err
}

func theBook() (*book, error) { return readBook(bookText, gen.OpenAPIJSON) }

// faults lists what is not tried: rows without an implementation, programs without a row, operations without a recipe, ids and
// names that the generators cannot fill.
func (b *book) faults(programs []string) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	used, ids := map[string]bool{}, map[string]bool{}
	for _, r := range b.Rows {
		ways := 0
		for _, way := range []bool{r.Later != "", r.Run != "", len(r.Cases) > 0} {
			if way {
				ways++
			}
		}
		used[r.Run] = true
		switch {
		case ways == 0 || r.Later != "" && ways > 1 || r.What == "":
			add("row %s says neither what is tried nor why nothing is", r.ID)
		case ids[r.ID]:
			add("row %s stands there twice", r.ID)
		case r.Run != "" && !slices.Contains(programs, r.Run):
			add("row %s has the program %s, which does not exist", r.ID, r.Run)
		case !slices.Contains([]string{"", "W", "V", "L", "A", "-"}, r.Unchanged):
			add("row %s wants %s unchanged", r.ID, r.Unchanged)
		}
		ids[r.ID] = true
		for i, t := range r.Cases {
			if fault := b.checkTry(t); fault != "" {
				add("row %s, case %d: %s", r.ID, i, fault)
			}
		}
	}
	for _, p := range programs {
		if !used[p] {
			add("the program %s has no row", p)
		}
	}
	return append(out, b.gaps()...)
}

func (b *book) checkTry(t try) string {
	_, err := b.selectOperations(t.On)
	switch {
	case t.Status == nil:
		return "no status"
	case t.Raw == "" && t.Target == "" && t.On == "":
		return "nothing is sent"
	case t.On != "" && err != nil:
		return err.Error()
	}
	return ""
}

// gaps lists what of the contract the generators cannot fill.
func (b *book) gaps() []string {
	var out []string
	known := map[string]bool{}
	for _, o := range b.operations {
		known[o.id] = true
		if _, ok := b.Recipes[o.id]; !ok {
			out = append(out, "the operation "+o.id+" has no recipe")
		}
		for _, p := range o.places() {
			known[p.String()] = true
			if p.schema.Format == "uuid" && b.kindOf(p) == "" {
				out = append(out, fmt.Sprintf("what %s names is not among the kinds", p))
			}
			if p.schema.Format == "" && namesSomething(p) && b.Names[p.String()] == "" {
				out = append(out, fmt.Sprintf("what %s names is not among the names", p))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Names)) {
		if !known[name] {
			out = append(out, "the contract has no "+name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.Recipes)) {
		if !known[id] {
			out = append(out, "the contract has no operation "+id)
		}
	}
	return out
}

func (b *book) kindOf(p place) string {
	if kind := b.Kinds[p.op.id+" "+p.name]; kind != "" {
		return kind
	}
	return b.Kinds[p.name]
}

// namesSomething says whether a text is one by which things are found.
func namesSomething(p place) bool {
	if p.op.key == "none" || p.op.key == "operator" {
		return false
	}
	return strings.HasSuffix(p.name, "external_id") || slices.Contains([]string{"code", "visitor_id", "email"}, p.name) ||
		p.name == "value" && p.schema.Type.Is("string")
}

func (b *book) operation(id string) *operation {
	for _, o := range b.operations {
		if o.id == id {
			return o
		}
	}
	return nil
}

// selectOperations reads a list of ids and sets.
func (b *book) selectOperations(on string) ([]*operation, error) {
	var out []*operation
	for word := range strings.SplitSeq(on, ",") {
		word, less := strings.CutPrefix(strings.TrimSpace(word), "-")
		match := sets[word]
		if match == nil {
			if b.operation(word) == nil {
				return nil, fmt.Errorf("there is no operation and no set %q", word)
			}
			match = func(o *operation) bool { return o.id == word }
		}
		if less {
			out = slices.DeleteFunc(out, match)
			continue
		}
		for _, o := range b.operations {
			if match(o) && !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q is no operation at all", on)
	}
	return out, nil
}
