package attacks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// operation is what an attack needs of an operation of the contract.
type operation struct {
	id, method, path string
	key, scope       string
	params           []*openapi3.Parameter
	body             *openapi3.Schema // nil: none
}

// readContract lists the operations, by id.
func readContract(text []byte) ([]*operation, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	var all []*operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o := &operation{id: op.OperationID, method: method, path: path}
			o.key, _ = op.Extensions["x-key"].(string)
			o.scope, _ = op.Extensions["x-scope"].(string)
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				o.params = append(o.params, p.Value)
			}
			if op.RequestBody != nil {
				o.body = op.RequestBody.Value.Content["application/json"].Schema.Value
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int { return cmp.Compare(a.id, b.id) })
	return all, nil
}

func (o *operation) has(in, name string) bool {
	return slices.ContainsFunc(o.params, func(p *openapi3.Parameter) bool { return p.In == in && p.Name == name })
}

// writes says that a key with nothing but read scopes may not do it.
func (o *operation) writes() bool {
	return !strings.HasSuffix(o.scope, ":read") && strings.Contains(o.scope, ":")
}

// sets are the operations that a row can go over.
var sets = map[string]func(o *operation) bool{
	"all":         func(*operation) bool { return true },
	"protected":   func(o *operation) bool { return o.key != "none" },
	"open":        func(o *operation) bool { return o.key == "none" },
	"publishable": func(o *operation) bool { return o.key == "publishable" },
	"secret":      func(o *operation) bool { return o.key == "secret" || o.key == "operator" },
	"scoped":      func(o *operation) bool { return strings.Contains(o.scope, ":") && o.key != "operator" },
	"writes":      (*operation).writes,
	"bodies":      func(o *operation) bool { return o.body != nil },
	"keyed":       func(o *operation) bool { return o.has(openapi3.ParameterInHeader, "Idempotency-Key") },
	"reads":       func(o *operation) bool { return o.method == "GET" && o.key != "none" },
	"lists":       func(o *operation) bool { return o.has(openapi3.ParameterInQuery, "cursor") },
	"bodiless":    func(o *operation) bool { return o.body == nil && o.key != "none" },
	"/v1":         func(o *operation) bool { return strings.HasPrefix(o.path, "/v1/") },
}

// place is something of a request that a sender chooses: a parameter, or a value in the body that is no object and no list.
type place struct {
	op     *operation
	in     string // path, query or body
	at     string // name of the parameter or JSON pointer
	name   string // of the parameter or of the property; that of the list for its items
	schema *openapi3.Schema
}

func (p place) String() string { return p.op.id + " " + p.at }

// pointer is how a problem names the place.
func (p place) pointer() string {
	if p.in == openapi3.ParameterInQuery {
		return "query:" + p.at
	}
	return p.at
}

func (o *operation) places() []place {
	var out []place
	for _, p := range o.params {
		if p.In != openapi3.ParameterInHeader {
			out = append(out, place{o, p.In, p.Name, p.Name, p.Schema.Value})
		}
	}
	if o.body != nil {
		o.walk(o.body, "", "", func(p place) { out = append(out, p) })
	}
	return out
}

func (o *operation) walk(s *openapi3.Schema, at, name string, visit func(place)) {
	switch {
	case s.Type.Is(openapi3.TypeObject) && s.AdditionalProperties.Schema != nil:
		o.walk(s.AdditionalProperties.Schema.Value, at+"/plan", name, visit)
	case s.Type.Is(openapi3.TypeObject):
		for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
			o.walk(s.Properties[property].Value, at+"/"+property, property, visit)
		}
	case s.Type.Is(openapi3.TypeArray):
		o.walk(s.Items.Value, at+"/0", name, visit)
	default:
		visit(place{o, "body", at, name, s})
	}
}

// objects lists the pointers of the body's closed objects.
func (o *operation) objects() []string {
	var out []string
	var walk func(s *openapi3.Schema, at string)
	walk = func(s *openapi3.Schema, at string) {
		switch {
		case s.Type.Is(openapi3.TypeArray):
			walk(s.Items.Value, at+"/0")
		case s.Type.Is(openapi3.TypeObject) && s.AdditionalProperties.Schema == nil:
			out = append(out, at)
			for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
				walk(s.Properties[property].Value, at+"/"+property)
			}
		}
	}
	walk(o.body, "")
	return out
}

// list is an array in the body.
type list struct {
	at     string
	schema *openapi3.Schema
}

func (o *operation) lists() []list {
	var out []list
	var walk func(s *openapi3.Schema, at string)
	walk = func(s *openapi3.Schema, at string) {
		if s.Type.Is(openapi3.TypeArray) {
			out = append(out, list{at, s})
			walk(s.Items.Value, at+"/0")
		}
		for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
			walk(s.Properties[property].Value, at+"/"+property)
		}
	}
	walk(o.body, "")
	return out
}

// identifiers are properties whose texts are compared, so that two that look alike would be a trap.
func (p place) identifier() bool {
	if strings.Contains(p.at, "/utm/") {
		return false
	}
	return strings.HasSuffix(p.name, "external_id") || slices.Contains([]string{"code", "value", "visitor_id", "source", "key"}, p.name)
}

// values are the places that a case can go over.
var values = map[string]func(p place) bool{
	"strings": func(p place) bool { return p.schema.Type.Is(openapi3.TypeString) && len(p.schema.Enum) == 0 },
	"texts": func(p place) bool {
		return p.schema.Type.Is(openapi3.TypeString) && len(p.schema.Enum) == 0 && p.schema.Format == "" && p.in == "body"
	},
	"identifiers": func(p place) bool { return p.schema.Type.Is(openapi3.TypeString) && p.identifier() && p.in == "body" },
	"integers":    func(p place) bool { return p.schema.Type.Is(openapi3.TypeInteger) && p.in == "body" },
	"amounts":     func(p place) bool { return p.schema.Extensions["x-problem"] == "amount_not_allowed" },
	"times":       func(p place) bool { return p.schema.Format == "date-time" },
	"dates":       func(p place) bool { return p.schema.Format == "date" },
	"uuids":       func(p place) bool { return p.schema.Format == "uuid" && p.in == "body" },
	"enums":       func(p place) bool { return len(p.schema.Enum) > 0 },
	"metadata":    func(p place) bool { return strings.HasSuffix(p.at, "/metadata/plan") },
}

// placesOf finds the places that a case names: a kind of values, or one pointer.
func (o *operation) placesOf(which string) ([]place, error) {
	match := values[which]
	if match == nil {
		if !strings.HasPrefix(which, "/") {
			return nil, fmt.Errorf("there are no places called %q", which)
		}
		match = func(p place) bool { return p.at == which }
	}
	return slices.DeleteFunc(o.places(), func(p place) bool { return !match(p) }), nil
}
