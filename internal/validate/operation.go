package validate

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// operation is one method of one path of a contract.
type operation struct {
	method, path string
	item         *openapi3.PathItem
	*openapi3.Operation
}

func (o operation) name() string { return o.method + " " + o.path }

// operations lists a contract's, by path and method.
func operations(doc *openapi3.T) []operation {
	var out []operation
	paths := doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			out = append(out, operation{method, path, paths[path], methods[method]})
		}
	}
	return out
}

// items is what an operation has.
func (o operation) items() []Item {
	items := []Item{{"operation", o.name(), o.OperationID}}
	for _, parameters := range []openapi3.Parameters{o.item.Parameters, o.Parameters} {
		if p := parameters.GetByInAndName(openapi3.ParameterInHeader, "Idempotency-Key"); p != nil && p.Required {
			items = append(items, o.idempotencyKey())
		}
	}
	answers := o.Responses.Map()
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		items = append(items, o.answer(status, strings.Join(slices.Sorted(maps.Keys(answers[status].Value.Content)), ", ")))
	}
	return items
}

// required is what an operation of this kind must have.
func (o operation) required() []Item {
	items := []Item{{"operation", o.name(), o.OperationID}}
	if o.method == http.MethodPost && strings.HasPrefix(o.path, "/v1/") {
		items = append(items, o.idempotencyKey())
	}
	statuses := slices.Concat(slices.Collect(maps.Keys(o.Responses.Map())), o.refusals())
	slices.Sort(statuses)
	for _, status := range slices.Compact(statuses) {
		items = append(items, o.answer(status, "application/problem+json"))
	}
	return items
}

func (o operation) idempotencyKey() Item {
	return Item{"header", o.name() + " Idempotency-Key", "required"}
}

// answer is an answer by status. The type of a success is not compared: it may grow.
func (o operation) answer(status, contentType string) Item {
	if status < "400" {
		contentType = ""
	}
	return Item{"answer", o.name() + " " + status, contentType}
}

// refusals are the statuses that every operation of this kind can answer.
func (o operation) refusals() []string {
	refusals := []string{"500"}
	if key, _ := o.Extensions["x-key"].(string); key == "none" {
		return refusals
	}
	refusals = append(refusals, "400", "401", "403", "429", "503")
	if o.method != http.MethodGet {
		refusals = append(refusals, "409", "422")
	}
	if o.method == http.MethodPatch {
		refusals = append(refusals, "412", "428")
	}
	if o.RequestBody != nil {
		refusals = append(refusals, "413", "415")
	}
	if strings.Contains(o.path, "_id}") {
		refusals = append(refusals, "404")
	}
	return refusals
}
