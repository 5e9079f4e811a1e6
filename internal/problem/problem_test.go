package problem_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"regexp"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/problem"
)

func TestCopiesLeaveTheCatalogueAlone(t *testing.T) {
	t.Parallel()
	faults := []problem.FieldError{{Pointer: "/amount", Message: "must be positive"}}
	p := problem.NotFound.With("No such code.").WithErrors(faults).After(time.Second).Wrap(io.EOF)
	faults[0].Pointer = "changed"

	if p.Detail != "No such code." || p.Errors[0].Pointer != "/amount" || p.RetryAfter != time.Second {
		t.Errorf("copy = %+v", p)
	}
	if e := problem.NotFound; e.Detail != "" || e.Errors != nil || e.RetryAfter != 0 || e.Unwrap() != nil {
		t.Errorf("the catalogue changed: %+v", e)
	}
	if got, want := p.Error(), "not_found: No such code.: EOF"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestIsComparesCodes(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("read code: %w", problem.NotFound.With("x").Wrap(io.EOF))
	if !errors.Is(err, problem.NotFound) || errors.Is(err, problem.Conflict) || !errors.Is(err, io.EOF) {
		t.Errorf("errors.Is is wrong for %v", err)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	if problem.From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
	if p := problem.From(fmt.Errorf("x: %w", problem.CodeTaken)); p.Code != "code_taken" {
		t.Errorf("From = %v", p)
	}
	if p := problem.From(io.EOF); p.Code != "internal" || !errors.Is(p, io.EOF) {
		t.Errorf("From = %v", p)
	}
}

// All is written by hand beside the variables; this reads the source so that neither can forget the other.
func TestAllListsEveryEntryOnce(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "catalogue.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, decl := range file.Decls {
		if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
			declared += len(gen.Specs)
		}
	}
	seen := map[problem.Code]bool{}
	for _, p := range problem.All() {
		if seen[p.Code] || !regexp.MustCompile(`^[a-z_]+$`).MatchString(string(p.Code)) || p.Title == "" || p.Status < 400 {
			t.Errorf("bad or repeated entry %+v", p)
		}
		seen[p.Code] = true
	}
	if len(seen) != declared {
		t.Errorf("All lists %d problems, %d are declared", len(seen), declared)
	}
}
