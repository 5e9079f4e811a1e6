package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// forest is a program whose referrals are planted as rows, so that every moment of the tree can be had.
type forest struct {
	*testing.T
	conn               *pgx.Conn
	workspace, program uuid.UUID
	people             map[string]uuid.UUID
	text               string
}

var planted = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func day(n int) time.Time { return planted.AddDate(0, 0, n) }

func newForest(t *testing.T) *forest {
	t.Helper()
	f := &forest{T: t, conn: dbtest.New(t).Owner(t), workspace: dbtest.ID(t), program: dbtest.ID(t), people: map[string]uuid.UUID{}}
	f.exec(`INSERT INTO workspaces (workspace_id, name, mode, slug, paired_workspace_id, hash_key, created_at)
		VALUES ($1, 'w', 'live', 'slug', $1, decode(repeat('00', 32), 'hex'), $2)`, f.workspace, planted)
	f.exec(`INSERT INTO programs (workspace_id, id, name, currency, state, landing_url, allowed_hosts, time_zone, honor_pending_seconds, timeline, version, created_at)
		VALUES ($1, $2, 'p', 'EUR', 'draft', 'https://shop.example/', '{}', 'UTC', 0, '[]', 1, $3)`, f.workspace, f.program, planted)
	f.exec(`INSERT INTO program_versions (workspace_id, id, program_id, number, rules, published_at) VALUES ($1, $2, $2, 1, '{}', $3)`,
		f.workspace, f.program, planted)
	return f
}

func (f *forest) exec(sql string, args ...any) {
	f.Helper()
	if _, err := f.conn.Exec(f.Context(), sql, args...); err != nil {
		f.Fatal(err)
	}
}

func (f *forest) person(name string) uuid.UUID {
	f.Helper()
	id, ok := f.people[name]
	if !ok {
		id = dbtest.ID(f)
		f.people[name] = id
		f.exec(`INSERT INTO participants (workspace_id, id, external_id, state, metadata, version, created_at) VALUES ($1, $2, $3, 'active', '{}', 1, $4)`,
			f.workspace, id, name, planted)
		f.exec(`INSERT INTO attribution_decisions (workspace_id, id, program_id, referee_id, door, attributed, reason, inputs, inputs_hash, answer, decided_at)
			VALUES ($1, $2, $3, $2, 'manual', false, '', '{}', '', '{}', $4)`, f.workspace, id, f.program, planted)
	}
	return id
}

// refer plants a referral that holds from a day until another; until 0 is for ever. It was qualified unless its state says otherwise.
func (f *forest) refer(referrer, referee string, from, until int, s state.Referral) {
	f.Helper()
	var end *time.Time
	if until > 0 {
		at := day(until)
		end = &at
	}
	f.exec(`INSERT INTO referrals (workspace_id, id, program_id, program_version_id, referrer_id, referee_id, decision_id, state, reason, attributed_at,
			qualify_by, ended_at, version, created_at)
		VALUES ($1, $2, $3, $3, $4, $5, $5, $6, '', $7, $7::timestamptz + interval '10 days', $8, 1, $7)`,
		f.workspace, dbtest.ID(f), f.program, f.person(referrer), f.person(referee), s, day(from), end)
}

// upline names the chain above a sale of somebody, nearest first.
func (f *forest) upline(referee, referrer string, at, depth int) string {
	f.Helper()
	rows, err := db.New().ListUpline(f.Context(), f.conn, db.ListUplineParams{
		WorkspaceID: f.workspace, ProgramID: f.program, RefereeID: f.person(referee), ReferrerID: f.person(referrer), At: day(at), MaxDepth: int32(depth),
	})
	if err != nil {
		f.Fatal(err)
	}
	var names []string
	for i, row := range rows {
		if int(row.Depth) != i+1 {
			f.Errorf("row %d has depth %d", i, row.Depth)
		}
		for name, id := range f.people {
			if id == row.ParticipantID {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " ")
}

func TestUplineIsTheChainOfAMoment(t *testing.T) {
	t.Parallel()
	f := newForest(t)
	f.refer("a", "b", 1, 0, state.ReferralQualified)
	f.refer("f", "a", 0, 5, state.ReferralRejected)
	f.refer("x", "a", 5, 8, state.ReferralSuperseded) // given to y, as if y had been right from the start
	f.refer("y", "a", 5, 0, state.ReferralChurned)
	f.refer("g", "f", 2, 0, state.ReferralAttributed) // its window is over on day 12, noticed or not
	f.refer("h", "g", 0, 0, state.ReferralUnderReview)
	f.refer("b", "h", 3, 4, state.ReferralExpired) // b was above itself for a day
	for _, c := range []struct {
		at, depth int
		want      string
	}{
		{1, 10, "a f"}, {2, 10, "a f g h"}, {2, 3, "a f g"}, {2, 1, "a"}, {3, 10, "a f g h"}, {4, 10, "a f g h"}, {5, 10, "a y"}, {30, 10, "a y"},
	} {
		if got := f.upline("b", "a", c.at, c.depth); got != c.want {
			t.Errorf("day %d to depth %d: %q, want %q", c.at, c.depth, got, c.want)
		}
	}
	for at, want := range map[int]string{11: "f g h", 12: "f"} {
		if got := f.upline("z", "f", at, 10); got != want {
			t.Errorf("day %d: %q, want %q", at, got, want)
		}
	}
}

// Every step of the chain is an index look-up, also with a plan that was made before the tables grew.
func TestUplineIsLookUpsByIndex(t *testing.T) {
	t.Parallel()
	f := newForest(t)
	root := f.person("root")
	f.exec(`INSERT INTO participants SELECT $1, gen_random_uuid(), n::text, NULL, NULL, NULL, 'active', '{}', 1, $2 FROM generate_series(1, 5000) AS n`,
		f.workspace, planted)
	f.exec(`INSERT INTO referrals (workspace_id, id, program_id, program_version_id, referrer_id, referee_id, decision_id, state, reason, attributed_at,
			qualify_by, version, created_at)
		SELECT $1, gen_random_uuid(), $2, $2, coalesce(up.id, $3), p.id, $3, 'qualified', '', $4, $4, 1, $4
		FROM participants AS p LEFT JOIN participants AS up ON p.external_id <> 'root' AND up.external_id = (p.external_id::integer / 2)::text
		WHERE p.external_id <> 'root'`, f.workspace, f.program, root, planted)
	p := db.ListUplineParams{
		WorkspaceID: f.workspace, ProgramID: f.program, RefereeID: f.named("5000"), ReferrerID: f.named("2500"), At: planted, MaxDepth: 10,
	}
	for _, first := range []string{"SELECT", "ANALYZE"} {
		f.exec(first)
		if plan := f.plan(p); strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "referrals_referee_id_idx") || !strings.Contains(plan, "participants_pkey") {
			t.Errorf("after %s the plan is\n%s", first, plan)
		}
	}
	got, err := db.New().ListUpline(t.Context(), f.conn, p)
	if err != nil {
		t.Fatal(err)
	}
	var want []uuid.UUID
	for n := 2500; len(want) < 10; n /= 2 {
		want = append(want, f.named(fmt.Sprint(n)))
	}
	if ids := column(got); !slices.Equal(ids, want) {
		t.Errorf("the chain is %v, want %v", ids, want)
	}
}

// plan asks how the database would answer.
func (f *forest) plan(p db.ListUplineParams) string {
	f.Helper()
	_, _ = db.New().ListUpline(f.Context(), explain{f.conn, &f.text}, p)
	return f.text
}

// explain is a connection that explains a query instead of running it.
type explain struct {
	*pgx.Conn
	text *string
}

func (e explain) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	_, sql, _ = strings.Cut(sql, "\n") // without its name
	rows, err := e.Conn.Query(ctx, "EXPLAIN "+sql, args...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	*e.text = strings.Join(lines, "\n")
	return nil, cmp.Or(err, errExplained)
}

var errExplained = errors.New("explained")

func column(rows []db.ListUplineRow) (out []uuid.UUID) {
	for _, r := range rows {
		out = append(out, r.ParticipantID)
	}
	return out
}

func (f *forest) named(externalID string) (id uuid.UUID) {
	f.Helper()
	if err := f.conn.QueryRow(f.Context(), `SELECT id FROM participants WHERE external_id = $1`, externalID).Scan(&id); err != nil {
		f.Fatal(err)
	}
	return id
}
