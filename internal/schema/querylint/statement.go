package querylint

import "slices"

// statement lints one level and everything nested in it.
func (l *linter) statement(kind string, stmt node, outer *scope) {
	s := newScope(outer, stmt)
	switch kind {
	case "SelectStmt":
		l.selects(stmt, s)
	case "InsertStmt":
		l.inserts(stmt)
	case "UpdateStmt":
		l.changes(stmt, "fromClause", s)
		l.assignments(stmt["targetList"])
	case "DeleteStmt":
		l.changes(stmt, "usingClause", s)
	}
	s.bind()
	for _, alias := range s.tables {
		if !s.bound[alias] {
			l.add("does not bind workspace_id of %s to @workspace_id", alias)
		}
	}
	walk(stmt, func(kind string, n node) bool {
		if statements[kind] {
			l.statement(kind, n, s)
			return false
		}
		return true
	})
}

func (l *linter) selects(stmt node, s *scope) {
	for _, arm := range []string{"larg", "rarg"} { // the arms of UNION and its like are not wrapped, so walk would miss them
		if n := object(stmt[arm]); n != nil {
			stmt[arm] = node{"SelectStmt": n}
		}
	}
	for _, item := range list(stmt["fromClause"]) {
		s.from(item)
	}
	s.where(stmt["whereClause"], s.tables)
	walk(stmt["valuesLists"], func(kind string, _ node) bool {
		if kind == "SubLink" {
			l.add("has a sub-select inside VALUES")
		}
		return kind != "SubLink"
	})
}

// changes reads the tables of an UPDATE or DELETE.
func (l *linter) changes(stmt node, more string, s *scope) {
	s.table(object(stmt["relation"]))
	for _, item := range list(stmt[more]) {
		s.from(item)
	}
	s.where(stmt["whereClause"], s.tables)
}

func (l *linter) assignments(targets any) {
	for _, t := range list(targets) {
		if _, n := unwrap(t); n["name"] == "workspace_id" {
			l.add("updates workspace_id")
		}
	}
}

func (l *linter) inserts(stmt node) {
	at := slices.IndexFunc(list(stmt["cols"]), func(c any) bool {
		_, n := unwrap(c)
		return n["name"] == "workspace_id"
	})
	_, source := unwrap(stmt["selectStmt"])
	if at < 0 || !writesWorkspace(source, at) {
		l.add("does not insert @workspace_id as workspace_id")
	}
	if conflict := object(stmt["onConflictClause"]); conflict != nil {
		l.conflict(conflict, object(stmt["relation"]))
	}
}

// writesWorkspace reports whether the value at a position is @workspace_id in every row of VALUES, or in the select list.
func writesWorkspace(source node, at int) bool {
	rows := list(source["valuesLists"])
	for _, row := range rows {
		_, n := unwrap(row)
		items := list(n["items"])
		if at >= len(items) || !isWorkspaceParameter(items[at]) {
			return false
		}
	}
	if len(rows) > 0 {
		return true
	}
	targets := list(source["targetList"])
	if at >= len(targets) {
		return false
	}
	_, target := unwrap(targets[at])
	return isWorkspaceParameter(target["val"])
}

func (l *linter) conflict(conflict, table node) {
	infer := object(conflict["infer"])
	if infer["conname"] != nil {
		l.add("names the constraint of a conflict, whose name a distributed database may change: name its columns")
	} else if infer != nil && !slices.ContainsFunc(list(infer["indexElems"]), func(e any) bool {
		_, n := unwrap(e)
		return n["name"] == "workspace_id"
	}) {
		l.add("has a conflict target without workspace_id")
	}
	l.assignments(conflict["targetList"])
	allowed := []string{"excluded", aliasOf(table)}
	for _, part := range []any{conflict["targetList"], conflict["whereClause"]} {
		walk(part, func(kind string, n node) bool {
			if kind == "SubLink" {
				l.add("has a sub-select in ON CONFLICT DO UPDATE")
			}
			if qualifier, _, ok := column(node{kind: n}); ok && qualifier != "" && !slices.Contains(allowed, qualifier) {
				l.add("takes %s in ON CONFLICT DO UPDATE, want EXCLUDED, the row or a parameter", qualifier)
			}
			return kind != "SubLink"
		})
	}
}
