package reason_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// declared lists the codes that the package declares, in their order.
func declared(t *testing.T) []reason.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out []reason.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, reason.Code(text))
		return false
	})
	return out
}

// TestCatalogue: whoever meets a reason finds it explained, once, in the order in which the codes are declared.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	codes := declared(t)
	if len(codes) != len(reason.Catalogue) || len(codes) < 40 {
		t.Fatalf("%d reasons, %d of them explained", len(codes), len(reason.Catalogue))
	}
	seen := map[reason.Code]bool{}
	titles := map[string]bool{}
	for i, e := range reason.Catalogue {
		if e.Code != codes[i] {
			t.Errorf("%s is explained where %s is declared", e.Code, codes[i])
		}
		if seen[e.Code] || titles[e.Title] {
			t.Errorf("%s (%s) is there twice", e.Code, e.Title)
		}
		seen[e.Code], titles[e.Title] = true, true
		if !regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`).MatchString(string(e.Code)) {
			t.Errorf("%q is no code", e.Code)
		}
		if e.Title == "" || !regexp.MustCompile(`^[A-Z].*\.$`).MatchString(e.Description) {
			t.Errorf("%s is not explained: %q, %q", e.Code, e.Title, e.Description)
		}
	}
}

// TestTheReasonsOfTheDesign are the ones that a partner may rely on from the start.
func TestTheReasonsOfTheDesign(t *testing.T) {
	t.Parallel()
	known := map[reason.Code]bool{}
	for _, e := range reason.Catalogue {
		known[e.Code] = true
	}
	for _, want := range []reason.Code{
		"ATTRIBUTED_LAST_TOUCH", "ATTRIBUTED_FIRST_TOUCH", "ATTRIBUTED_EXPLICIT_CODE", "ATTRIBUTED_MANUAL", "NO_TOUCH",
		"WINDOW_EXPIRED", "CODE_NOT_FOUND", "CODE_DISABLED", "CODE_EXPIRED", "CODE_NOT_STARTED", "CODE_EXHAUSTED", "PROGRAM_NOT_ACTIVE",
		"REFERRER_INELIGIBLE", "ALREADY_ATTRIBUTED", "EXISTING_CUSTOMER", "SELF_REFERRAL", "SELF_REFERRAL_ALIAS", "RISK_REJECTED", "RISK_HELD",
		"CONSENT_MISSING", "BOT_TOUCH_ONLY", "BELOW_MINIMUM", "NOT_FIRST_PURCHASE", "QUALIFICATION_WINDOW_EXPIRED", "DURATION_ENDED",
		"CAP_REACHED", "CAP_PARTIAL", "BUDGET_EXHAUSTED", "LEVEL_DEPTH_EXCEEDED", "LEVEL_INELIGIBLE_SKIPPED", "LEVEL_COMPRESSED",
		"FX_RATE_MISSING", "REVERSED_REFUND", "REVERSED_CHARGEBACK", "REVERSED_CHURN", "REINSTATED", "SUPERSEDED", "ERASED",
	} {
		if !known[want] {
			t.Errorf("%s is not there", want)
		}
	}
}
