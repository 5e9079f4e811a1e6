package querylint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/schema/querylint"
)

// exempt are the statements that do not bind a workspace, and say why in a comment.
var exempt = map[string]bool{"ListAllWorkspaces": true}

func TestQueriesKeepTheRules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../sql/queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no query files: %v", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range querylint.Split(string(content)) {
			seen[q.Name] = true
			findings, err := querylint.Lint(q.Text)
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(file), q.Name, err)
			}
			if exempt[q.Name] {
				checkExemption(t, q, findings)
				continue
			}
			for _, f := range findings {
				t.Errorf("%s: %s %s", filepath.Base(file), q.Name, f)
			}
		}
	}
	for name := range exempt {
		if !seen[name] {
			t.Errorf("%s is exempt and does not exist", name)
		}
	}
}

// checkExemption lets one rule pass, only while it is broken, and only with a reason that a reader sees.
func checkExemption(t *testing.T, q querylint.Query, findings []string) {
	t.Helper()
	if len(findings) != 1 || !strings.HasPrefix(findings[0], "does not bind workspace_id of ") {
		t.Errorf("%s is exempt from binding a workspace alone, and has the findings %q", q.Name, findings)
	}
	if !q.Commented() {
		t.Errorf("%s is exempt and does not say why in a comment", q.Name)
	}
}

func TestGoodStatementsPass(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"one table":              `SELECT * FROM codes WHERE workspace_id = @workspace_id AND id = @id`,
		"parameter on the left":  `SELECT * FROM codes WHERE @workspace_id = workspace_id`,
		"cast parameter":         `SELECT * FROM codes WHERE workspace_id = @workspace_id::uuid`,
		"join by workspace":      `SELECT * FROM codes c JOIN programs p ON p.workspace_id = c.workspace_id AND p.id = c.program_id WHERE c.workspace_id = @workspace_id`,
		"chain of joins":         `SELECT * FROM a JOIN b ON b.workspace_id = a.workspace_id JOIN c ON c.workspace_id = b.workspace_id WHERE c.workspace_id = @workspace_id`,
		"left join":              `SELECT * FROM a LEFT JOIN b ON b.workspace_id = a.workspace_id WHERE a.workspace_id = @workspace_id`,
		"correlated sub-select":  `SELECT * FROM a WHERE a.workspace_id = @workspace_id AND EXISTS (SELECT 1 FROM b WHERE b.workspace_id = a.workspace_id)`,
		"bound sub-select":       `SELECT * FROM a WHERE workspace_id = @workspace_id AND id IN (SELECT id FROM b WHERE workspace_id = @workspace_id)`,
		"union":                  `SELECT id FROM a WHERE workspace_id = @workspace_id UNION SELECT id FROM b WHERE workspace_id = @workspace_id`,
		"with":                   `WITH x AS (SELECT id FROM a WHERE workspace_id = @workspace_id) SELECT * FROM x`,
		"insert":                 `INSERT INTO a (workspace_id, id) VALUES (@workspace_id, @id) ON CONFLICT (workspace_id, id) DO NOTHING`,
		"insert of arrays":       `INSERT INTO a (id, workspace_id) SELECT t.id, @workspace_id::uuid FROM (SELECT unnest(@ids::uuid[]) AS id) AS t`,
		"upsert":                 `INSERT INTO a (workspace_id, n) VALUES (@workspace_id, 1) ON CONFLICT (workspace_id) DO UPDATE SET n = a.n + EXCLUDED.n, m = coalesce(a.m, @m) WHERE a.n < EXCLUDED.n`,
		"update":                 `UPDATE a SET n = n + @n WHERE workspace_id = @workspace_id RETURNING *`,
		"update from":            `UPDATE a SET n = b.n FROM b WHERE a.workspace_id = @workspace_id AND b.workspace_id = a.workspace_id`,
		"delete":                 `DELETE FROM a WHERE workspace_id = @workspace_id AND created_at < @before`,
		"no table":               `SELECT @a::bigint + 1`,
		"sqlc's own functions":   `SELECT sqlc.embed(a) FROM a WHERE workspace_id = @workspace_id AND (sqlc.narg('x')::text IS NULL OR x = sqlc.narg('x'))`,
		"aggregate and row lock": `SELECT coalesce(sum(n), 0)::bigint FROM a WHERE workspace_id = @workspace_id FOR UPDATE`,
	} {
		if findings, err := querylint.Lint(sql); err != nil || len(findings) > 0 {
			t.Errorf("%s: %q, %v", name, findings, err)
		}
	}
}

func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"no workspace":               {`SELECT * FROM a WHERE id = @id`, "does not bind workspace_id of a"},
		"no condition":               {`SELECT * FROM a`, "does not bind workspace_id of a"},
		"another parameter":          {`SELECT * FROM a WHERE workspace_id = @other`, "does not bind"},
		"a literal":                  {`SELECT * FROM a WHERE workspace_id = '00000000-0000-7000-8000-000000000000'`, "does not bind"},
		"a list":                     {`SELECT * FROM a WHERE workspace_id = ANY(@workspace_id::uuid[])`, "does not bind"},
		"not equal":                  {`SELECT * FROM a WHERE workspace_id >= @workspace_id`, "does not bind"},
		"negated":                    {`SELECT * FROM a WHERE NOT (workspace_id = @workspace_id)`, "does not bind"},
		"or":                         {`SELECT * FROM a WHERE workspace_id = @workspace_id OR id = @id`, "does not bind"},
		"join without":               {`SELECT * FROM a JOIN b ON b.id = a.b_id WHERE a.workspace_id = @workspace_id`, "of b to"},
		"alias":                      {`SELECT * FROM a JOIN a AS twin ON twin.id = a.id WHERE a.workspace_id = @workspace_id`, "of twin to"},
		"comma join":                 {`SELECT * FROM a, b WHERE a.workspace_id = @workspace_id`, "of b to"},
		"joined, none bound":         {`SELECT * FROM a JOIN b ON b.workspace_id = a.workspace_id`, "of a to"},
		"outer side of a left join":  {`SELECT * FROM a LEFT JOIN b ON b.workspace_id = a.workspace_id AND b.workspace_id = @workspace_id`, "of a to"},
		"outer side of a right join": {`SELECT * FROM a RIGHT JOIN b ON b.workspace_id = a.workspace_id AND a.workspace_id = @workspace_id`, "of b to"},
		"full join":                  {`SELECT * FROM a FULL JOIN b ON b.workspace_id = a.workspace_id AND a.workspace_id = @workspace_id`, "of a to"},
		"sub-select":                 {`SELECT * FROM a WHERE workspace_id = @workspace_id AND id IN (SELECT a_id FROM b)`, "of b to"},
		"sub-select in the list":     {`SELECT (SELECT max(id) FROM b) FROM a WHERE workspace_id = @workspace_id`, "of b to"},
		"sub-select in FROM":         {`SELECT * FROM (SELECT * FROM b) AS x`, "of b to"},
		"correlated by another":      {`SELECT * FROM a WHERE a.workspace_id = @workspace_id AND EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id)`, "of b to"},
		"arm of a union":             {`SELECT id FROM a WHERE workspace_id = @workspace_id UNION ALL SELECT id FROM b`, "of b to"},
		"with":                       {`WITH x AS (SELECT * FROM b) SELECT * FROM x`, "of b to"},
		"shadowed alias":             {`SELECT * FROM a WHERE a.workspace_id = @workspace_id AND EXISTS (SELECT 1 FROM b AS a WHERE a.id = @id)`, "of a to"},
		"bound by a setting":         {`SELECT * FROM a WHERE workspace_id = current_setting('app.workspace')::uuid`, "calls current_setting"},
		"bound by a sub-select":      {`SELECT * FROM a WHERE workspace_id = (SELECT workspace_id FROM b WHERE workspace_id = @workspace_id LIMIT 1)`, "of a to"},
		"update":                     {`UPDATE a SET n = 1 WHERE id = @id`, "of a to"},
		"update from":                {`UPDATE a SET n = b.n FROM b WHERE a.workspace_id = @workspace_id`, "of b to"},
		"delete":                     {`DELETE FROM a WHERE id = @id`, "of a to"},
		"delete using":               {`DELETE FROM a USING b WHERE a.workspace_id = @workspace_id AND a.id = b.id`, "of b to"},
		"insert without":             {`INSERT INTO a (id) VALUES (@id)`, "does not insert @workspace_id"},
		"insert of another":          {`INSERT INTO a (workspace_id, id) VALUES (@other, @id)`, "does not insert @workspace_id"},
		"insert, second row":         {`INSERT INTO a (workspace_id) VALUES (@workspace_id), (@other)`, "does not insert @workspace_id"},
		"insert without columns":     {`INSERT INTO a VALUES (@workspace_id)`, "does not insert @workspace_id"},
		"insert default":             {`INSERT INTO a DEFAULT VALUES`, "does not insert @workspace_id"},
		"insert of a select":         {`INSERT INTO a (workspace_id, id) SELECT workspace_id, id FROM b WHERE workspace_id = @workspace_id`, "does not insert @workspace_id"},
		"insert from unbound":        {`INSERT INTO a (workspace_id, id) SELECT @workspace_id, id FROM b`, "of b to"},
		"update of workspace_id":     {`UPDATE a SET workspace_id = @workspace_id WHERE workspace_id = @workspace_id`, "updates workspace_id"},
		"upsert of workspace_id":     {`INSERT INTO a (workspace_id) VALUES (@workspace_id) ON CONFLICT (workspace_id) DO UPDATE SET workspace_id = EXCLUDED.workspace_id`, "updates workspace_id"},
		"now in upsert":              {`INSERT INTO a (workspace_id) VALUES (@workspace_id) ON CONFLICT (workspace_id) DO UPDATE SET at = now()`, "calls now"},
		"sub-select in upsert":       {`INSERT INTO a (workspace_id) VALUES (@workspace_id) ON CONFLICT (workspace_id) DO UPDATE SET n = (SELECT 1)`, "sub-select in ON CONFLICT"},
		"sub-select in its WHERE":    {`INSERT INTO a (workspace_id) VALUES (@workspace_id) ON CONFLICT (workspace_id) DO UPDATE SET n = 1 WHERE EXISTS (SELECT 1)`, "sub-select in ON CONFLICT"},
		"another table in upsert":    {`INSERT INTO a (workspace_id) VALUES (@workspace_id) ON CONFLICT (workspace_id) DO UPDATE SET n = b.n`, "takes b in ON CONFLICT"},
		"conflict by constraint":     {`INSERT INTO a (workspace_id) VALUES (@workspace_id) ON CONFLICT ON CONSTRAINT a_pkey DO NOTHING`, "names the constraint"},
		"conflict without workspace": {`INSERT INTO a (workspace_id, id) VALUES (@workspace_id, @id) ON CONFLICT (id) DO NOTHING`, "conflict target without workspace_id"},
		"sub-select inside VALUES":   {`INSERT INTO a (workspace_id, id) VALUES (@workspace_id, (SELECT 1))`, "sub-select inside VALUES"},
		"now":                        {`UPDATE a SET at = now() WHERE workspace_id = @workspace_id`, "calls now"},
		"current_timestamp":          {`UPDATE a SET at = CURRENT_TIMESTAMP WHERE workspace_id = @workspace_id`, "reads the clock"},
		"current_user":               {`SELECT * FROM a WHERE workspace_id = @workspace_id AND name = CURRENT_USER`, "reads the clock or the session"},
		"the literal now":            {`SELECT * FROM a WHERE workspace_id = @workspace_id AND at < 'now'::timestamptz`, "reads the clock"},
		"random":                     {`DELETE FROM a WHERE workspace_id = @workspace_id AND n < random()`, "calls random"},
		"an id made by the database": {`INSERT INTO a (workspace_id, id) VALUES (@workspace_id, gen_random_uuid())`, "calls gen_random_uuid"},
		"a sequence":                 {`INSERT INTO a (workspace_id, id) VALUES (@workspace_id, nextval('s'))`, "calls nextval"},
		"advisory lock":              {`SELECT pg_advisory_xact_lock(1)`, "calls pg_advisory_xact_lock"},
		"notify by function":         {`SELECT pg_notify('x', 'y')`, "calls pg_notify"},
		"a function in FROM":         {`SELECT * FROM pg_sleep(1)`, "calls pg_sleep"},
		"merge":                      {`MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE`, "is a MergeStmt"},
		"listen":                     {`LISTEN x`, "is a ListenStmt"},
		"notify":                     {`NOTIFY x`, "is a NotifyStmt"},
		"truncate":                   {`TRUNCATE a`, "is a TruncateStmt"},
		"lock":                       {`LOCK TABLE a`, "is a LockStmt"},
		"set":                        {`SET app.workspace = 'x'`, "is a VariableSetStmt"},
		"two statements":             {`SELECT 1; SELECT 2`, "has 2 statements"},
		"deep":                       {`SELECT * FROM a WHERE workspace_id = @workspace_id AND id IN (SELECT id FROM b WHERE workspace_id = @workspace_id AND EXISTS (SELECT 1 FROM c))`, "of c to"},
		"modifying WITH":             {`WITH gone AS (DELETE FROM b RETURNING id) SELECT id FROM gone`, "of b to"},
	} {
		findings, err := querylint.Lint(c.sql)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(strings.Join(findings, "\n"), c.want) {
			t.Errorf("%s: findings %q, want one with %q", name, findings, c.want)
		}
	}
}

func TestSplitKeepsEveryStatement(t *testing.T) {
	t.Parallel()
	got := querylint.Split("-- About this file.\n\nSELECT 0;\n-- name: One :one\nSELECT 1;\n\n-- name: Two :exec\n-- Says why.\nSELECT 2;\n")
	want := []struct {
		name      string
		commented bool
	}{{"", true}, {"One", false}, {"Two", true}}
	if len(got) != len(want) || len(querylint.Split("-- About this file.\n\n-- name: One :one\nSELECT 1;\n")) != 1 {
		t.Fatalf("got %+v", got)
	}
	for i, q := range got {
		if q.Name != want[i].name || q.Commented() != want[i].commented {
			t.Errorf("query %d is %q, commented %v", i, q.Name, q.Commented())
		}
	}
}
