package validate_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/internal/validate"
)

func TestBuiltInContractIsValid(t *testing.T) {
	t.Parallel()
	for spelling, file := range map[string][]byte{"yaml": gen.OpenAPIYAML, "json": gen.OpenAPIJSON} {
		lines, err := validate.Contract(file)
		if err != nil || len(lines) > 0 {
			t.Errorf("%s: %q, %v", spelling, lines, err)
		}
	}
}

func TestUnreadableContractIsAnError(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "{", "openapi: 3.0.3\npaths: {/x: {get: {responses: {'200': {$ref: '#/components/responses/None'}}}}}"} {
		if lines, err := validate.Contract([]byte(file)); err == nil && len(lines) == 0 {
			t.Errorf("%q passed", file)
		}
	}
}

// tree is a contract as plain maps and lists.
type tree = map[string]any

func TestWhatIsTakenFromAContractIsMissed(t *testing.T) {
	t.Parallel()
	for want, remove := range map[string]func(tree){
		"missing: operation | POST /v1/signups | createSignup": func(c tree) { delete(at(c, "paths"), "/v1/signups") },
		"differs: operation | POST /v1/signups | createSignup, found addSignup": func(c tree) {
			at(c, "paths", "/v1/signups", "post")["operationId"] = "addSignup"
		},
		"missing: header | POST /v1/signups Idempotency-Key | required": func(c tree) {
			delete(at(c, "paths", "/v1/signups", "post"), "parameters")
		},
		"missing: header | POST /v1/conversions Idempotency-Key | required": func(c tree) {
			at(c, "components", "parameters", "IdempotencyKey")["required"] = false
		},
		"missing: answer | POST /v1/signups 409 | application/problem+json": func(c tree) {
			delete(at(c, "paths", "/v1/signups", "post", "responses"), "409")
		},
		"missing: answer | POST /v1/signups 201": func(c tree) {
			delete(at(c, "paths", "/v1/signups", "post", "responses"), "201")
		},
		"differs: answer | GET /v1/referrals/{referral_id} 404 | application/problem+json, found application/json": func(c tree) {
			at(c, "components", "responses", "NotFound")["content"] = tree{"application/json": tree{}}
		},
		"differs: answer | GET /v1/referrals/{referral_id} 404 | application/problem+json, found nothing": func(c tree) {
			delete(at(c, "components", "responses", "NotFound"), "content")
		},
		"missing: reason code | CODE_DISABLED": func(c tree) { dropValue(at(c, "components", "schemas", "ReasonCode"), "enum", "CODE_DISABLED") },
		"missing: reason code | NO_TOUCH":      func(c tree) { delete(at(c, "components", "schemas"), "ReasonCode"); relax(c, "ReasonCode") },
		"missing: problem code | code_taken":   func(c tree) { dropValue(at(c, "components", "schemas", "ProblemCode"), "enum", "code_taken") },
		"too much: reason code | BECAUSE":      func(c tree) { addValue(at(c, "components", "schemas", "ReasonCode"), "enum", "BECAUSE") },
		"too much: problem code | no_idea":     func(c tree) { addValue(at(c, "components", "schemas", "ProblemCode"), "enum", "no_idea") },
		"missing: arrow | CodeState disabled -> active": func(c tree) {
			dropValue(at(c, "components", "schemas", "CodeState", "x-transitions"), "disabled", "active")
		},
		"missing: arrow | ReferralState churned -> qualified": func(c tree) {
			delete(at(c, "components", "schemas", "ReferralState"), "x-transitions")
		},
		"too much: arrow | RewardState cancelled -> paid": func(c tree) {
			addValue(at(c, "components", "schemas", "RewardState", "x-transitions"), "cancelled", "paid")
		},
	} {
		contract := tree{}
		if err := json.Unmarshal(gen.OpenAPIJSON, &contract); err != nil {
			t.Fatal(err)
		}
		remove(contract)
		file, err := json.Marshal(contract)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := validate.Contract(file)
		if err != nil || !slices.Contains(lines, want) {
			t.Errorf("%q is not told, found %q, %v", want, lines, err)
		}
	}
}

// at walks down a contract.
func at(c tree, path ...string) tree {
	for _, name := range path {
		c = c[name].(tree)
	}
	return c
}

func dropValue(in tree, list, value string) {
	in[list] = slices.DeleteFunc(in[list].([]any), func(v any) bool { return v == value })
}

func addValue(in tree, list, value string) { in[list] = append(in[list].([]any), value) }

// relax replaces every reference to a schema, so that the contract can still be read without it.
func relax(v any, schema string) {
	switch v := v.(type) {
	case tree:
		if ref, _ := v["$ref"].(string); strings.HasSuffix(ref, "/schemas/"+schema) {
			delete(v, "$ref")
			v["type"] = "string"
		}
		for _, child := range v {
			relax(child, schema)
		}
	case []any:
		for _, child := range v {
			relax(child, schema)
		}
	}
}
