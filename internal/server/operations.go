package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Values of the contract's x-key extension: which credential an operation takes.
const (
	keySecret      = "secret"
	keyPublishable = "publishable" // both kinds of keys
	keyOperator    = "operator"
	keyNone        = "none"

	scopeNone = "none" // any key that is accepted will do
)

// batchFactor is how much larger than others the bodies of batches may be.
const batchFactor = 4

// operation is what the edge has to know of one operation of the contract.
type operation struct {
	id           string
	method       string
	key          string
	scope        string
	parameters   []parameter
	body         *openapi3.Schema // nil: the operation takes none
	bodyRequired bool
	bodyLimit    int64
}

// open says that people and probes call it: it needs no key, and forgives what they cannot know about its parameters.
func (o *operation) open() bool { return o.key == keyNone }

type parameter struct {
	name     string
	in       string
	required bool
	kind     string // JSON type of the schema
	schema   *openapi3.Schema
}

// operations is the contract by method and route, as Echo spells routes.
type operations map[string]*operation

func (t operations) find(method, route string) *operation { return t[method+" "+route] }

var templateParameter = regexp.MustCompile(`\{([^}]+)\}`)

// loadOperations reads the contract. It refuses one that would leave the edge guessing: start-up fails, no request does.
func loadOperations(contract []byte, bodyLimit int64) (operations, error) {
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	table := operations{}
	for path, item := range doc.Paths.Map() {
		route := templateParameter.ReplaceAllString(path, ":$1")
		for method, op := range item.Operations() {
			o, err := loadOperation(method, item, op)
			if err != nil {
				return nil, fmt.Errorf("contract: %s %s: %w", method, path, err)
			}
			o.bodyLimit = bodyLimit
			if strings.HasSuffix(path, "/batch") || strings.HasSuffix(path, "/bulk") {
				o.bodyLimit *= batchFactor
			}
			table[method+" "+route] = o
		}
	}
	return table, nil
}

func loadOperation(method string, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	o := &operation{id: op.OperationID, method: method}
	o.key, _ = op.Extensions["x-key"].(string)
	o.scope, _ = op.Extensions["x-scope"].(string)
	switch o.key {
	case keySecret, keyPublishable:
		if !strings.Contains(o.scope, ":") && o.scope != scopeNone {
			return nil, fmt.Errorf("x-scope is %q, want resource:action or none", o.scope)
		}
	case keyOperator, keyNone:
	default:
		return nil, fmt.Errorf("x-key is %q, want secret, publishable, operator or none", o.key)
	}
	for _, refs := range []openapi3.Parameters{item.Parameters, op.Parameters} {
		for _, ref := range refs {
			p, err := loadParameter(ref.Value)
			if err != nil {
				return nil, err
			}
			o.parameters = append(o.parameters, p)
		}
	}
	return o, o.loadBody(op)
}

func loadParameter(p *openapi3.Parameter) (parameter, error) {
	if p.Schema == nil || p.Schema.Value == nil || p.Schema.Value.Type == nil {
		return parameter{}, fmt.Errorf("parameter %s has no typed schema", p.Name)
	}
	schema := p.Schema.Value
	kind := schema.Type.Slice()[0]
	if kind != openapi3.TypeString && kind != openapi3.TypeInteger && kind != openapi3.TypeBoolean {
		return parameter{}, fmt.Errorf("parameter %s is of type %s, which the edge does not read", p.Name, kind)
	}
	if p.In == openapi3.ParameterInCookie {
		return parameter{}, fmt.Errorf("parameter %s is a cookie", p.Name)
	}
	name := p.Name
	if p.In == openapi3.ParameterInHeader {
		name = http.CanonicalHeaderKey(name)
	}
	return parameter{name: name, in: p.In, required: p.Required, kind: kind, schema: schema}, nil
}

func (o *operation) loadBody(op *openapi3.Operation) error {
	if op.RequestBody == nil {
		return nil
	}
	media := op.RequestBody.Value.Content["application/json"]
	if media == nil || len(op.RequestBody.Value.Content) != 1 {
		return fmt.Errorf("the body is not application/json alone")
	}
	o.body, o.bodyRequired = media.Schema.Value, op.RequestBody.Value.Required
	return prepare(media.Schema, "body", map[*openapi3.Schema]bool{})
}

// prepare refuses request schemas that the edge's promises do not hold for: objects that are open to unknown names (the exact
// case of names is enforced by refusing all others), and numbers that are not whole (no float comes near money). Defaults, which
// the contract's reader takes for floats, become what the body's reader gives.
func prepare(ref *openapi3.SchemaRef, where string, seen map[*openapi3.Schema]bool) error {
	s := ref.Value
	if seen[s] {
		return nil
	}
	seen[s] = true
	if f, ok := s.Default.(float64); ok {
		s.Default = json.Number(strconv.FormatInt(int64(f), 10))
	}
	if s.Type.Permits(openapi3.TypeNumber) {
		return fmt.Errorf("%s is a number, want integer", where)
	}
	if s.Type.Is(openapi3.TypeObject) && s.AdditionalProperties.Schema == nil &&
		(s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has) {
		return fmt.Errorf("%s is open to unknown properties", where)
	}
	for name, property := range s.Properties {
		if err := prepare(property, where+"."+name, seen); err != nil {
			return err
		}
	}
	if s.Items != nil {
		return prepare(s.Items, where+"[]", seen)
	}
	return nil
}

// methods lists what a route answers to, for the Allow header.
func (t operations) methods(route string) []string {
	var found []string
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if t.find(method, route) != nil {
			found = append(found, method)
			if method == http.MethodGet {
				found = append(found, http.MethodHead)
			}
		}
	}
	return found
}
