package clicks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/postgres"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// ownDatabase is a server that a test may harm.
func ownDatabase(t *testing.T) (*postgres.Server, *store.Store) {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Options{BinDir: os.Getenv("GRAPEVINE_PG_BIN")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	options := store.Options{URL: server.AppURL(), OwnerURL: server.OwnerURL()}
	if err := store.Migrate(t.Context(), options, time.Now()); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return server, s
}

func TestVisitorsAreSentOnWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	server, s := ownDatabase(t)
	p := newPlace(t, s, placeOptions{referrers: 2})
	c := newClicks(t, s)
	if f := follow(t, c, p.visit(0, "192.0.2.1")); clickID(f.Location) == "" {
		t.Fatalf("%+v", f)
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		began := time.Now()
		f := follow(t, c, p.visit(0, "192.0.2.2"))
		if f.Location != "https://shop.example/start" || f.Stored || f.Class != Human {
			t.Errorf("%+v", f)
		}
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("visitor %d waited for %v", i, took)
		}
		if i == 2 {
			time.Sleep(freshFor) // what is known is too old by now, and still better than nothing
		}
	}
	if _, err := c.Follow(t.Context(), p.visit(1, "192.0.2.2")); !errors.Is(err, problem.Unavailable) {
		t.Errorf("a code of which nothing is known: %v", err)
	}
	nobody := &Visit{Workspace: p.slug, Code: "-", Method: http.MethodGet, Header: http.Header{}}
	if _, err := c.Follow(t.Context(), nobody); !errors.Is(err, problem.NotFound) {
		t.Errorf("a code that can be none: %v", err)
	}
}

// The database is killed under load, and comes back.
func TestAKilledDatabaseLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	server, s := ownDatabase(t)
	p := newPlace(t, s, placeOptions{referrers: 5})
	c := newClicks(t, s)
	var mu sync.Mutex
	var acknowledged []string
	anonymous, late := 0, 0
	killed := time.Now().Add(time.Second)
	end := killed.Add(time.Minute)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 1 << 20 {
				address := netip.AddrFrom4([4]byte{10, byte(i), byte(n >> 8), byte(n)})
				f, err := c.Follow(t.Context(), p.visit(n, address.String()))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				switch id := clickID(f.Location); {
				case id == "":
					anonymous++
				default:
					acknowledged = append(acknowledged, id)
					if anonymous > 0 {
						late++
					}
				}
				done := late > 200 || time.Now().After(end)
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	time.Sleep(time.Until(killed))
	kill(t, server.Dir())
	group.Wait()
	stored := map[uuid.UUID]bool{}
	for _, row := range p.stored(t, s) {
		stored[row.ID] = true
	}
	lost := 0
	for _, id := range acknowledged {
		if !stored[uuid.MustParse(id)] {
			lost++
		}
	}
	t.Logf("%d acknowledged, %d of them lost, %d of them after the crash; %d sent on without an id", len(acknowledged), lost, late, anonymous)
	if lost > 0 || anonymous == 0 || late == 0 {
		t.Error("an acknowledged click is lost, or the test has not tested")
	}
}

// kill ends the database server as a power cut would.
func kill(t *testing.T, dir string) {
	t.Helper()
	var file string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == "postmaster.pid" {
			file = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestAStoppedLaneStillSendsVisitorsOn(t *testing.T) {
	t.Parallel()
	s := dbtest.DB(t)
	p := newPlace(t, s, placeOptions{})
	c := New(s, slog.New(slog.DiscardHandler))
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := follow(t, c, p.visit(0, "192.0.2.1")); f.Location != "https://shop.example/start" || f.Stored {
		t.Errorf("%+v", f)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c.Metrics()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		want := 0.0
		if slices.Equal(labels, []string{"human", "stopping"}) {
			want = 1
		}
		if n := m.GetCounter().GetValue(); n != want {
			t.Errorf("%v visits are counted as %v", n, labels)
		}
	}
}
