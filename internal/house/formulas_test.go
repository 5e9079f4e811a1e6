package house_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// elsewhere are formulas that stand outside of the rules, by package.
var elsewhere = map[string][]string{
	"internal/engine": {"YearOf", "Difference.Change"},
	"internal/payout": {"Sign"},
}

// untold lists the exported functions and methods of a package that lack a doc comment, or an example that calls them and says what
// comes out. Of a package where not everything is a formula, only those named count.
func untold(of *doc.Package, only []string) []string {
	var out []string
	look := func(f *doc.Func, receiver string) {
		name := strings.TrimPrefix(receiver+"."+f.Name, ".")
		if only != nil && !slices.Contains(only, name) {
			return
		}
		if f.Doc == "" {
			out = append(out, name+" has no doc comment")
		}
		if !slices.ContainsFunc(f.Examples, func(e *doc.Example) bool { return e.Output != "" && calls(e.Code, f.Name) }) {
			out = append(out, name+" has no example that calls it and says what comes out")
		}
	}
	for _, f := range of.Funcs {
		look(f, "")
	}
	for _, t := range of.Types {
		for _, f := range t.Funcs {
			look(f, "")
		}
		for _, m := range t.Methods {
			look(m, t.Name)
		}
	}
	return out
}

// calls reports whether code calls something of a name.
func calls(code ast.Node, name string) (found bool) {
	ast.Inspect(code, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == name {
				found = true
			}
		}
		return true
	})
	return found
}

// documented reads the documentation of a package with its examples.
func documented(t *testing.T, dir string) *doc.Package {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	of, err := doc.NewFromFiles(files, parsed, module+"/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// TestFormulasAreToldWithFigures: who changes or calls a formula finds its units and its rounding beside it, with figures that a test
// holds. Below the rules everything exported is a formula.
func TestFormulasAreToldWithFigures(t *testing.T) {
	t.Parallel()
	formulas := 0
	look := func(dir string, only []string) {
		of := documented(t, dir)
		formulas += len(of.Funcs) + len(of.Types)
		for _, fault := range untold(of, only) {
			t.Errorf("%s: %s", dir, fault)
		}
	}
	err := filepath.WalkDir(filepath.Join(root, "internal/rules"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != "testdata" {
			rel, _ := filepath.Rel(root, path)
			look(filepath.ToSlash(rel), nil)
		}
		return err
	})
	if err != nil || formulas < 50 {
		t.Fatalf("read %d formulas: %v", formulas, err)
	}
	for dir, only := range elsewhere {
		look(dir, only)
	}
}

func TestUntoldFindsPlantedFormulas(t *testing.T) {
	t.Parallel()
	const code = `package planted

// Told is told.
func Told() int { return 1 }

// Bare has no example.
func Bare() int { return 1 }

// Mute has one without an output.
func Mute() int { return 1 }

// Feigned has one that calls something else.
func Feigned() int { return 1 }

func Wordless() int { return 1 }

type Rate int

// Of has one that is named after no method.
func (Rate) Of() int { return 1 }
`
	const tests = `package planted_test

func ExampleTold() {
	fmt.Println(planted.Told())
	// Output: 1
}

func ExampleMute() { fmt.Println(planted.Mute()) }

func ExampleFeigned() {
	fmt.Println(planted.Told())
	// Output: 1
}

func ExampleWordless() {
	fmt.Println(planted.Wordless())
	// Output: 1
}

func ExampleOf() {
	fmt.Println(planted.Rate(1).Of())
	// Output: 1
}
`
	files := token.NewFileSet()
	var parsed []*ast.File
	for name, source := range map[string]string{"planted.go": code, "planted_test.go": tests} {
		file, err := parser.ParseFile(files, name, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	of, err := doc.NewFromFiles(files, parsed, "planted")
	if err != nil {
		t.Fatal(err)
	}
	got := untold(of, nil)
	slices.Sort(got)
	const none = " has no example that calls it and says what comes out"
	want := []string{"Bare" + none, "Feigned" + none, "Mute" + none, "Rate.Of" + none, "Wordless has no doc comment"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q\nwant  %q", got, want)
	}
}
