package validate

// catalogue says how each kind of thing is read: name and definition of every one in the current schema. Partitions that are
// made as time goes by are left out, as are the tables of the migration tool; but what the application's role may do is asked
// of partitions too. Definitions are PostgreSQL's own text, so that two databases of one version have equal ones.
var catalogue = []struct{ kind, sql string }{
	{"table", `
		SELECT c.relname::text,
			CASE
				WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid)
				WHEN c.relispartition THEN 'PARTITION OF ' || i.inhparent::regclass || ' ' || pg_get_expr(c.relpartbound, c.oid)
				ELSE ''
			END
		FROM pg_class AS c
		LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
		WHERE ` + ours + ` AND (NOT c.relispartition OR pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT')`},
	{"column", `
		SELECT c.relname || '.' || a.attname,
			concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
				CASE WHEN d.oid IS NOT NULL THEN CASE a.attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ' END || pg_get_expr(d.adbin, d.adrelid) END,
				CASE WHEN a.attidentity <> '' THEN 'IDENTITY' END)
		FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE ` + ours + ` AND NOT c.relispartition`},
	{"key", `
		SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
		FROM pg_class AS c
		JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x', 'f')
		WHERE ` + ours + ` AND NOT c.relispartition`},
	{"check", `
		SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
		FROM pg_class AS c
		JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'c'
		WHERE ` + ours + ` AND NOT c.relispartition`},
	{"index", `
		SELECT c.relname || '.' || x.relname,
			replace(pg_get_indexdef(x.oid), quote_ident(current_schema()) || '.', '') || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
		FROM pg_class AS c
		JOIN pg_index AS i ON i.indrelid = c.oid
		JOIN pg_class AS x ON x.oid = i.indexrelid
		WHERE ` + ours + ` AND NOT c.relispartition
			AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))`},
	{privilege, `
		SELECT p.privilege || ' ON ' || c.relname, ''
		FROM pg_class AS c
		JOIN pg_roles AS r ON r.rolname = 'grapevine_app'
		CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (privilege)
		WHERE ` + ours + ` AND has_table_privilege(r.oid, c.oid, p.privilege)
		UNION ALL
		SELECT 'UPDATE ON ' || c.relname || '.' || a.attname, ''
		FROM pg_class AS c
		JOIN pg_roles AS r ON r.rolname = 'grapevine_app'
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE ` + ours + ` AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')`},
}

// ours restricts pg_class AS c to the tables of the program.
const ours = `c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('schema_migrations', 'schema_migrations_lock')`
