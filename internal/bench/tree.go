package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// trunk is how many participants are one below the other before the tree branches out by four, so that everybody else has ten above
// and two trees differ by their size alone.
const trunk = 10

// tree is a workspace with a program of three levels, a cap and a tier, and a tree of so many participants.
type tree struct {
	signupBench
	name    string
	size    int
	address string
	stop    func()
}

// benchTree compares the chain of ten above a participant, a page of the downline, and a purchase that pays three levels, in a tree of
// 1,000 participants and in one of 1,000,000.
func benchTree(ctx context.Context, on *bed) error {
	began := time.Now()
	trees := []*tree{{name: "1,000", size: 1_000}, {name: "1,000,000", size: 1_000_000}}
	for _, t := range trees {
		if err := t.begin(ctx, on); err != nil {
			return err
		}
		defer t.stop()
	}
	fmt.Printf("\ntrees of 1,000 and 1,000,000 participants planted in %v\n", time.Since(began).Round(time.Second))
	if err := compareBlocks(ctx, trees); err != nil {
		return err
	}
	for _, what := range []struct {
		name string
		of   func(*tree) setUp
	}{
		{"the chain of ten above a participant", (*tree).uplines},
		{"a page of 50 of the downline", (*tree).downlines},
		{"a purchase that pays three levels, one by tiers under a cap", (*tree).purchases},
	} {
		if err := compareTrees(ctx, on, trees, what.name, what.of); err != nil {
			return err
		}
	}
	return nil
}

// begin plants the tree in a database of its own, and serves it.
func (t *tree) begin(ctx context.Context, on *bed) error {
	name := fmt.Sprintf("tree_%d", t.size)
	conn, err := pgx.Connect(ctx, on.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	options := on.options
	if options.URL, err = withDatabase(options.URL, name); err != nil {
		return err
	}
	if options.OwnerURL, err = withDatabase(options.OwnerURL, name); err != nil {
		return err
	}
	if err := store.Migrate(ctx, options, time.Now()); err != nil {
		return err
	}
	st, err := store.Open(ctx, options)
	if err != nil {
		return err
	}
	t.bed = &bed{store: st, options: options, url: options.OwnerURL}
	stop, address, err := serve(ctx, st)
	t.address, t.stop = address, func() { stop(); st.Close() }
	if err != nil {
		return err
	}
	if err := t.workspaceWith(ctx, "tree", "treebench0", "programs:write", "conversions:write"); err != nil {
		return err
	}
	if t.program, err = t.make(address, "/v1/programs", treeProgram, "id"); err != nil {
		return err
	}
	if _, err := t.make(address, "/v1/programs/"+t.program+"/activate", "", "id"); err != nil {
		return err
	}
	return t.plant(ctx)
}

func withDatabase(text, name string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

const treeProgram = `{"name":"bench","currency":"EUR","landing_url":"https://shop.example/","rules":{"levels":{"ceiling_basis_points":3500},"rewards":[` +
	`{"key":"direct","triggers":["purchase"],"beneficiary":"referrer","kind":"money","amount":{"type":"basis_points","value":2000},"hold_seconds":86400,` +
	`"cap":{"amount":900000000,"period":"month"},"tiers":{"measure":"conversions","period":"lifetime","mode":"frozen","steps":[{"from":100,"amount":{"type":"basis_points","value":2500}}]}},` +
	`{"key":"second","triggers":["purchase"],"beneficiary":"upline","level":2,"kind":"money","amount":{"type":"basis_points","value":500},"hold_seconds":86400},` +
	`{"key":"third","triggers":["purchase"],"beneficiary":"upline","level":3,"kind":"money","amount":{"type":"basis_points","value":200},"hold_seconds":86400}]}}`

func compareTrees(ctx context.Context, on *bed, trees []*tree, name string, of func(*tree) setUp) error {
	var ways []way
	for _, t := range trees {
		ways = append(ways, way{name: "in a tree of " + t.name, setUp: of(t)})
	}
	results, err := measureAll(ctx, ways, 4, on.rounds, on.time/2)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s, 4 connections:\n", name)
	if err := table(os.Stdout, ways, results); err != nil {
		return err
	}
	fmt.Printf("cost in the large tree: %.2f times that in the small one\n", results[0].rate()/results[1].rate())
	return nil
}

// plant writes a tree as rows. Nothing of it is checked by the database, row by row, so that a million take seconds.
func (t *tree) plant(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, t.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		`SET synchronous_commit = off`,
		`INSERT INTO participants (workspace_id, id, external_id, state, metadata, version, created_at)
		 SELECT @w, @person || lpad(to_hex(n), 12, '0'))::uuid, 'p' || n, 'active', '{}', 1, @at FROM generate_series(1, @size) AS n`,
		`INSERT INTO referrals (workspace_id, id, program_id, program_version_id, referrer_id, referee_id, decision_id, state, reason, attributed_at,
			qualify_by, version, created_at)
		 SELECT @w, @referral || lpad(to_hex(n), 12, '0'))::uuid, @program, p.current_version_id, @person || lpad(to_hex(up), 12, '0'))::uuid,
			@person || lpad(to_hex(n), 12, '0'))::uuid, @program, 'attributed', 'MANUAL', @at, @at::timestamptz + interval '90 days', 1, @at
		 FROM (SELECT n, CASE WHEN n <= @trunk + 1 THEN n - 1 ELSE @trunk + (n - @trunk - 2) / 4 END AS up FROM generate_series(2, @size) AS n) AS edge,
			programs AS p WHERE p.workspace_id = @w AND p.id = @program`,
		`VACUUM ANALYZE participants, referrals`,
	} {
		sql = t.literals(sql)
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%w: %s", err, sql)
		}
	}
	return nil
}

// literals puts the tree into a statement. Ids end with the number of the participant.
func (t *tree) literals(sql string) string {
	quote := func(s string) string { return "'" + s + "'" }
	return strings.NewReplacer(
		"@w", quote(t.workspace.String())+"::uuid", "@program", quote(t.program)+"::uuid", "@at", quote(t.planted().Format(time.RFC3339))+"::timestamptz",
		"@person || ", "("+quote(t.prefix("1"))+" || ", "@referral || ", "("+quote(t.prefix("2"))+" || ",
		"@size", strconv.Itoa(t.size), "@trunk", strconv.Itoa(trunk)).Replace(sql)
}

func (t *tree) prefix(kind string) string {
	return fmt.Sprintf("01900000-%s000-7000-8%03x-", kind, t.size%0xfff)
}

func (t *tree) person(n int) uuid.UUID {
	return uuid.MustParse(t.prefix("1") + fmt.Sprintf("%012x", n))
}

func (t *tree) planted() time.Time { return time.Now().UTC().AddDate(0, 0, -1).Truncate(time.Hour) }

// anybody is a participant with ten above, and who referred it.
func (t *tree) anybody() (referee, referrer int) {
	n := trunk + 2 + rand.IntN(t.size-trunk-1)
	return n, trunk + (n-trunk-2)/4
}

func (t *tree) upline(ctx context.Context, on db.DBTX) ([]db.ListUplineRow, error) {
	referee, referrer := t.anybody()
	return db.New().ListUpline(ctx, on, db.ListUplineParams{
		WorkspaceID: t.workspace, ProgramID: uuid.MustParse(t.program), RefereeID: t.person(referee), ReferrerID: t.person(referrer),
		At: time.Now(), MaxDepth: 10,
	})
}

func (t *tree) uplines() setUp {
	return ask(func(ctx context.Context) (int, error) {
		rows, err := t.upline(ctx, t.store.DB(t.workspace))
		if err == nil && len(rows) != 10 {
			err = fmt.Errorf("a chain of ten has %d", len(rows))
		}
		return 1, err
	})
}

func (t *tree) downlines() setUp {
	return ask(func(ctx context.Context) (int, error) {
		rows, err := db.New().ListDownline(ctx, t.store.DB(t.workspace), db.ListDownlineParams{
			WorkspaceID: t.workspace, ProgramID: uuid.MustParse(t.program), Participants: []uuid.UUID{t.person(trunk)},
			Referrals: []uuid.UUID{uuid.Nil}, Depth: 10, PageLimit: 50,
		})
		if err == nil && len(rows) != 50 {
			err = fmt.Errorf("a page of 50 has %d", len(rows))
		}
		return 1, err
	})
}

// setUp makes the works of clients.
type setUp = func(ctx context.Context, clients int) (works []work, tearDown func(), err error)

// ask has every client do the same.
func ask(do func(context.Context) (int, error)) setUp {
	return func(ctx context.Context, clients int) ([]work, func(), error) {
		return slices.Repeat([]work{func() (int, error) { return do(ctx) }}, clients), func() {}, nil
	}
}

func (t *tree) purchases() setUp {
	return t.posting(t.address, "/v1/conversions", func() string {
		referee, _ := t.anybody()
		return fmt.Sprintf(`{"program_id":%q,"referee_external_id":"p%d","external_id":"o%x","type":"purchase","amount":10000,"currency":"EUR"}`,
			t.program, referee, rand.Uint64())
	})
}

// compareBlocks counts the blocks that chains read, which no busy machine changes, and fails when a step is anything but a look-up
// by index.
func compareBlocks(ctx context.Context, trees []*tree) error {
	const chains = 100
	var blocks [2]int
	for i, t := range trees {
		for range chains {
			var p plan
			if _, err := t.upline(ctx, explainer{t.store.DB(t.workspace), &p}); !errors.Is(err, errExplained) {
				return err
			}
			if strings.Contains(p.text, "Seq Scan") {
				return errors.New("a chain is read without an index: " + p.text)
			}
			blocks[i] += p.blocks
		}
	}
	fmt.Printf("blocks read for a chain of ten: %.1f of 1,000 participants, %.1f of 1,000,000\n",
		float64(blocks[0])/chains, float64(blocks[1])/chains)
	return nil
}

// plan is how the database answered.
type plan struct {
	text   string
	blocks int
}

// explainer explains a query, and runs it for that.
type explainer struct {
	store.DBTX
	plan *plan
}

var errExplained = errors.New("explained")

// Query implements db.DBTX.
func (e explainer) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	_, sql, _ = strings.Cut(sql, "\n") // without its name
	var raw []byte
	if err := e.DBTX.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+sql, args...).Scan(&raw); err != nil {
		return nil, err
	}
	var found []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		return nil, err
	}
	e.plan.text, e.plan.blocks = string(raw), found[0].Plan.Hit+found[0].Plan.Read
	return nil, errExplained
}
