package clicks

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// counts is a cell of the statistics as far as clicks make it.
type counts struct{ clicks, humans, visitors int64 }

// books are the cells of a range of days, by what they are of; a total has the zero day and only its visitors.
type books map[string]counts

func cellOf(program, referrer uuid.UUID, day time.Time) string {
	return fmt.Sprint(program, " ", referrer, " ", day.Format(time.DateOnly))
}

// readBooks asks the queries of the statistics for all cells of a place.
func readBooks(ctx context.Context, tx pgx.Tx, p *place, from, to time.Time) (books, error) {
	q, b := db.New(), books{}
	for _, program := range p.programs {
		days, err := q.ListProgramDays(ctx, tx, db.ListProgramDaysParams{WorkspaceID: p.workspace, ProgramID: program, FromDay: from, ToDay: to})
		if err != nil {
			return nil, err
		}
		for _, d := range days {
			b[cellOf(program, uuid.Nil, d.Day)] = counts{d.Clicks, d.HumanClicks, d.UniqueVisitors}
		}
		n, err := q.CountProgramVisitors(ctx, tx, db.CountProgramVisitorsParams{WorkspaceID: p.workspace, ProgramID: program, FromDay: from, ToDay: to})
		if err != nil {
			return nil, err
		}
		b[cellOf(program, uuid.Nil, time.Time{})] = counts{visitors: n}
		for _, referrer := range p.referrers {
			days, err := q.ListReferrerDays(ctx, tx, db.ListReferrerDaysParams{
				WorkspaceID: p.workspace, ProgramID: program, ParticipantID: referrer, FromDay: from, ToDay: to,
			})
			if err != nil {
				return nil, err
			}
			for _, d := range days {
				b[cellOf(program, referrer, d.Day)] = counts{d.Clicks, d.HumanClicks, d.UniqueVisitors}
			}
			n, err := q.CountReferrerVisitors(ctx, tx, db.CountReferrerVisitorsParams{
				WorkspaceID: p.workspace, ProgramID: program, ParticipantID: referrer, FromDay: from, ToDay: to,
			})
			if err != nil {
				return nil, err
			}
			b[cellOf(program, referrer, time.Time{})] = counts{visitors: n}
		}
	}
	return b, nil
}

// countFacts makes the same out of the clicks themselves.
func countFacts(ctx context.Context, tx pgx.Tx, p *place, from, to time.Time) (books, error) {
	b := books{}
	for _, program := range p.programs {
		b[cellOf(program, uuid.Nil, time.Time{})] = counts{}
		for _, referrer := range p.referrers {
			b[cellOf(program, referrer, time.Time{})] = counts{}
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT program_id, coalesce(referrer_id, $4), coalesce(day, '0001-01-01'), count(*), count(*) FILTER (WHERE classification = 'human'),
			count(DISTINCT visitor) FILTER (WHERE classification = 'human')
		FROM clicks WHERE workspace_id = $1 AND day BETWEEN $2 AND $3
		GROUP BY GROUPING SETS ((program_id), (program_id, day), (program_id, referrer_id), (program_id, referrer_id, day))`,
		p.workspace, from, to, uuid.Nil)
	if err != nil {
		return nil, err
	}
	var program, referrer uuid.UUID
	var day time.Time
	var c counts
	_, err = pgx.ForEachRow(rows, []any{&program, &referrer, &day, &c.clicks, &c.humans, &c.visitors}, func() error {
		if day.Year() == 1 {
			c = counts{visitors: c.visitors}
		}
		b[cellOf(program, referrer, day)] = c
		return nil
	})
	return b, err
}

// differences compares statistics and facts on one snapshot.
func differences(ctx context.Context, conn *pgx.Conn, p *place, from, to time.Time) (cells int, wrong []string, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		facts, err := countFacts(ctx, tx, p, from, to)
		if err != nil {
			return err
		}
		read, err := readBooks(ctx, tx, p, from, to)
		if err != nil {
			return err
		}
		cells = len(facts)
		for cell := range maps.Keys(facts) {
			if facts[cell] != read[cell] {
				wrong = append(wrong, fmt.Sprintf("%s: facts %v, statistics %v", cell, facts[cell], read[cell]))
			}
		}
		for cell := range maps.Keys(read) {
			if _, ok := facts[cell]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s: no facts, statistics %v", cell, read[cell]))
			}
		}
		return nil
	})
	return cells, wrong, err
}

var firstDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// randomClick is one of few visitors on few days, so that much coincides.
func (p *place) randomClick(t testing.TB) *db.Click {
	c := p.click(t)
	c.Classification = []string{"human", "human", "human", "bot", "prefetch", "repeat"}[rand.IntN(6)]
	c.Day = firstDay.AddDate(0, 0, rand.IntN(4))
	c.Visitor = []byte{byte(rand.IntN(12))}
	return c
}

func TestStatisticsEqualFactsAtEveryRead(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := newPlace(t, d.Store, placeOptions{programs: 2, referrers: 3})
	other := newPlace(t, d.Store, placeOptions{}) // its clicks share the batches
	end := time.Now().Add(3 * time.Second)
	var group sync.WaitGroup
	var clicks, reads, cells, folds atomic.Int64
	for range 2 { // processes
		l := newLane(t, d.Store, time.Minute)
		for i := range 6 {
			group.Go(func() {
				for time.Now().Before(end) {
					at := p
					if i == 0 {
						at = other
					}
					if err := l.commit(at.randomClick(t)); err != nil {
						t.Error(err)
						return
					}
					clicks.Add(1)
					time.Sleep(rand.N(4 * time.Millisecond)) // leaves room for the readers
				}
			})
		}
		group.Go(func() {
			for time.Now().Before(end) {
				if _, err := Fold(context.Background(), d.Store, p.workspace); err != nil {
					t.Error(err)
					return
				}
				folds.Add(1)
				time.Sleep(rand.N(30 * time.Millisecond))
			}
		})
	}
	for range 2 {
		conn := d.App(t)
		group.Go(func() {
			for time.Now().Before(end) {
				from := firstDay.AddDate(0, 0, rand.IntN(3))
				n, wrong, err := differences(context.Background(), conn, p, from, from.AddDate(0, 0, rand.IntN(4)))
				if err != nil || len(wrong) > 0 {
					t.Errorf("%v\n%s", err, strings.Join(wrong, "\n"))
					return
				}
				reads.Add(1)
				cells.Add(int64(n))
			}
		})
	}
	group.Wait()
	foldAll(t, d.Store, p.workspace)
	n, wrong, err := differences(t.Context(), d.App(t), p, firstDay, firstDay.AddDate(0, 0, 9))
	if err != nil || len(wrong) > 0 {
		t.Errorf("%v\n%s", err, strings.Join(wrong, "\n"))
	}
	t.Logf("%d clicks, %d foldings; %d reads of %d cells, 0 cells differ; at the end %d cells", clicks.Load(), folds.Load(), reads.Load(), cells.Load(), n)
	var markers int
	err = d.Store.DB(p.workspace).QueryRow(t.Context(), "SELECT count(*) FROM click_batches WHERE workspace_id = $1", p.workspace).Scan(&markers)
	if err != nil || markers != 0 || reads.Load() < 10 || folds.Load() < 10 {
		t.Errorf("%v; %d markers are left", err, markers)
	}

	// The comparison must see a fault: one that is planted.
	for _, fault := range []string{
		"UPDATE program_days SET clicks = clicks + 1 WHERE (workspace_id, program_id, day) = ($1, $2, $3)",
		"UPDATE referrer_days SET unique_visitors = unique_visitors - 1 WHERE (workspace_id, program_id, day) = ($1, $2, $3)",
		"DELETE FROM visitor_days WHERE (workspace_id, program_id) = ($1, $2) AND $3 >= '2026-01-01'::date",
	} {
		if _, err := d.Owner(t).Exec(t.Context(), fault, p.workspace, p.programs[0], firstDay); err != nil {
			t.Fatal(err)
		}
		before := len(wrong)
		if _, wrong, err = differences(t.Context(), d.App(t), p, firstDay, firstDay.AddDate(0, 0, 9)); err != nil || len(wrong) <= before {
			t.Errorf("nobody notices: %s (%v)", fault, err)
		}
	}
}

func foldAll(t *testing.T, s *store.Store, workspace uuid.UUID) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = Fold(t.Context(), s, workspace); err != nil {
			t.Fatal(err)
		}
	}
}

// Folding adds to the counters that facts of other kinds have made, and takes no more than a bounded number of batches at once.
func TestFoldingAddsToWhatIsThere(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	p := newPlace(t, s, placeOptions{})
	l := newLane(t, s, time.Minute)
	for range mostFolded + 5 {
		c := p.click(t)
		c.Day = firstDay
		if err := l.commit(c); err != nil {
			t.Fatal(err)
		}
	}
	err := s.InTx(t.Context(), p.workspace, func(ctx context.Context, tx *store.Tx) error {
		return db.New().CountProgramDays(ctx, tx.Write(), db.CountProgramDaysParams{
			WorkspaceID: p.workspace, ProgramID: p.programs[0], Shard: 3, Days: []time.Time{firstDay}, Signups: []int64{7}, Referrals: []int64{6},
			Qualified: []int64{5}, Conversions: []int64{4}, Revenue: []int64{300}, ReversedRevenue: []int64{20},
			RewardsGranted: []int64{10}, RewardsReversed: []int64{1},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if more, err := Fold(t.Context(), s, p.workspace); err != nil || !more {
		t.Fatalf("%v, %v, want more", more, err)
	}
	if more, err := Fold(t.Context(), s, p.workspace); err != nil || more {
		t.Fatalf("%v, %v, want no more", more, err)
	}
	if more, err := Fold(t.Context(), s, p.workspace); err != nil || more {
		t.Fatalf("%v, %v, want nothing to do", more, err)
	}
	rows, err := db.New().ListProgramDays(t.Context(), s.DB(p.workspace), db.ListProgramDaysParams{
		WorkspaceID: p.workspace, ProgramID: p.programs[0], FromDay: firstDay, ToDay: firstDay,
	})
	want := db.ListProgramDaysRow{
		Day: firstDay, Clicks: mostFolded + 5, HumanClicks: mostFolded + 5, UniqueVisitors: 1, Signups: 7, Referrals: 6, Qualified: 5,
		Conversions: 4, Revenue: 300, ReversedRevenue: 20, RewardsGranted: 10, RewardsReversed: 1,
	}
	if err != nil || len(rows) != 1 || rows[0] != want {
		t.Errorf("%+v, %v", rows, err)
	}
}

// Neither folding nor reading may look at more clicks than are unfolded, however many there are.
func TestTheCostOfStatisticsDoesNotGrowWithHistory(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := newPlace(t, d.Store, placeOptions{})
	l := newLane(t, d.Store, time.Minute)
	c := p.click(t)
	c.Day = firstDay
	if err := l.commit(c); err != nil {
		t.Fatal(err)
	}
	foldAll(t, d.Store, p.workspace)
	owner := d.Owner(t)
	for _, sql := range []string{
		"INSERT INTO clicks SELECT (jsonb_populate_record(clicks, jsonb_build_object('id', gen_random_uuid()))).* FROM clicks, generate_series(1, 30000)",
		"INSERT INTO visitor_days SELECT workspace_id, program_id, day, referrer_id, decode(md5(n::text), 'hex') FROM visitor_days, generate_series(1, 30000) AS n",
		"ANALYZE",
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.commit(p.click(t)); err != nil {
		t.Fatal(err)
	}
	read := func() (n int64) {
		t.Helper()
		err := owner.QueryRow(t.Context(), `
			SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables WHERE relname LIKE 'clicks%' OR relname = 'visitor_days'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	q, day := db.New(), time.Now().UTC().Truncate(24*time.Hour)
	for name, statement := range map[string]func(tx pgx.Tx) error{
		"program days": func(tx pgx.Tx) error {
			_, err := q.ListProgramDays(t.Context(), tx, db.ListProgramDaysParams{WorkspaceID: p.workspace, ProgramID: p.programs[0], FromDay: firstDay, ToDay: day})
			return err
		},
		"referrer days": func(tx pgx.Tx) error {
			_, err := q.ListReferrerDays(t.Context(), tx, db.ListReferrerDaysParams{
				WorkspaceID: p.workspace, ProgramID: p.programs[0], ParticipantID: p.referrers[0], FromDay: firstDay, ToDay: day,
			})
			return err
		},
		"folding": func(tx pgx.Tx) error {
			_, err := q.FoldClicks(t.Context(), tx, db.FoldClicksParams{WorkspaceID: p.workspace, BatchLimit: mostFolded})
			return err
		},
	} {
		tx, err := owner.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := read()
		if err := statement(tx); err != nil {
			t.Fatal(err)
		}
		if n := read() - before; n > 20 {
			t.Errorf("%s: %d rows were read for one click", name, n)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
