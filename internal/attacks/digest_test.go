package attacks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unsearched tables are no part of what must be unchanged: a refusal may be stored under its key, and migrations are not requests.
var unsearched = []string{"idempotency_keys", "schema_migrations"}

// digest is the state of the database: a hash for each table and workspace.
type digest map[part]string

type part struct{ table, workspace string }

// digester reads digests. Its statement names every table that there is, so that a new table is watched from its first day.
type digester struct{ sql string }

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func newDigester(ctx context.Context, on querier) (digester, error) {
	rows, err := on.Query(ctx, `
		SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT attisdropped)
		FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		ORDER BY 1`)
	if err != nil {
		return digester{}, err
	}
	var parts []string
	var table string
	var ofWorkspace bool
	_, err = pgx.ForEachRow(rows, []any{&table, &ofWorkspace}, func() error {
		if slices.Contains(unsearched, table) {
			return nil
		}
		workspace := "''"
		if ofWorkspace {
			workspace = "workspace_id::text"
		}
		parts = append(parts, fmt.Sprintf("SELECT '%s', %s, count(*) || ' rows ' || sum(hashtextextended(t::text, 0)) FROM %s t GROUP BY 2",
			table, workspace, pgx.Identifier{table}.Sanitize()))
		return nil
	})
	return digester{strings.Join(parts, " UNION ALL ")}, err
}

func (d digester) read(ctx context.Context, on querier) (digest, error) {
	rows, err := on.Query(ctx, d.sql)
	if err != nil {
		return nil, err
	}
	out := digest{}
	var p part
	var hash string
	_, err = pgx.ForEachRow(rows, []any{&p.table, &p.workspace, &hash}, func() error {
		out[p] = hash
		return nil
	})
	return out, err
}

var (
	moneyTables = []string{"ledger_accounts", "ledger_transfers", "rewards", "credit_redemptions", "credit_redemption_items", "credit_redemption_voids"}
	factTables  = []string{"clicks", "signups", "attribution_decisions", "referrals", "conversions"}
)

// covers says whether a part of the database is among what must be unchanged.
func covers(what string, p part, own string) bool {
	switch what {
	case "W":
		return true
	case "V":
		return p.workspace != own
	case "L":
		return slices.Contains(moneyTables, p.table)
	case "A":
		return slices.Contains(factTables, p.table)
	}
	return false
}

// changes lists what is not as it was.
func changes(before, after digest, what, own string) []string {
	var out []string
	all := maps.Clone(before)
	maps.Copy(all, after)
	for p := range all {
		if before[p] != after[p] && covers(what, p, own) {
			out = append(out, fmt.Sprintf("%s of %s: %q became %q", p.table, p.workspace, before[p], after[p]))
		}
	}
	slices.Sort(out)
	return out
}
