package querylint

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/wasilibs/go-pgquery/parser"
)

// LintMigration returns what is wrong with a migration file: it is one transaction already, so it begins and ends none; what
// must run outside one stands alone; every statement can be told from the next by its semicolon; constraints are added one by
// one, so that each can be distributed.
func LintMigration(sql string) ([]string, error) {
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
	l := &linter{}
	if strings.Count(sql, ";") != len(parsed.Stmts) {
		l.add("has a semicolon inside a statement or a comment, or lacks one at the end of a statement")
	}
	for _, s := range parsed.Stmts {
		kind, stmt := unwrap(s.Stmt)
		l.migrates(kind, stmt, len(parsed.Stmts))
	}
	slices.Sort(l.findings)
	return slices.Compact(l.findings), nil
}

func (l *linter) migrates(kind string, stmt node, statements int) {
	switch kind {
	case "TransactionStmt":
		l.add("begins or ends a transaction")
	case "IndexStmt":
		if stmt["concurrent"] == true && statements > 1 {
			l.add("makes an index concurrently beside other statements")
		}
	case "AlterTableStmt":
		constraints := 0
		for _, cmd := range list(stmt["cmds"]) {
			if _, n := unwrap(cmd); n["subtype"] == "AT_AddConstraint" {
				constraints++
			}
		}
		if constraints > 1 {
			l.add("adds several constraints in one ALTER TABLE")
		}
	}
}
