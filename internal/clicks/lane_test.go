package clicks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// click is one of a place, as small as it can be.
func (p *place) click(t testing.TB) *db.Click {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	target := p.targets[rand.IntN(len(p.targets))]
	return &db.Click{
		WorkspaceID: p.workspace, ID: newID(now), ProgramID: target.program, CodeID: target.code, ReferrerID: target.referrer,
		Classification: "human", Source: "redirect", Consent: "unknown", Visitor: []byte("visitor of a test"),
		Day: now.Truncate(24 * time.Hour), OccurredAt: now, ReceivedAt: now,
	}
}

func newLane(t *testing.T, s *store.Store, patience time.Duration) *lane {
	t.Helper()
	l := startLane(s, slog.New(slog.DiscardHandler))
	l.patience = patience
	t.Cleanup(func() {
		if err := l.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestRowsAreEncodedAsTheyAre(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	p := newPlace(t, s, placeOptions{})
	l := newLane(t, s, patience)
	random := func() []byte {
		b := make([]byte, rand.IntN(40))
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		return b
	}
	var made []db.Click
	for i := range 200 {
		c := p.click(t)
		at := time.Date(2000+i/2, 1, 1, 0, 0, 0, 0, time.UTC).Add(rand.N(100 * 365 * 24 * time.Hour / 200)).Truncate(time.Microsecond)
		c.OccurredAt, c.ReceivedAt, c.Day = at, at.Add(-time.Hour), at.Truncate(24*time.Hour)
		c.Classification = []string{"human", "bot", "prefetch", "repeat"}[i%4]
		c.Consent = []string{"granted", "denied", "unknown"}[i%3]
		c.Visitor = random()
		if i%2 == 0 {
			c.VisitorKey, c.AddressHash = random(), random()
		}
		if i%3 == 0 {
			c.Utm = []byte(fmt.Sprintf(`{"source": "é\\u0001%d"}`, i))
			host := strings.Repeat("ü", i) + ".example"
			c.ReferrerHost = &host
		}
		if err := l.commit(c); err != nil {
			t.Fatal(err)
		}
		made = append(made, *c)
	}
	slices.SortFunc(made, func(a, b db.Click) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	for i, got := range p.stored(t, s) {
		if want := made[i]; !reflect.DeepEqual(got, want) {
			t.Fatalf("stored %+v\nwant %+v", got, want)
		}
	}
}

// The statement names its columns, but whoever adds one must come by here.
func TestTheCopyHasEveryColumn(t *testing.T) {
	t.Parallel()
	rows, err := dbtest.Tx(t).Query(t.Context(), "SELECT * FROM clicks WHERE false")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for _, f := range rows.FieldDescriptions() {
		names = append(names, f.Name)
	}
	_, list, _ := strings.Cut(copyRows, "(")
	list, _, _ = strings.Cut(list, ")")
	if got := strings.Join(strings.Fields(list), " "); got != strings.Join(names, ", ") || len(names) != copyColumns {
		t.Errorf("COPY has %s, the table %v", got, names)
	}
}

func TestBatchesAreMarkedByWorkspace(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	places := []*place{newPlace(t, s, placeOptions{}), newPlace(t, s, placeOptions{}), newPlace(t, s, placeOptions{})}
	l := newLane(t, s, time.Minute)
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() {
			for range 20 {
				if err := l.commit(places[i%3].click(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, p := range places {
		var clicks, found, markers, largest int
		err := s.DB(p.workspace).QueryRow(t.Context(), `
			SELECT count(*), count(marker.id), count(DISTINCT marker.id)
			FROM clicks LEFT JOIN click_batches AS marker ON marker.workspace_id = clicks.workspace_id AND marker.id = clicks.batch_id
				AND clicks.id BETWEEN marker.first_click_id AND marker.last_click_id
			WHERE clicks.workspace_id = $1`, p.workspace).Scan(&clicks, &found, &markers)
		if err != nil {
			t.Fatal(err)
		}
		if clicks != 400 || found != 400 || markers == 0 || markers > 390 {
			t.Errorf("%d clicks, %d of them within the range of one of %d markers (largest %d)", clicks, found, markers, largest)
		}
	}
}

// hold keeps the clicks table from being written, for a while: the application gives up after its lock timeout.
func hold(t *testing.T, d *dbtest.Database) (release func()) {
	t.Helper()
	tx, err := d.Owner(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE clicks IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := newPlace(t, d.Store, placeOptions{})
	l := newLane(t, d.Store, time.Minute)
	release := hold(t, d)
	defer release()
	var acknowledged, busy atomic.Int64
	var group sync.WaitGroup
	commit := func() {
		switch err := l.commit(p.click(t)); {
		case err == nil:
			acknowledged.Add(1)
		case errors.Is(err, ErrBusy):
			busy.Add(1)
		default:
			t.Error(err)
		}
	}
	l.occupy(&group, commit)
	for range mostRows {
		group.Go(commit)
	}
	for l.queued() < mostRows {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	for range 100 {
		commit()
	}
	if took := time.Since(began); busy.Load() != 100 || took > time.Second {
		t.Errorf("%d of 100 were refused, in %v", busy.Load(), took)
	}
	release()
	group.Wait()
	if rows := p.stored(t, d.Store); int64(len(rows)) != acknowledged.Load() || len(rows) != mostRows+1 {
		t.Errorf("%d rows, %d acknowledged", len(rows), acknowledged.Load())
	}
}

func (l *lane) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.count
}

// occupy gives the writer one click and returns when it is at it.
func (l *lane) occupy(group *sync.WaitGroup, commit func()) {
	gathering := func() *batch {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.open
	}
	first := gathering()
	group.Go(commit)
	for gathering() == first {
		time.Sleep(time.Millisecond)
	}
}

func TestNobodyWaitsForAStuckDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := newPlace(t, d.Store, placeOptions{})
	l := newLane(t, d.Store, time.Second)
	release := hold(t, d)
	defer release()
	var group sync.WaitGroup
	l.occupy(&group, func() {
		if err := l.commit(p.click(t)); !errors.Is(err, ErrSlow) {
			t.Errorf("the first: %v", err)
		}
	})
	group.Go(func() {
		if err := l.commit(p.click(t)); !errors.Is(err, ErrSlow) {
			t.Errorf("one that waits behind it: %v", err)
		}
	})
	group.Wait()
	began := time.Now()
	if err := l.commit(p.click(t)); !errors.Is(err, ErrSlow) || time.Since(began) > 500*time.Millisecond {
		t.Errorf("one that comes later: %v after %v", err, time.Since(began))
	}
	release()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if err := l.commit(p.click(t)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the lane does not recover: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if rows := p.stored(t, d.Store); len(rows) < 4 {
		t.Errorf("%d rows: clicks of those who did not wait are lost", len(rows))
	}
}

func TestStoppingCommitsWhatIsQueued(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := newPlace(t, d.Store, placeOptions{})
	l := startLane(d.Store, slog.New(slog.DiscardHandler))
	release := hold(t, d)
	var group sync.WaitGroup
	commit := func() {
		if err := l.commit(p.click(t)); err != nil {
			t.Error(err)
		}
	}
	l.occupy(&group, commit)
	for range 49 {
		group.Go(commit)
	}
	for l.queued() < 49 {
		time.Sleep(time.Millisecond)
	}
	group.Go(func() {
		time.Sleep(100 * time.Millisecond)
		release()
	})
	if err := l.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if rows := p.stored(t, d.Store); len(rows) != 50 {
		t.Errorf("%d rows", len(rows))
	}
	if err := l.commit(p.click(t)); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
	if err := l.stop(t.Context()); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

// Connections are cut under load, at any point; whatever is acknowledged must be there.
func TestWhatIsAcknowledgedIsStored(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := newPlace(t, d.Store, placeOptions{})
	l := newLane(t, d.Store, time.Minute)
	end := time.Now().Add(3 * time.Second)
	var mu sync.Mutex
	var acknowledged []uuid.UUID
	failed := 0
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for time.Now().Before(end) {
				c := p.click(t)
				err := l.commit(c)
				mu.Lock()
				if err == nil {
					acknowledged = append(acknowledged, c.ID)
				} else {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	owner := d.Owner(t)
	for time.Now().Before(end) {
		time.Sleep(rand.N(20 * time.Millisecond))
		_, err := owner.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY clicks%'`)
		if err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()
	stored := map[uuid.UUID]bool{}
	for _, row := range p.storedIn(t, owner) {
		stored[row.ID] = true
	}
	lost := 0
	for _, id := range acknowledged {
		if !stored[id] {
			lost++
		}
	}
	t.Logf("%d acknowledged, %d of them lost; %d not acknowledged, %d of them stored", len(acknowledged), lost, failed, len(stored)-len(acknowledged)+lost)
	if lost > 0 || len(acknowledged) == 0 || failed == 0 {
		t.Error("an acknowledged click is lost, or the test has not tested")
	}
}
