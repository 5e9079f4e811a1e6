package house_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/grapevine-referrals/grapevine"
	root   = "../.."

	echo = "github.com/labstack/echo"
	pgx  = "github.com/jackc/pgx/v5"
	uuid = "github.com/google/uuid"
	cel  = "github.com/google/cel-go"
)

// place says what a package, and every package below it that has no place of its own, may import besides itself, the
// packages below it and the standard library.
type place struct {
	ours    []string // with what is below them; "..." is everything
	others  []string // modules of others; nil is none, "..." any
	without []string // packages of the standard library that it may not know
}

var (
	anything = []string{"..."}
	noHTTP   = []string{"net/http"}
	// A pure rule knows no HTTP, no SQL, no clock (see TestRulesHaveNoClock), no dice and no machine.
	pure = []string{"net", "net/http", "database/sql", "math/rand", "math/rand/v2", "crypto/rand", "os", "log", "log/slog", "context", "sync"}
)

var clientNeeds = []string{"github.com/oapi-codegen/runtime", "github.com/oapi-codegen/nullable", uuid}

// places is the import rule. The server and the queries name types of the rules, because rows carry them.
var places = map[string]place{
	"cmd":               {ours: anything, others: anything},
	"internal/server":   {ours: []string{"internal/engine", "internal/payout", "internal/clicks", "internal/store", "internal/problem", "internal/rules", "gen", "gen/api", "gen/db"}, others: anything},
	"internal/worker":   {ours: []string{"internal/engine", "internal/clicks", "internal/store", "internal/problem", "gen/db"}, others: anything, without: noHTTP},
	"internal/engine":   {ours: []string{"internal/payout", "internal/store", "internal/problem", "internal/rules", "internal/rules/condition", "gen/db"}, others: anything, without: noHTTP},
	"internal/clicks":   {ours: []string{"internal/store", "internal/problem", "internal/rules", "gen/db"}, others: anything},
	"internal/store":    {ours: []string{"internal/problem", "gen/db", "sql/migrations"}, others: anything, without: noHTTP},
	"internal/payout":   {},
	"internal/postgres": {others: anything},
	"internal/problem":  {},
	"internal/config":   {},
	"internal/rules":    {ours: []string{"internal/rules/condition"}, without: pure},
	"sql/migrations":    {},

	// The one leaf of the rules that leans on others: it keeps what they compiled, hence the lock.
	"internal/rules/condition": {others: []string{cel}, without: slices.DeleteFunc(slices.Clone(pure), func(p string) bool { return p == "sync" })},

	"gen":        {},
	"gen/api":    {others: anything},
	"gen/db":     {ours: []string{"internal/rules"}, others: []string{pgx, uuid}, without: noHTTP},
	"gen/client": {others: clientNeeds},

	// What looks at the house from outside.
	"internal/doctor":              {ours: []string{"internal/engine", "internal/store", "internal/rules", "gen/db"}, others: anything, without: noHTTP},
	"internal/validate":            {ours: []string{"internal/problem", "internal/rules", "gen"}, others: anything},
	"internal/bench":               {ours: anything, others: anything},
	"internal/schema":              {ours: []string{"sql/migrations"}, others: anything},
	"internal/dbtest":              {ours: []string{"internal/postgres", "internal/store", "gen/db", "sql/migrations"}, others: anything},
	"internal/server/contracttest": {ours: []string{"gen"}, others: anything},
	"internal/server/servertest":   {ours: []string{"internal/server", "internal/server/contracttest", "internal/store", "internal/dbtest", "gen", "gen/client", "gen/db"}, others: anything},
	"internal/conform":             {others: []string{uuid, "gopkg.in/yaml.v3"}},
	"internal/scenario":            {},
	"internal/attacks":             {},
	"internal/house":               {},
	"examples/conformance":         {},
	"examples/go-quickstart":       {ours: []string{"gen/client"}, others: clientNeeds},
}

// confined are modules that only some places may import, whatever else they may.
var confined = map[string][]string{
	echo: {"internal/server", "gen/api", "internal/bench"},
	cel:  {"internal/rules/condition"},
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// list asks go list for the packages of the module in dir, with files added by an overlay if there is one.
func list(t *testing.T, dir, overlay string, patterns ...string) []listed {
	t.Helper()
	args := append([]string{"list", "-e", "-json=ImportPath,Imports,Standard"}, patterns...)
	if overlay != "" {
		args = slices.Insert(args, 1, "-overlay", overlay)
	}
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// house lists every package of ours, over all modules that hand-written code can be in.
func house(t *testing.T, overlay string) []listed {
	t.Helper()
	var all []listed
	for _, dir := range []string{".", "gen/client", "examples/go-quickstart"} {
		all = append(all, list(t, filepath.Join(root, dir), overlay, "./...")...)
	}
	return all
}

// watch makes the answer of the test depend on every folder that go list reads: go test would otherwise take an old answer
// from its cache, because it does not see what a child process reads.
func watch(t *testing.T) {
	t.Helper()
	for _, top := range []string{"cmd", "examples", "gen", "internal", "sql"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// standard is every package of the standard library.
func standard(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, p := range list(t, root, "", "std") {
		out[p.ImportPath] = true
	}
	return out
}

// faults lists every import that the rule does not allow.
func faults(packages []listed, std map[string]bool) []string {
	var out []string
	for _, p := range packages {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		at := placeOf(from)
		if at == "" {
			out = append(out, from+" has no place in the import rule")
			continue
		}
		for _, to := range p.Imports {
			if !allowed(at, to, std) {
				out = append(out, from+" may not import "+strings.TrimPrefix(to, module+"/"))
			}
		}
	}
	return out
}

// placeOf finds the place of a package: its own, or the nearest above it.
func placeOf(path string) string {
	for ; path != "."; path = filepath.ToSlash(filepath.Dir(path)) {
		if _, ok := places[path]; ok {
			return path
		}
	}
	return ""
}

func allowed(at, to string, std map[string]bool) bool {
	p := places[at]
	for what, where := range confined {
		if within(to, what) {
			return slices.Contains(where, at)
		}
	}
	switch path, ours := strings.CutPrefix(to, module+"/"); {
	case std[to]:
		return !slices.Contains(p.without, to)
	case ours:
		return slices.Contains(p.ours, "...") || placeOf(path) == at || slices.Contains(p.ours, placeOf(path))
	}
	return slices.Contains(p.others, "...") || slices.ContainsFunc(p.others, func(m string) bool { return within(to, m) })
}

// within reports whether a package is a module or below it.
func within(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

func TestImportsPointDownwards(t *testing.T) {
	t.Parallel()
	watch(t)
	for _, fault := range faults(house(t, ""), standard(t)) {
		t.Error(fault)
	}
}

// TestImportRuleIsSeenToFail adds a file with a wrong import to packages of ours, for go list only, and expects each of them.
func TestImportRuleIsSeenToFail(t *testing.T) {
	t.Parallel()
	planted := map[string][]string{
		"internal/rules/money":     {"net/http", "math/rand/v2", echo + "/v4", pgx, module + "/internal/problem"},
		"internal/rules":           {module + "/gen/db", cel + "/cel"},
		"internal/rules/condition": {module + "/internal/rules", "net/http", "os", uuid},
		"internal/problem":         {uuid, module + "/internal/rules/reason"},
		"internal/config":          {"github.com/prometheus/client_golang/prometheus"},
		"internal/store":           {module + "/internal/engine", "net/http"},
		"internal/engine":          {module + "/internal/server", module + "/gen/api", "net/http", cel + "/cel"},
		"internal/worker":          {echo + "/v4", module + "/internal/server"},
		"internal/server":          {module + "/internal/dbtest", module + "/internal/postgres"},
		"internal/server/docs":     {module + "/internal/worker"},
		"internal/clicks":          {module + "/internal/engine"},
		"internal/postgres":        {module + "/internal/store"},
		"gen/db":                   {module + "/internal/store"},
		"gen/client":               {module + "/internal/problem", "golang.org/x/text/unicode/norm"},
		"cmd/grapevine":            {echo + "/v4"},
		"examples/go-quickstart":   {module + "/internal/problem"},
	}
	var want []string
	overlay := map[string]map[string]string{"Replace": {}}
	dir := t.TempDir()
	plant := func(path string, imports []string) {
		source := "package planted\n"
		for _, to := range imports {
			source += fmt.Sprintf("import _ %q\n", to)
		}
		file := filepath.Join(dir, strings.ReplaceAll(path, "/", "_")+".go")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		at, err := filepath.Abs(filepath.Join(root, path, "planted.go"))
		if err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][at] = file
	}
	for path, imports := range planted {
		plant(path, imports)
		for _, to := range imports {
			want = append(want, path+" may not import "+strings.TrimPrefix(to, module+"/"))
		}
	}
	plant("internal/newcomer", nil)
	want = append(want, "internal/newcomer has no place in the import rule")

	raw, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	got := faults(house(t, file), standard(t))
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not found: %s", w)
		}
	}
}
