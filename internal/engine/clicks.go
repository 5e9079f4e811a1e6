package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/landing"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewClick is a visit that a script or a server reports. ID is the reporter's own, so that the same report is the same click.
//
// VisitorKey is the hash of the reporter's visitor id, nil without one. Hash gives the hash that counts the visitor and the one of
// the address; both may change with the day. AddressNamed says that the address is part of the report, not only its sender's.
type NewClick struct {
	ID             *uuid.UUID
	Code           string
	ProgramID      *uuid.UUID
	Classification string // human, bot or prefetch
	Consent        string
	VisitorKey     []byte
	Hash           func(id uuid.UUID, at time.Time) (visitor, address []byte)
	AddressNamed   bool
	Utm            json.RawMessage
	ReferrerHost   *string
	LandingURL     *string
	OccurredAt     *time.Time
}

// RecordedClick is a click that is stored, or the problem that stood against it. Known says that it had been stored before.
type RecordedClick struct {
	Click   db.Click
	Known   bool
	Problem error
}

// Reports is what RecordClicks takes. Source is api or batch; a human click is a repeat within RepeatWindow after one of the same
// visitor and code.
type Reports struct {
	Source       string
	Clicks       []NewClick
	RepeatWindow time.Duration
}

// RecordClicks stores reported clicks. Each succeeds or fails on its own; the problems of one are unknown_reference,
// occurred_at_out_of_range, destination_not_allowed, validation_failed for an id whose time is out of range, and conflict for one
// that names a different click. Signups that wait for one of the clicks are decided again.
func (e *Engine) RecordClicks(ctx context.Context, tx *store.Tx, s Scope, n Reports) ([]RecordedClick, error) {
	b := newReported(s, n)
	if err := e.loadReported(ctx, tx, s, b); err != nil {
		return nil, err
	}
	for i := range n.Clicks {
		b.judge(s, i)
	}
	r := e.record(tx, s)
	if err := r.createClicks(ctx, b); err != nil {
		return nil, err
	}
	if err := r.claimLate(ctx, b); err != nil {
		return nil, err
	}
	return b.out, r.flush(ctx)
}

// reported is a batch of clicks in the making.
type reported struct {
	Reports
	at     []time.Time
	faults []error // of their times; a click that is known was in time once
	out    []RecordedClick
	fresh  []int // which ones are new
	byID   map[uuid.UUID]db.Click
	waits  []db.UnmatchedFact
	known  map[string]db.ListClickTargetsRow // by folded value
	visits []db.ListVisitsRow
}

func newReported(s Scope, n Reports) *reported {
	size := len(n.Clicks)
	b := &reported{Reports: n, at: make([]time.Time, size), faults: make([]error, size), out: make([]RecordedClick, size)}
	for i, c := range n.Clicks {
		b.at[i], b.faults[i] = s.occurredAt(c.OccurredAt)
		if c.ID != nil && b.faults[i] == nil {
			b.faults[i] = s.checkClickID(*c.ID)
		}
	}
	return b
}

// checkClickID refuses ids that would lie about their time. An id is made by a wall clock, also for a workspace whose own clock
// was moved.
func (s Scope) checkClickID(id uuid.UUID) error {
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16))
	if id.Version() == 7 && (s.inRange(at, s.Now) || s.inRange(at, time.Now())) {
		return nil
	}
	return problem.ValidationFailed.With("the id must be a UUID of version 7 whose time lies between " + s.MaxPast.String() + " ago and 5 minutes ahead").
		WithErrors([]problem.FieldError{{Pointer: "/id", Message: "its time is out of range"}})
}

// loadReported takes the meeting points of the named clicks, in one order for everybody, and reads what is known of them.
func (e *Engine) loadReported(ctx context.Context, tx *store.Tx, s Scope, b *reported) error {
	var ids []uuid.UUID
	var folded, keys []string
	var visitors [][]byte
	for _, c := range b.Clicks {
		folded = append(folded, code.Fold(c.Code))
		if c.VisitorKey != nil {
			visitors = append(visitors, c.VisitorKey)
		}
		if c.ID != nil {
			ids = append(ids, *c.ID)
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	var loads []load
	for _, id := range slices.Compact(ids) {
		key := waitsForClick(id)
		keys = append(keys, key)
		loads = append(loads, func(tx store.DBTX) error {
			return e.q.LockFactKey(ctx, tx, db.LockFactKeyParams{WorkspaceID: s.Workspace, Key: key})
		})
	}
	if len(ids) > 0 {
		loads = append(loads, e.loadNamed(ctx, s, b, ids, keys)...)
	}
	if len(visitors) > 0 {
		loads = append(loads, e.loadVisits(ctx, s, b, visitors))
	}
	return tx.Load(ctx, append(loads, func(tx store.DBTX) error {
		rows, err := e.q.ListClickTargets(ctx, tx, db.ListClickTargetsParams{WorkspaceID: s.Workspace, FoldedValues: folded})
		b.known = map[string]db.ListClickTargetsRow{}
		for _, r := range rows {
			b.known[r.FoldedValue] = r
		}
		return err
	})...)
}

// loadNamed reads the clicks with the reporter's own ids, and who waits for them.
func (e *Engine) loadNamed(ctx context.Context, s Scope, b *reported, ids []uuid.UUID, keys []string) []load {
	return []load{
		func(tx store.DBTX) error {
			rows, err := e.q.ListClicksByID(ctx, tx, db.ListClicksByIDParams{WorkspaceID: s.Workspace, Ids: ids})
			b.byID = byID(rows, func(c db.Click) uuid.UUID { return c.ID })
			return err
		},
		func(tx store.DBTX) (err error) {
			b.waits, err = e.q.ListWaitingFacts(ctx, tx, db.ListWaitingFactsParams{WorkspaceID: s.Workspace, WaitsFor: keys})
			return err
		},
	}
}

// loadVisits reads the clicks of the visitors around the time of the reported ones.
func (e *Engine) loadVisits(ctx context.Context, s Scope, b *reported, visitors [][]byte) load {
	var at []time.Time
	for i := range b.at {
		if b.faults[i] == nil {
			at = append(at, b.at[i])
		}
	}
	if len(at) == 0 {
		at = append(at, s.Now)
	}
	first, last := slices.MinFunc(at, time.Time.Compare), slices.MaxFunc(at, time.Time.Compare)
	return func(tx store.DBTX) (err error) {
		b.visits, err = e.q.ListVisits(ctx, tx, db.ListVisitsParams{
			WorkspaceID: s.Workspace, VisitorKeys: visitors, SinceID: store.LowestID(time.Now().Add(-s.MaxPast - time.Hour)),
			Since: first.Add(-b.RepeatWindow), Until: last.Add(b.RepeatWindow),
		})
		return err
	}
}

// judge makes the row of one click, or finds it, or says what is wrong with it.
func (b *reported) judge(s Scope, i int) {
	c, out := b.Clicks[i], &b.out[i]
	target, err := b.target(c)
	if err != nil {
		out.Problem = err
		return
	}
	if c.ID != nil {
		if row, ok := b.byID[*c.ID]; ok {
			out.Click, out.Known = row, true
			if !c.is(row, target) {
				out.Problem = problem.Conflict.With("the id was used for a different click").
					WithErrors([]problem.FieldError{{Pointer: "/id", Message: "already used"}})
			}
			return
		}
	}
	if out.Problem = cmp.Or(b.faults[i], checkLanding(c.LandingURL, target)); out.Problem != nil {
		return
	}
	out.Click = b.row(s, c, target, b.at[i])
	b.fresh = append(b.fresh, i)
	if c.ID != nil {
		if b.byID == nil {
			b.byID = map[uuid.UUID]db.Click{}
		}
		b.byID[*c.ID] = out.Click
	}
}

// target finds the code of a click.
func (b *reported) target(c NewClick) (db.ListClickTargetsRow, error) {
	t, ok := b.known[code.Fold(c.Code)]
	if !ok || c.ProgramID != nil && *c.ProgramID != t.ProgramID {
		return t, problem.UnknownReference.With("There is no such code.").
			WithErrors([]problem.FieldError{{Pointer: "/code", Message: "does not exist"}})
	}
	return t, nil
}

// is says whether a stored click is the reported one.
func (c NewClick) is(row db.Click, t db.ListClickTargetsRow) bool {
	if c.AddressNamed {
		if _, address := c.Hash(row.ID, row.OccurredAt); !bytes.Equal(address, row.AddressHash) {
			return false
		}
	}
	return row.CodeID == t.CodeID && row.Consent == c.Consent && bytes.Equal(row.VisitorKey, c.VisitorKey) &&
		(c.OccurredAt == nil || row.OccurredAt.Equal(c.OccurredAt.Truncate(time.Microsecond))) &&
		deref(row.ReferrerHost) == deref(c.ReferrerHost) && sameJSON(row.Utm, c.Utm)
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y map[string]string
	_, _ = json.Unmarshal(a, &x), json.Unmarshal(b, &y) // both were encoded here; none is no campaign
	return reflect.DeepEqual(x, y)
}

// checkLanding refuses pages that the program does not know: a click on them was not made by its link.
func checkLanding(page *string, t db.ListClickTargetsRow) error {
	if page == nil {
		return nil
	}
	home, err := landing.Parse(t.LandingURL)
	if err == nil {
		err = home.CheckAllowed(*page, t.AllowedHosts)
	}
	if err != nil {
		return problem.DestinationNotAllowed.With(err.Error()).
			WithErrors([]problem.FieldError{{Pointer: "/landing_url", Message: "not allowed"}})
	}
	return nil
}

func (b *reported) row(s Scope, c NewClick, t db.ListClickTargetsRow, at time.Time) db.Click {
	id := newID()
	if c.ID != nil {
		id = *c.ID
	}
	visitor, address := c.Hash(id, at)
	return db.Click{
		WorkspaceID: s.Workspace, ID: id, ProgramID: t.ProgramID, CodeID: t.CodeID, ReferrerID: t.ReferrerID,
		Classification: b.classify(c, t, at), Source: b.Source, Consent: c.Consent, Visitor: visitor, VisitorKey: c.VisitorKey,
		AddressHash: address, Utm: c.Utm, ReferrerHost: c.ReferrerHost, Day: calendar.Day(at, zone(t.TimeZone)), OccurredAt: at,
		ReceivedAt: s.Now,
	}
}

// classify flags the repeats of visitors whose id is known; who has none cannot be told apart well enough.
func (b *reported) classify(c NewClick, t db.ListClickTargetsRow, at time.Time) string {
	if c.Classification != "human" || c.VisitorKey == nil {
		return c.Classification
	}
	again := slices.ContainsFunc(b.visits, func(v db.ListVisitsRow) bool {
		return v.CodeID == t.CodeID && bytes.Equal(v.Visitor, c.VisitorKey) && at.Sub(v.OccurredAt).Abs() < b.RepeatWindow
	})
	b.visits = append(b.visits, db.ListVisitsRow{Visitor: c.VisitorKey, CodeID: t.CodeID, OccurredAt: at})
	if again {
		return "repeat"
	}
	return c.Classification
}
