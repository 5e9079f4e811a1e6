package condition

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// MaxLength is the most characters of an expression.
const MaxLength = 1000

// MaxCost bounds an expression, in the units of CEL: about one for each operator, and one for each ten characters looked at.
const MaxCost = 10_000

// Fact is the conversion that an expression sees.
type Fact struct {
	Type       string
	Source     string
	Amount     int64 // gross, minor units
	Currency   string
	OccurredAt time.Time
	Metadata   map[string]string
}

// Condition is a compiled expression; safe for concurrent use.
type Condition struct{ program cel.Program }

// Compile checks an expression against the bounds of the package: length, types, cost. The error says what is wrong with it in one line
// for the person who wrote it.
func Compile(text string) (Condition, error) {
	if utf8.RuneCountInString(text) > MaxLength {
		return Condition{}, fmt.Errorf("a condition has at most %d characters", MaxLength)
	}
	env, err := environment()
	if err != nil {
		return Condition{}, err
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return Condition{}, first(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return Condition{}, fmt.Errorf("a condition is true or false, this is of type %s", checked.OutputType())
	}
	if err := patternsAreLiterals(checked.NativeRep()); err != nil {
		return Condition{}, err
	}
	cost, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return Condition{}, err
	}
	if cost.Max > MaxCost {
		return Condition{}, errors.New("it could cost too much for each conversion: make it shorter")
	}
	program, err := env.Program(checked, cel.CostLimit(MaxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return Condition{}, err
	}
	return Condition{program}, nil
}

// Eval reports whether the condition holds. With an error it does not.
func (c Condition) Eval(f Fact) (bool, error) {
	out, _, err := c.program.Eval(map[string]any{variable: &f})
	if err != nil {
		return false, err
	}
	return out == types.True, nil
}

// first is the first fault that CEL found, without the picture of the source that it draws below.
func first(issues *cel.Issues) error {
	e := issues.Errors()[0]
	return fmt.Errorf("at character %d: %s", e.Location.Column()+1, e.Message)
}

// patternsAreLiterals refuses a pattern that is made while the expression runs: who reports a conversion writes its texts, but not
// patterns for others to match.
func patternsAreLiterals(a *ast.AST) error {
	for _, call := range ast.MatchDescendants(ast.NavigateAST(a), ast.FunctionMatcher("matches")) {
		args := call.AsCall().Args()
		if pattern := args[len(args)-1]; pattern.Kind() != ast.LiteralKind {
			return errors.New("the pattern of matches is written out")
		}
	}
	return nil
}
