package validate

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Item is one thing of a schema, such as {"column", "codes.uses", "bigint NOT NULL"}.
type Item struct {
	Kind       string
	Name       string
	Definition string
}

// String is the item as a line of schema.txt.
func (i Item) String() string {
	if i.Definition == "" {
		return i.Kind + " | " + i.Name
	}
	return i.Kind + " | " + i.Name + " | " + i.Definition
}

// Querier is a connection, or a transaction on one.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

//go:embed schema.txt
var required []byte

// Required returns what this program needs of a schema.
func Required() []Item {
	var items []Item
	lines := bufio.NewScanner(bytes.NewReader(required))
	for lines.Scan() {
		parts := append(strings.SplitN(lines.Text(), " | ", 3), "")
		items = append(items, Item{Kind: parts[0], Name: parts[1], Definition: parts[2]})
	}
	return items
}

// Read lists what the current schema of a database holds of the kinds that Required knows.
func Read(ctx context.Context, db Querier) ([]Item, error) {
	var items []Item
	for _, c := range catalogue {
		rows, err := db.Query(ctx, c.sql)
		if err != nil {
			return nil, fmt.Errorf("validate: read each %s: %w", c.kind, err)
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Item, error) {
			i := Item{Kind: c.kind}
			err := row.Scan(&i.Name, &i.Definition)
			i.Definition = strings.Join(strings.Fields(i.Definition), " ") // one line each
			return i, err
		})
		if err != nil {
			return nil, fmt.Errorf("validate: read each %s: %w", c.kind, err)
		}
		items = append(items, found...)
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return items, nil
}

// Schema returns one line for everything that a database lacks, has otherwise than required, or must not have.
func Schema(ctx context.Context, db Querier) ([]string, error) {
	have, err := Read(ctx, db)
	if err != nil {
		return nil, err
	}
	lines := Compare(Required(), have)
	for _, r := range Rules {
		offenders, err := r.Offenders(ctx, db)
		if err != nil {
			return nil, err
		}
		for _, o := range offenders {
			lines = append(lines, "rule broken: "+r.Name+": "+o)
		}
	}
	return lines, nil
}

// The kinds of which nothing may be there beyond what is required: what the application's role may do is all that it may do, and
// a code or an arrow that this program does not know means nothing.
const (
	privilege   = "privilege"
	arrow       = "arrow"
	reasonCode  = "reason code"
	problemCode = "problem code"
)

// Compare returns what is missing of want, what is there and differs, and what is there and must not be.
func Compare(want, have []Item) []string {
	type key struct{ kind, name string }
	found := map[key]Item{}
	for _, h := range have {
		found[key{h.Kind, h.Name}] = h
	}
	var lines []string
	for _, w := range want {
		k := key{w.Kind, w.Name}
		h, ok := found[k]
		switch {
		case !ok:
			lines = append(lines, "missing: "+w.String())
		case h.Definition != w.Definition:
			lines = append(lines, fmt.Sprintf("differs: %s, found %s", w, cmp.Or(h.Definition, "nothing")))
		}
		delete(found, k)
	}
	for _, h := range have {
		if _, beyond := found[key{h.Kind, h.Name}]; beyond && slices.Contains([]string{privilege, arrow, reasonCode, problemCode}, h.Kind) {
			lines = append(lines, "too much: "+h.String())
		}
	}
	return lines
}
