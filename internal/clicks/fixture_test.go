package clicks

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// place is a workspace with programs, referrers and their codes.
type place struct {
	workspace uuid.UUID
	slug      string
	programs  []uuid.UUID
	referrers []uuid.UUID
	codes     []string // of referrer i in program j: codes[i*len(programs)+j]
	targets   []target
}

type placeOptions struct {
	mode, host, landing, zone string
	programs, referrers       int
}

const agentOfPeople = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"

// newPlace makes a place; everything not named is usual.
func newPlace(t testing.TB, s *store.Store, o placeOptions) *place {
	t.Helper()
	ctx, q, now := t.Context(), db.New(), time.Now().UTC()
	p := &place{workspace: dbtest.ID(t)}
	sum := sha256.Sum256(p.workspace[:])
	p.slug = fmt.Sprintf("%x", sum)[:10]
	pool := s.DB(p.workspace)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(q.CreateWorkspace(ctx, pool, db.CreateWorkspaceParams{
		WorkspaceID: p.workspace, Name: "Test", Mode: orElse(o.mode, "live"), Slug: p.slug, LinkHost: notEmpty(o.host),
		PairedWorkspaceID: dbtest.ID(t), HashKey: sum[:], CreatedAt: now,
	}))
	zone, err := time.LoadLocation(orElse(o.zone, "UTC"))
	must(err)
	for range max(o.programs, 1) {
		id := dbtest.ID(t)
		must(q.CreateProgram(ctx, pool, db.CreateProgramParams{
			WorkspaceID: p.workspace, ID: id, Name: "Test", Currency: "EUR", State: "draft", AllowedHosts: []string{},
			LandingURL: orElse(o.landing, "https://shop.example/start"), TimeZone: zone.String(), Timeline: state.Timeline{}, CreatedAt: now,
		}))
		p.programs = append(p.programs, id)
	}
	for i := range max(o.referrers, 1) {
		referrer := dbtest.ID(t)
		_, err := q.CreateParticipant(ctx, pool, db.CreateParticipantParams{
			WorkspaceID: p.workspace, ID: referrer, ExternalID: fmt.Sprint(i), Metadata: []byte("{}"), GroupTimeline: state.Groups{}, CreatedAt: now,
		})
		must(err)
		p.referrers = append(p.referrers, referrer)
		for j, program := range p.programs {
			value := fmt.Sprintf("Code-%d-%d", i, j)
			row, err := q.CreateCode(ctx, pool, db.CreateCodeParams{
				WorkspaceID: p.workspace, ID: dbtest.ID(t), ProgramID: program, ParticipantID: referrer, Value: value,
				FoldedValue: code.Fold(value), Timeline: state.Timeline{}, CreatedAt: now,
			})
			must(err)
			p.codes = append(p.codes, value)
			p.targets = append(p.targets, target{code: row.ID, program: program, referrer: referrer, zone: zone})
		}
	}
	return p
}

// visit is a person's click on a code of the place, from an address of its own.
func (p *place) visit(i int, address string) *Visit {
	return &Visit{
		Workspace: p.slug, Code: p.codes[i%len(p.codes)], Method: http.MethodGet, Address: netip.MustParseAddr(address),
		Header: http.Header{"User-Agent": {agentOfPeople}},
	}
}

func newClicks(t testing.TB, s *store.Store) *Clicks {
	t.Helper()
	c := New(s, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// follow is Follow for tests that expect it to work.
func follow(t testing.TB, c *Clicks, v *Visit) Followed {
	t.Helper()
	f, err := c.Follow(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// clickID reads the acknowledgement out of a location.
func clickID(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	return u.Query().Get("gv_click")
}

// stored reads the clicks of a place, oldest id first.
func (p *place) stored(t testing.TB, s *store.Store) []db.Click {
	t.Helper()
	return p.storedIn(t, s.DB(p.workspace))
}

func (p *place) storedIn(t testing.TB, tx db.DBTX) []db.Click {
	t.Helper()
	rows, err := tx.Query(t.Context(), "SELECT * FROM clicks WHERE workspace_id = $1 ORDER BY id", p.workspace)
	if err != nil {
		t.Fatal(err)
	}
	clicks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.Click])
	if err != nil {
		t.Fatal(err)
	}
	return clicks
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func notEmpty(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return &s
}

func (p *place) hashKey() []byte {
	sum := sha256.Sum256(p.workspace[:])
	return sum[:]
}
