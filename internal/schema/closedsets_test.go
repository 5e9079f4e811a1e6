package schema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/internal/validate"
)

// closedSet ties a check to the constants of a rule and to an enum of the contract, as far as they exist.
type closedSet struct {
	goType string   // package under internal/rules and type
	enum   string   // schema of the contract
	beyond []string // what the enum leaves out, because callers never send or see it under that name
}

var closedSets = map[string]closedSet{
	"api_keys_kind_check":                  {enum: "ApiKeyKind"},
	"attribution_decisions_door_check":     {goType: "attribution.Door", enum: "DecisionDoor"},
	"churns_kind_check":                    {enum: "ChurnKind"},
	"clicks_classification_check":          {enum: "ClickClassification"},
	"clicks_consent_check":                 {enum: "Consent"},
	"clicks_source_check":                  {enum: "ClickSource"},
	"codes_disabled_reason_check":          {enum: "DisabledReason"},
	"codes_state_check":                    {goType: "state.Code", enum: "CodeState"},
	"conversions_state_check":              {goType: "state.Conversion", enum: "ConversionState"},
	"credit_redemptions_reward_kind_check": {enum: "RedeemableKind"},
	"erasure_requests_disposition_check":   {enum: "Disposition"},
	"erasure_requests_state_check":         {enum: "ErasureState"},
	"ledger_accounts_kind_check":           {enum: "AccountKind"},
	"ledger_accounts_reward_kind_check":    {goType: "money.Kind", enum: "RewardKind"},
	"ledger_transfers_recipe_check":        {}, // internal words of the ledger
	"participants_state_check":             {goType: "state.Participant", enum: "ParticipantState"},
	"payout_policies_approval_check":       {goType: "payable.Approval", enum: "PayoutApproval"},
	"payout_policies_provider_check":       {goType: "payable.Provider", enum: "PayoutProvider"},
	"payout_runs_state_check":              {goType: "state.PayoutRun", enum: "PayoutRunState"},
	"payout_skips_reason_check":            {goType: "payable.Skip", enum: "PayoutSkipReason"},
	"payouts_provider_check":               {goType: "payable.Provider", enum: "PayoutProvider"},
	"payouts_state_check":                  {goType: "state.Payout", enum: "PayoutState"},
	"programs_state_check":                 {goType: "state.Program", enum: "ProgramState"},
	"referrals_state_check":                {goType: "state.Referral", enum: "ReferralState"},
	"reversals_kind_check":                 {goType: "settlement.Kind", enum: "ReversalKind", beyond: []string{"dispute_won"}},
	"rewards_beneficiary_check":            {enum: "Beneficiary"},
	"rewards_cause_kind_check":             {}, // says which table cause_id means
	"rewards_kind_check":                   {goType: "money.Kind", enum: "RewardKind"},
	"rewards_state_check":                  {goType: "state.Reward", enum: "RewardState"},
	"unmatched_facts_kind_check":           {enum: "UnmatchedFactKind"},
	"unmatched_facts_state_check":          {enum: "UnmatchedFactState"},
	"workspaces_mode_check":                {enum: "WorkspaceMode", beyond: []string{"operator"}},
}

var (
	oneOf   = regexp.MustCompile(`^CHECK \(\(\w+ = ANY \(ARRAY\[([^\]]*)\]\)\)\)$`)
	literal = regexp.MustCompile(`'([^']*)'`)
)

func TestClosedSetsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(gen.OpenAPIJSON)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, item := range validate.Required() { // equal to the migrated schema by its own test
		list := oneOf.FindStringSubmatch(item.Definition)
		if item.Kind != "check" || list == nil {
			continue
		}
		_, name, _ := strings.Cut(item.Name, ".")
		set, known := closedSets[name]
		if !known {
			t.Errorf("%s is not tied to the rules and the contract", name)
		}
		seen[name] = true
		var values []string
		for _, v := range literal.FindAllStringSubmatch(list[1], -1) {
			values = append(values, v[1])
		}
		slices.Sort(values)
		if set.goType != "" && !slices.Equal(values, constants(t, set.goType)) {
			t.Errorf("%s allows %q, %s has %q", name, values, set.goType, constants(t, set.goType))
		}
		if set.enum == "" {
			continue
		}
		visible := slices.DeleteFunc(values, func(v string) bool { return slices.Contains(set.beyond, v) })
		if enum := enumOf(t, doc, set.enum); !slices.Equal(visible, enum) {
			t.Errorf("%s allows %q, the contract's %s has %q", name, visible, set.enum, enum)
		}
	}
	for name := range closedSets {
		if !seen[name] {
			t.Errorf("%s is not a check of the schema", name)
		}
	}
}

func TestReasonsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(gen.OpenAPIJSON)
	if err != nil {
		t.Fatal(err)
	}
	if rules, contract := constants(t, "reason.Code"), enumOf(t, doc, "ReasonCode"); !slices.Equal(rules, contract) {
		t.Errorf("the rules have the reasons %q, the contract %q", rules, contract)
	}
}

func enumOf(t *testing.T, doc *openapi3.T, name string) []string {
	t.Helper()
	ref := doc.Components.Schemas[name]
	if ref == nil {
		t.Fatalf("the contract has no schema %s", name)
	}
	var values []string
	for _, v := range ref.Value.Enum {
		values = append(values, v.(string))
	}
	slices.Sort(values)
	return values
}

// constants reads every string constant of a type from the source of its package.
func constants(t *testing.T, goType string) []string {
	t.Helper()
	pkg, name, _ := strings.Cut(goType, ".")
	files, err := filepath.Glob("../rules/" + pkg + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no package %s: %v", pkg, err)
	}
	var values []string
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == name {
				for _, v := range spec.Values {
					if l, ok := v.(*ast.BasicLit); ok && l.Kind == token.STRING {
						value, _ := strconv.Unquote(l.Value)
						values = append(values, value)
					}
				}
			}
			return true
		})
	}
	slices.Sort(values)
	return values
}
