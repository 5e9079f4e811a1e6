package querylint

// node is an object of the parse tree. A node in a position that several kinds can take is wrapped: {"ColumnRef": {…}}.
type node = map[string]any

// unwrap returns the kind and the content of a wrapped node.
func unwrap(v any) (string, node) {
	for kind, content := range object(v) {
		return kind, object(content)
	}
	return "", nil
}

func object(v any) node {
	n, _ := v.(node)
	return n
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// walk visits every wrapped node below v, parents first; visit returns false to stay out of a node.
func walk(v any, visit func(kind string, n node) bool) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			walk(item, visit)
		}
	case node:
		for key, child := range v {
			if n, ok := child.(node); ok && key[0] >= 'A' && key[0] <= 'Z' && !visit(key, n) {
				continue
			}
			walk(child, visit)
		}
	}
}

// texts returns the strings of a list of String nodes, the parts of a qualified name.
func texts(v any) []string {
	var out []string
	for _, item := range list(v) {
		if _, n := unwrap(item); n != nil {
			if s, ok := n["sval"].(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// column returns the qualifier and name of a column reference.
func column(v any) (qualifier, name string, ok bool) {
	kind, n := unwrap(v)
	if kind != "ColumnRef" {
		return "", "", false
	}
	switch parts := texts(n["fields"]); len(parts) {
	case 1:
		return "", parts[0], true
	case 2:
		return parts[0], parts[1], true
	}
	return "", "", false
}

// aliasOf returns the name by which a statement speaks of a table.
func aliasOf(rangeVar node) string {
	if alias, ok := object(rangeVar["alias"])["aliasname"].(string); ok {
		return alias
	}
	name, _ := rangeVar["relname"].(string)
	return name
}

// isWorkspaceParameter reports whether an expression is @workspace_id, with or without a cast.
func isWorkspaceParameter(v any) bool {
	kind, n := unwrap(v)
	if kind == "TypeCast" {
		return isWorkspaceParameter(n["arg"])
	}
	if kind != "A_Expr" || n["lexpr"] != nil || operator(n) != "@" {
		return false
	}
	operand := n["rexpr"]
	if kind, cast := unwrap(operand); kind == "TypeCast" { // @x::uuid is @(x::uuid) to the grammar
		operand = cast["arg"]
	}
	qualifier, name, ok := column(operand)
	return ok && qualifier == "" && name == "workspace_id"
}

func operator(expr node) string {
	if expr["kind"] != "AEXPR_OP" {
		return ""
	}
	if name := texts(expr["name"]); len(name) == 1 {
		return name[0]
	}
	return ""
}

// conjuncts returns the conditions that must all hold for an expression to hold.
func conjuncts(v any) []any {
	kind, n := unwrap(v)
	if kind == "" {
		return nil
	}
	if kind != "BoolExpr" || n["boolop"] != "AND_EXPR" {
		return []any{v}
	}
	var out []any
	for _, arg := range list(n["args"]) {
		out = append(out, conjuncts(arg)...)
	}
	return out
}
