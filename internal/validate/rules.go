package validate

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Rule is something that no schema of this program may do. Query names the offenders, one row each.
type Rule struct {
	Name  string
	Query string
}

// Offenders returns what breaks the rule.
func (r Rule) Offenders(ctx context.Context, db Querier) ([]string, error) {
	rows, err := db.Query(ctx, r.Query)
	if err != nil {
		return nil, fmt.Errorf("validate: %s: %w", r.Name, err)
	}
	offenders, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("validate: %s: %w", r.Name, err)
	}
	return offenders, nil
}

// Rules are what lets the schema run on one PostgreSQL and on a distributed one, and what keeps workspaces apart. Plain
// PostgreSQL would accept every breach.
var Rules = []Rule{
	{"every table begins with workspace_id uuid NOT NULL", `
		SELECT c.relname::text FROM pg_class AS c
		WHERE ` + ours + ` AND NOT EXISTS (
			SELECT FROM pg_attribute AS a
			WHERE a.attrelid = c.oid AND a.attnum = 1 AND a.attname = 'workspace_id' AND a.atttypid = 'uuid'::regtype AND a.attnotnull)`},
	{"every table has a primary key", `
		SELECT c.relname::text FROM pg_class AS c
		WHERE ` + ours + ` AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p')`},
	{"every unique key begins with workspace_id", `
		SELECT x.relname::text FROM pg_class AS c
		JOIN pg_index AS i ON i.indrelid = c.oid
		JOIN pg_class AS x ON x.oid = i.indexrelid
		LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		WHERE ` + ours + ` AND (i.indisunique OR i.indisexclusion) AND a.attname IS DISTINCT FROM 'workspace_id'`},
	{"both sides of every foreign key begin with workspace_id, and their types are equal", `
		SELECT k.conname::text FROM pg_class AS c
		JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'f'
		JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
		JOIN pg_attribute AS b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
		WHERE ` + ours + ` AND (
			a.attname <> 'workspace_id' OR b.attname <> 'workspace_id' OR EXISTS (
				SELECT FROM unnest(k.conkey, k.confkey) AS pair (here, there)
				JOIN pg_attribute AS h ON h.attrelid = k.conrelid AND h.attnum = pair.here
				JOIN pg_attribute AS t ON t.attrelid = k.confrelid AND t.attnum = pair.there
				WHERE h.atttypid <> t.atttypid))`},
	{"no foreign key acts on its own: no CASCADE, SET NULL or SET DEFAULT", `
		SELECT k.conname::text FROM pg_class AS c
		JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'f'
		WHERE ` + ours + ` AND (k.confdeltype NOT IN ('a', 'r') OR k.confupdtype NOT IN ('a', 'r'))`},
	{"clicks has no foreign keys, so that it can be distributed online", `
		SELECT k.conname::text FROM pg_class AS c
		JOIN pg_constraint AS k ON c.oid IN (k.conrelid, k.confrelid) AND k.contype = 'f'
		WHERE ` + ours + ` AND c.relname = 'clicks'`},
	{"no constraint is deferrable or not validated", `
		SELECT k.conname::text FROM pg_class AS c
		JOIN pg_constraint AS k ON k.conrelid = c.oid
		WHERE ` + ours + ` AND (k.condeferrable OR NOT k.convalidated)`},
	{"no triggers", `
		SELECT t.tgname::text FROM pg_class AS c
		JOIN pg_trigger AS t ON t.tgrelid = c.oid
		WHERE ` + ours + ` AND NOT t.tgisinternal`},
	{"no rewrite rules and no row security", `
		SELECT c.relname::text FROM pg_class AS c
		WHERE ` + ours + ` AND (c.relrowsecurity OR c.relforcerowsecurity
			OR EXISTS (SELECT FROM pg_rewrite AS r WHERE r.ev_class = c.oid) OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid))`},
	{"no inheritance but one level of partitions", `
		SELECT c.relname::text FROM pg_class AS c
		JOIN pg_inherits AS i ON i.inhrelid = c.oid
		WHERE ` + ours + ` AND (NOT c.relispartition OR c.relkind = 'p')`},
	{"every table is logged", `
		SELECT c.relname::text FROM pg_class AS c WHERE ` + ours + ` AND c.relpersistence <> 'p'`},
	{"no functions and no procedures", `
		SELECT p.oid::regprocedure::text FROM pg_proc AS p
		WHERE p.pronamespace = current_schema()::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`},
	{"no sequences", `
		SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S'`},
	{"no views", `
		SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')`},
	{"no defaults but constants", `
		SELECT c.relname || '.' || a.attname FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid
		LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE ` + ours + ` AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) !~ '^(''[^'']*''(::[a-z ]+(\[\])?)?|-?[0-9]+|true|false)$')`},
	{"no types of its own: closed sets are text and a check", `
		SELECT t.typname::text FROM pg_type AS t
		WHERE t.typnamespace = current_schema()::regnamespace AND (t.typtype IN ('e', 'd', 'r')
			OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c'))`},
	{"money is a whole number: no numeric, no floating point", `
		SELECT c.relname || '.' || a.attname FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE ` + ours + ` AND a.atttypid IN ('numeric'::regtype, 'real'::regtype, 'double precision'::regtype, 'money'::regtype)`},
	{"times carry their zone", `
		SELECT c.relname || '.' || a.attname FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE ` + ours + ` AND a.atttypid IN ('timestamp'::regtype, 'time'::regtype, 'timetz'::regtype)`},
	{"every table says in a comment what one row is", `
		SELECT c.relname::text FROM pg_class AS c
		WHERE ` + ours + ` AND NOT c.relispartition AND coalesce(obj_description(c.oid, 'pg_class'), '') !~ '\.$'`},
	{"the application's role has no rights of its own", `
		SELECT coalesce(r.rolname::text, 'the role is missing') FROM (SELECT) AS one
		LEFT JOIN pg_roles AS r ON r.rolname = 'grapevine_app'
		WHERE r.oid IS NULL OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
			OR has_schema_privilege(r.oid, current_schema(), 'CREATE')`},
	{"the application's role owns nothing and is a member of no other role", `
		SELECT d.classid::regclass || ' ' || d.objid FROM pg_shdepend AS d
		JOIN pg_roles AS r ON r.oid = d.refobjid AND r.rolname = 'grapevine_app'
		WHERE d.deptype = 'o' AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
		UNION ALL
		SELECT m.roleid::regrole::text FROM pg_auth_members AS m
		JOIN pg_roles AS r ON r.oid = m.member AND r.rolname = 'grapevine_app'`},
	// fact_keys.key is only ever set to itself, to lock its row; an erasure gives a visitor another name.
	{"the application's role updates columns, never a key or workspace_id", `
		SELECT c.relname || '.' || a.attname FROM pg_class AS c
		JOIN pg_roles AS r ON r.rolname = 'grapevine_app'
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE ` + ours + ` AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')
			AND c.relname || '.' || a.attname NOT IN ('fact_keys.key', 'visitor_days.visitor')
			AND (a.attname = 'workspace_id' OR EXISTS (
				SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)))`},
	// But where a person can be named or known again: its erasure writes over that.
	{"the application's role only adds to what is append-only", `
		SELECT p.privilege || ' ON ' || c.relname FROM pg_class AS c
		JOIN pg_roles AS r ON r.rolname = 'grapevine_app'
		CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (privilege)
		WHERE ` + ours + `
			AND (c.relispartition OR c.relname IN ('clicks', 'signups', 'attribution_decisions', 'reversals', 'churns', 'ledger_transfers', 'events',
				'program_versions', 'visitor_days', 'credit_redemptions', 'credit_redemption_items', 'credit_redemption_voids', 'event_seals',
				'event_checkpoints', 'erasure_tombstones'))
			AND CASE p.privilege
				WHEN 'UPDATE' THEN EXISTS (
					SELECT FROM pg_attribute AS a
					WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')
						AND c.relname || '.' || a.attname NOT IN ('clicks.visitor', 'clicks.visitor_key', 'clicks.address_hash', 'clicks.utm',
							'clicks.referrer_host', 'signups.external_id', 'signups.fingerprint', 'signups.metadata', 'reversals.external_id',
							'reversals.conversion_external_id', 'reversals.fingerprint', 'reversals.note', 'churns.external_id',
							'churns.fingerprint', 'events.note', 'events.note_salt', 'visitor_days.visitor', 'credit_redemptions.external_id',
							'credit_redemptions.note', 'credit_redemption_voids.note'))
				WHEN 'REFERENCES' THEN has_any_column_privilege(r.oid, c.oid, p.privilege)
				ELSE has_table_privilege(r.oid, c.oid, p.privilege) END`},
}
