package validate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// Contract returns one line for everything that a contract lacks or has otherwise: operations, their answers and the header
// Idempotency-Key, as in the contract that is built in; codes and arrows of state machines, as in the code.
func Contract(file []byte) ([]string, error) {
	have, err := readContract(file)
	if err != nil {
		return nil, err
	}
	want, err := requiredOfContract()
	if err != nil {
		return nil, err
	}
	return Compare(want, have), nil
}

func readContract(file []byte) ([]Item, error) {
	doc, err := load(file)
	if err != nil {
		return nil, err
	}
	schemas := openapi3.Schemas{}
	if doc.Components != nil {
		schemas = doc.Components.Schemas
	}
	var items []Item
	for _, o := range operations(doc) {
		items = append(items, o.items()...)
	}
	items = append(items, readEnum(schemas, reasonCode, "ReasonCode")...)
	items = append(items, readEnum(schemas, problemCode, "ProblemCode")...)
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		items = append(items, readArrows(name, schemas[name].Value)...)
	}
	return items, nil
}

// requiredOfContract takes operations from the contract that is built in, with what every operation of its kind must have;
// everything else is known by the code.
func requiredOfContract() ([]Item, error) {
	doc, err := load(gen.OpenAPIJSON)
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, o := range operations(doc) {
		items = append(items, o.required()...)
	}
	for _, r := range reason.Catalogue {
		items = append(items, Item{Kind: reasonCode, Name: string(r.Code)})
	}
	for _, p := range problem.All() {
		items = append(items, Item{Kind: problemCode, Name: string(p.Code)})
	}
	return slices.Concat(items,
		arrows("ProgramState", state.Programs), arrows("CodeState", state.Codes), arrows("ReferralState", state.Referrals),
		arrows("ConversionState", state.Conversions), arrows("RewardState", state.Rewards), arrows("PayoutRunState", state.PayoutRuns), arrows("PayoutState", state.Payouts), arrows("ParticipantState", state.Participants),
	), nil
}

func load(file []byte) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(file)
	if err != nil {
		return nil, fmt.Errorf("validate: read the contract: %w", err)
	}
	return doc, nil
}

func arrows[S ~string](schema string, machine state.Arrows[S]) []Item {
	var items []Item
	for _, from := range slices.Sorted(maps.Keys(machine)) {
		for _, to := range machine[from] {
			items = append(items, Item{Kind: arrow, Name: fmt.Sprintf("%s %s -> %s", schema, from, to)})
		}
	}
	return items
}

func readEnum(schemas openapi3.Schemas, kind, name string) []Item {
	var items []Item
	if ref := schemas[name]; ref != nil {
		for _, value := range ref.Value.Enum {
			items = append(items, Item{Kind: kind, Name: fmt.Sprint(value)})
		}
	}
	return items
}

func readArrows(name string, schema *openapi3.Schema) []Item {
	var items []Item
	transitions, _ := schema.Extensions["x-transitions"].(map[string]any)
	for _, from := range slices.Sorted(maps.Keys(transitions)) {
		targets, _ := transitions[from].([]any)
		for _, to := range targets {
			items = append(items, Item{Kind: arrow, Name: fmt.Sprintf("%s %s -> %v", name, from, to)})
		}
	}
	return items
}
