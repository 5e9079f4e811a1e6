package schema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// The application's role may run every statement that is generated for it: EXPLAIN asks for the rights without doing anything.
func TestApplicationMayRunEveryStatement(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).App(t)
	statements := 0
	eachString(t, "../../gen/db", func(_, text string) {
		name, ok := strings.CutPrefix(text, "-- name: ")
		if !ok {
			return
		}
		name, _, _ = strings.Cut(name, " ")
		statements++
		prepared, err := conn.Prepare(t.Context(), "statement", text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(prepared.ParamOIDs)), ", ")
		if nulls != "" {
			nulls = "(" + nulls + ")"
		}
		if _, err := conn.Exec(t.Context(), "EXPLAIN EXECUTE statement "+nulls); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := conn.Deallocate(t.Context(), "statement"); err != nil {
			t.Error(err)
		}
	})
	if statements < 50 {
		t.Errorf("found %d statements only", statements)
	}
}

// sqlPackages may write SQL themselves: what they do is not for one workspace, or runs as the owner. Everything else goes through
// sql/queries, where the lint sees it, but for COPY, which sqlc cannot carry: it must write workspace_id first.
var sqlPackages = []string{"store", "postgres", "dbtest", "validate", "doctor", "schema", "bench"}

var (
	looksLikeSQL = regexp.MustCompile(`(?is)^\s*(--[^\n]*\n\s*)*(select\s.+|insert\s+into|update\s+\S+\s+set|delete\s+from|with\s+\w+\s+as\s*\(|merge\s+into|truncate\s|lock\s+table|copy\s+\S+\s*(\(|from)|listen\s+\w+$|notify\s+\w+)`)
	goodCopy     = regexp.MustCompile(`(?i)^COPY \w+ \(\s*workspace_id,`)
)

func TestNoStatementEscapesTheLint(t *testing.T) {
	t.Parallel()
	eachString(t, "../..", func(file, text string) {
		folders := strings.Split(filepath.ToSlash(file), "/")
		if slices.ContainsFunc(sqlPackages, func(p string) bool { return slices.Contains(folders, p) }) || !looksLikeSQL.MatchString(text) {
			return
		}
		if !goodCopy.MatchString(text) {
			t.Errorf("%s has SQL of its own: move it to sql/queries: %.60q", file, text)
		}
	})
}

func TestSQLIsRecognised(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT * FROM codes":                true,
		"\n\t\tselect 1":                     true,
		"-- why\nUPDATE codes SET uses = 1":  true,
		"INSERT INTO codes VALUES (1)":       true,
		"DELETE FROM codes":                  true,
		"WITH x AS (SELECT 1) SELECT 1":      true,
		"COPY clicks (id) FROM STDIN":        true,
		"select":                             false,
		"Update the program":                 false,
		"with its reason":                    false,
		"The code was deleted from the list": false,
	} {
		if looksLikeSQL.MatchString(text) != want {
			t.Errorf("%q: recognised is %v", text, !want)
		}
	}
}

// eachString visits the string literals of the Go files below a folder, without tests and what is generated further down.
func eachString(t *testing.T, root string, visit func(file, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && slices.Contains([]string{"gen", "node_modules", ".git"}, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil {
					visit(path, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
