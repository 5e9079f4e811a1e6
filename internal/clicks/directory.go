package clicks

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// workspace is what a click needs of its workspace.
type workspace struct {
	id      uuid.UUID
	hashKey []byte
	clock   *time.Time // where a test clock stands
	salt    atomic.Pointer[daySalt]
}

// now is the time of a fact that happens now.
func (w *workspace) now(wall time.Time) time.Time {
	if w.clock != nil {
		return *w.clock
	}
	return wall.UTC().Truncate(time.Microsecond)
}

// saltOf gives the salt of the UTC day of at, which is almost always the one of the click before.
func (w *workspace) saltOf(at time.Time) *daySalt {
	var buffer [len(time.DateOnly)]byte
	day := at.UTC().AppendFormat(buffer[:0], time.DateOnly)
	if s := w.salt.Load(); s != nil && s.day == string(day) {
		return s
	}
	s := newDaySalt(string(day), dailySalt(w.hashKey, at))
	w.salt.Store(s)
	return s
}

// directory is the table of workspaces, by what links call them.
type directory struct {
	byHost, bySlug map[string]*workspace
	onlyLive       *workspace // nil when there are several, or none
}

// find gives the workspace of a link: the one it names, else the one whose host it is on, else the only one there is.
func (d *directory) find(slug, host string) *workspace {
	if slug != "" {
		return d.bySlug[slug]
	}
	if w := d.byHost[strings.ToLower(host)]; w != nil {
		return w
	}
	return d.onlyLive
}

func newDirectory(rows []db.Workspace) *directory {
	d := &directory{byHost: map[string]*workspace{}, bySlug: map[string]*workspace{}}
	live := 0
	for _, row := range rows {
		w := &workspace{id: row.WorkspaceID, hashKey: row.HashKey, clock: row.ClockAt}
		d.bySlug[row.Slug] = w
		if row.LinkHost != nil {
			d.byHost[strings.ToLower(*row.LinkHost)] = w
		}
		if row.Mode == "live" {
			live++
			d.onlyLive = w
		}
	}
	if live != 1 {
		d.onlyLive = nil
	}
	return d
}

// target is where a code leads and whose it is.
type target struct {
	code, program, referrer uuid.UUID
	landing                 landing.Address
	zone                    *time.Location
	erased                  bool // with its owner: it still leads to the program, and nobody brought who follows it
}

// targetKey is a folded code in a workspace.
type targetKey struct {
	workspace uuid.UUID
	folded    string
}

type lookup struct {
	store *store.Store
	query *db.Queries
	zones sync.Map // of *time.Location by name: loading one reads a file
}

func (l *lookup) directory(ctx context.Context, keys []struct{}, land func(struct{}, *directory, error)) {
	rows, err := l.query.ListAllWorkspaces(ctx, l.store.DB(uuid.Nil))
	for _, key := range keys {
		land(key, newDirectory(rows), err)
	}
}

// targets reads codes, with one question for each workspace; of a code that does not exist the target is nil.
func (l *lookup) targets(ctx context.Context, keys []targetKey, land func(targetKey, *target, error)) {
	folded := map[uuid.UUID][]string{}
	for _, key := range keys {
		folded[key.workspace] = append(folded[key.workspace], key.folded)
	}
	for workspace, values := range folded {
		rows, err := l.query.ListClickTargets(ctx, l.store.DB(workspace), db.ListClickTargetsParams{WorkspaceID: workspace, FoldedValues: values})
		found := make(map[string]db.ListClickTargetsRow, len(rows))
		for _, row := range rows {
			found[row.FoldedValue] = row
		}
		for _, value := range values {
			row, ok := found[value]
			switch key := (targetKey{workspace, value}); {
			case ok:
				t, err := l.target(row)
				land(key, t, err)
			default:
				land(key, nil, err)
			}
		}
	}
}

func (l *lookup) target(row db.ListClickTargetsRow) (t *target, err error) {
	t = &target{code: row.CodeID, program: row.ProgramID, referrer: row.ReferrerID}
	if t.landing, err = landing.Parse(row.LandingURL); err != nil {
		return nil, fmt.Errorf("program %s: %w", row.ProgramID, err)
	}
	t.zone, err = l.zone(row.TimeZone)
	return t, err
}

func (l *lookup) zone(name string) (*time.Location, error) {
	if zone, ok := l.zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		l.zones.Store(name, zone)
	}
	return zone, err
}
