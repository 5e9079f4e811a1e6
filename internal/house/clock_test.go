package house_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clocks are the functions of package time that look at a clock or wait for one.
var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer"}

// looks lists the places where Go source looks at a clock.
func looks(files *token.FileSet, name, source string) ([]string, error) {
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if in, ok := call.X.(*ast.Ident); ok && in.Name == "time" && slices.Contains(clocks, call.Sel.Name) {
			out = append(out, fmt.Sprintf("%s: time.%s", files.Position(call.Pos()), call.Sel.Name))
		}
		return true
	})
	return out, nil
}

// TestRulesHaveNoClock: now is an argument, or a decision could not be replayed.
func TestRulesHaveNoClock(t *testing.T) {
	t.Parallel()
	read := 0
	err := filepath.WalkDir(filepath.Join(root, "internal/rules"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		read++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := looks(token.NewFileSet(), path, string(source))
		for _, f := range found {
			t.Error(f)
		}
		return err
	})
	if err != nil || read < 10 {
		t.Fatalf("read %d files: %v", read, err)
	}
}

func TestLooksFindsPlantedClocks(t *testing.T) {
	t.Parallel()
	const planted = `package planted

import "time"

var now = time.Now

func wait() bool {
	time.Sleep(1)
	return time.Time{}.After(time.Time{})
}
`
	if found, err := looks(token.NewFileSet(), "planted.go", planted); err != nil || len(found) != 2 {
		t.Errorf("of two planted clocks it found %v, %v", found, err)
	}
}
