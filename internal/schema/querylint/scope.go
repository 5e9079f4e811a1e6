package querylint

import "slices"

// scope is one level of a statement: the tables it names, by alias, and which of them are bound to @workspace_id.
type scope struct {
	outer  *scope
	tables []string
	ctes   []string
	bound  map[string]bool
	edges  []edge
}

// edge says that to is bound when from is; an empty from is the parameter itself.
type edge struct{ from, to string }

func newScope(outer *scope, stmt node) *scope {
	s := &scope{outer: outer, bound: map[string]bool{}}
	for _, cte := range list(object(stmt["withClause"])["ctes"]) {
		_, n := unwrap(cte)
		name, _ := n["ctename"].(string)
		s.ctes = append(s.ctes, name)
	}
	return s
}

// isCTE reports whether a name is that of a WITH query: its tables are bound inside.
func (s *scope) isCTE(name string) bool {
	return s != nil && (slices.Contains(s.ctes, name) || s.outer.isCTE(name))
}

func (s *scope) isBound(alias string) bool {
	return s != nil && (s.bound[alias] || !slices.Contains(s.tables, alias) && s.outer.isBound(alias))
}

// table adds a table and returns its alias, empty for a WITH query.
func (s *scope) table(rangeVar node) string {
	if name, _ := rangeVar["relname"].(string); s.isCTE(name) && rangeVar["schemaname"] == nil {
		return ""
	}
	alias := aliasOf(rangeVar)
	s.tables = append(s.tables, alias)
	return alias
}

// from adds the tables of a FROM item and returns their aliases. The condition of an outer join restricts only the side that
// may be missing, so only that side can be bound by it.
func (s *scope) from(item any) []string {
	switch kind, n := unwrap(item); kind {
	case "RangeVar":
		if alias := s.table(n); alias != "" {
			return []string{alias}
		}
	case "JoinExpr":
		left, right := s.from(n["larg"]), s.from(n["rarg"])
		var restricted []string
		switch n["jointype"] {
		case "JOIN_INNER":
			restricted = slices.Concat(left, right)
		case "JOIN_LEFT":
			restricted = right
		case "JOIN_RIGHT":
			restricted = left
		}
		s.where(n["quals"], restricted)
		return slices.Concat(left, right)
	}
	return nil
}

// where takes in the equalities of a condition, as far as they bind the given tables.
func (s *scope) where(condition any, tables []string) {
	for _, c := range conjuncts(condition) {
		kind, n := unwrap(c)
		if kind != "A_Expr" || operator(n) != "=" {
			continue
		}
		left, leftOK := s.workspaceOf(n["lexpr"])
		right, rightOK := s.workspaceOf(n["rexpr"])
		if rightOK && slices.Contains(tables, right) && (leftOK || isWorkspaceParameter(n["lexpr"])) {
			s.edges = append(s.edges, edge{from: left, to: right})
		}
		if leftOK && slices.Contains(tables, left) && (rightOK || isWorkspaceParameter(n["rexpr"])) {
			s.edges = append(s.edges, edge{from: right, to: left})
		}
	}
}

// workspaceOf returns the alias whose workspace_id an expression is.
func (s *scope) workspaceOf(v any) (string, bool) {
	qualifier, name, ok := column(v)
	switch {
	case !ok || name != "workspace_id":
		return "", false
	case qualifier == "" && len(s.tables) == 1:
		return s.tables[0], true
	}
	return qualifier, qualifier != ""
}

// bind follows the equalities from the parameter and from what an outer level has bound.
func (s *scope) bind() {
	for again := true; again; {
		again = false
		for _, e := range s.edges {
			if !s.bound[e.to] && (e.from == "" || s.isBound(e.from)) {
				s.bound[e.to], again = true, true
			}
		}
	}
}
