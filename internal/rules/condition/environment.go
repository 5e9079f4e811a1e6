package condition

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
)

// variable is what an expression sees, and typeName the type of it.
const (
	variable = "conversion"
	typeName = "Conversion"
)

// nesting is how many comprehensions may stand in one another: the second is enough to compare metadata with a list.
const nesting = 2

// environment is made once: it holds the declarations, and no state.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(
		cel.CustomTypeProvider(provider{registry}),
		cel.CustomTypeAdapter(registry),
		cel.Variable(variable, cel.ObjectType(typeName)),
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro),
		cel.ParserRecursionLimit(50),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateComprehensionNestingLimit(nesting),
		),
	)
})

// provider knows the type of a conversion, so that a misspelled field is found when an expression is compiled, and no other type with
// fields: the messages of protobuf that CEL brings along are none of an expression's business.
type provider struct{ types.Provider }

// get reads a field of a Fact.
type get = func(f *Fact) any

var fields = map[string]struct {
	of  *types.Type
	get get
}{
	"type":        {types.StringType, func(f *Fact) any { return f.Type }},
	"source":      {types.StringType, func(f *Fact) any { return f.Source }},
	"amount":      {types.IntType, func(f *Fact) any { return f.Amount }},
	"currency":    {types.StringType, func(f *Fact) any { return f.Currency }},
	"occurred_at": {types.TimestampType, func(f *Fact) any { return f.OccurredAt.UTC() }},
	"metadata":    {types.NewMapType(types.StringType, types.StringType), func(f *Fact) any { return f.Metadata }},
}

func (p provider) FindStructType(name string) (*types.Type, bool) {
	if name != typeName {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(typeName)), true
}

func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	known, ok := fields[field]
	if !ok || name != typeName {
		return nil, false
	}
	return &types.FieldType{
		Type:    known.of,
		IsSet:   func(any) bool { return true },
		GetFrom: func(target any) (any, error) { return known.get(target.(*Fact)), nil },
	}, true
}

// sizes are the bounds of the contract for the texts of a conversion.
type sizes struct{}

func (sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	path := node.Path()
	if len(path) < 2 || path[0] != variable {
		return nil
	}
	most := map[string]uint64{"type": 32, "source": 64, "currency": 3, "metadata": 50}[path[1]]
	if path[1] == "metadata" && len(path) > 2 { // a name or a value
		most = 500
	}
	return &checker.SizeEstimate{Max: most}
}

func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
