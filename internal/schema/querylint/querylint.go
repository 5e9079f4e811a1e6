// Package querylint holds the statements of sql/queries to the rules that let the same SQL run on one PostgreSQL and on a
// distributed one, and that keep workspaces apart:
//
//   - every table that a statement names is bound to @workspace_id: compared with it, or joined by workspace_id to one that is;
//     an INSERT writes it. The value is a parameter, never a setting or a sub-select;
//   - workspace_id is never updated, and is part of every conflict target, which is named by its columns;
//   - ON CONFLICT DO UPDATE takes its values from EXCLUDED, the row and parameters; no sub-select stands inside VALUES;
//   - only functions that are known to be immutable are called, and nothing reads the clock of the database or its session;
//   - no MERGE, no advisory lock, no LISTEN: nothing but SELECT, INSERT, UPDATE and DELETE.
//
// The statements are parsed by PostgreSQL's own grammar (libpg_query, compiled to WebAssembly). sqlc's @name needs no
// replacement: to the grammar it is a prefix operator before a column.
package querylint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/wasilibs/go-pgquery/parser"
)

// Query is one named statement of a query file.
type Query struct {
	Name string
	Text string // with the comments between its header and its end
}

var (
	header   = regexp.MustCompile(`(?m)^-- name: (\w+) :\w+$`)
	comments = regexp.MustCompile(`(?m)^(--.*)?\n`)
)

// Split cuts a query file at its sqlc headers. A statement before the first header is a query without a name.
func Split(file string) []Query {
	var out []Query
	heads := header.FindAllStringSubmatchIndex(file, -1)
	first := len(file)
	if len(heads) > 0 {
		first = heads[0][0]
	}
	if before := file[:first]; comments.ReplaceAllString(before, "") != "" {
		out = append(out, Query{Text: before})
	}
	for i, h := range heads {
		end := len(file)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		out = append(out, Query{Name: file[h[2]:h[3]], Text: file[h[1]:end]})
	}
	return out
}

// Commented reports whether a query says something about itself.
func (q Query) Commented() bool {
	return slices.ContainsFunc(strings.Split(q.Text, "\n"), func(line string) bool { return strings.HasPrefix(line, "-- ") })
}

// Lint returns what is wrong with one statement, nothing when it keeps the rules.
func Lint(sql string) ([]string, error) {
	tree, err := parser.ParseToJSON(sql)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Stmts []struct {
			Stmt node `json:"stmt"`
		} `json:"stmts"`
	}
	if err := json.Unmarshal([]byte(tree), &parsed); err != nil {
		return nil, err
	}
	if len(parsed.Stmts) != 1 {
		return []string{fmt.Sprintf("has %d statements, want one", len(parsed.Stmts))}, nil
	}
	kind, stmt := unwrap(parsed.Stmts[0].Stmt)
	if !statements[kind] {
		return []string{"is a " + kind + ": only SELECT, INSERT, UPDATE and DELETE are allowed"}, nil
	}
	l := &linter{}
	l.expressions(stmt)
	l.statement(kind, stmt, nil)
	slices.Sort(l.findings)
	return slices.Compact(l.findings), nil
}

type linter struct{ findings []string }

func (l *linter) add(format string, args ...any) {
	l.findings = append(l.findings, fmt.Sprintf(format, args...))
}

var statements = map[string]bool{"SelectStmt": true, "InsertStmt": true, "UpdateStmt": true, "DeleteStmt": true}

// functions are those that a statement may call: immutable ones, aggregates of them, and sqlc's own notation. Look the
// volatility up in pg_proc before adding one. Of to_timestamp only the one of a number is immutable.
var functions = []string{
	"bool_or", "cardinality", "count", "left", "max", "min", "sum", "to_timestamp", "translate", "unnest", "sqlc.arg", "sqlc.embed", "sqlc.narg",
}

// clockLiterals are texts that become the time of day when they are cast.
var clockLiterals = []string{"now", "today", "tomorrow", "yesterday"}

// expressions looks at every function call and literal of a statement, wherever it stands.
func (l *linter) expressions(stmt node) {
	walk(stmt, func(kind string, n node) bool {
		switch kind {
		case "FuncCall":
			if name := strings.Join(texts(n["funcname"]), "."); !slices.Contains(functions, name) {
				l.add("calls %s, which is not among the immutable functions that statements may call", name)
			}
		case "SQLValueFunction":
			l.add("reads the clock or the session of the database (%v)", n["op"])
		case "TypeCast":
			_, arg := unwrap(n["arg"])
			if literal, _ := object(arg["sval"])["sval"].(string); slices.Contains(clockLiterals, strings.ToLower(literal)) {
				l.add("reads the clock of the database (%q)", literal)
			}
		case "MergeStmt":
			l.add("is a MERGE")
		}
		return true
	})
}
