package engine

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/visitor"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// touches gathers the candidates of a claim: the typed code, the clicks it names, and the clicks of its visitor.
type touches struct {
	code       *string
	clickIDs   []uuid.UUID
	visitorKey []byte

	clicks []db.ListTouchesRow
	owners []db.ListTouchedCodesRow
}

// visitorKey hashes the caller's visitor id, by which its clicks are found; nil without one.
func (s Scope) visitorKey(id *string) []byte {
	if id == nil {
		return nil
	}
	return visitor.Key(s.HashKey, *id)
}

// maxTouchAge bounds how far back a visitor's clicks are looked for: the longest attribution window of the contract.
const maxTouchAge = 366 * 24 * time.Hour

func (t *touches) hasClicks() bool { return len(t.clickIDs) > 0 || t.visitorKey != nil }

// loadTouches reads the clicks and the codes, and locks the codes' owners.
func (e *Engine) loadTouches(ctx context.Context, s Scope, t *touches) []load {
	folded := code.Fold(deref(t.code))
	if !t.hasClicks() {
		if folded == "" {
			return nil
		}
		return []load{func(tx store.DBTX) error {
			rows, err := e.q.GetTypedCode(ctx, tx, db.GetTypedCodeParams{WorkspaceID: s.Workspace, FoldedValue: folded})
			t.owners = nil
			for _, row := range rows {
				t.owners = append(t.owners, db.ListTouchedCodesRow(row))
			}
			return err
		}}
	}
	since := store.LowestID(time.Now().Add(-maxTouchAge))
	return []load{
		// The clicks come first: one that is stored in between then has an owner and no click, and counts as missing. The other way
		// round it would be there and belong to nobody.
		func(tx store.DBTX) (err error) {
			t.clicks, err = e.q.ListTouches(ctx, tx, db.ListTouchesParams{
				WorkspaceID: s.Workspace, ClickIds: t.clickIDs, VisitorKey: t.visitorKey, Since: since,
			})
			return err
		},
		func(tx store.DBTX) (err error) {
			t.owners, err = e.q.ListTouchedCodes(ctx, tx, db.ListTouchedCodesParams{
				WorkspaceID: s.Workspace, FoldedValue: folded, ClickIds: t.clickIDs, VisitorKey: t.visitorKey, Since: since,
			})
			return err
		},
	}
}

// missing lists the named clicks that are not stored.
func (t *touches) missing() []uuid.UUID {
	var out []uuid.UUID
	for _, id := range t.clickIDs {
		if !slices.ContainsFunc(t.clicks, func(c db.ListTouchesRow) bool { return c.ID == id }) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// lockMissingClicks makes sure that a click which is being stored right now is not missed: it takes the meeting point of
// each missing click and looks again.
func (e *Engine) lockMissingClicks(ctx context.Context, tx *store.Tx, s Scope, t *touches) error {
	missing := t.missing()
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	var loads []load
	for _, id := range missing {
		loads = append(loads, func(tx store.DBTX) error {
			return e.q.LockFactKey(ctx, tx, db.LockFactKeyParams{WorkspaceID: s.Workspace, Key: waitsForClick(id)})
		})
	}
	return tx.Load(ctx, append(loads, e.loadTouches(ctx, s, t)...)...)
}

// all turns the rows into touches, clicks in the order of their ids and the typed code last.
func (t *touches) all(h *history, at time.Time) []attribution.Touch {
	out := []attribution.Touch{}
	for _, c := range t.clicks {
		touch := attribution.Touch{Kind: attribution.Click, ID: c.ID.String(), At: c.OccurredAt.UTC(), Classification: c.Classification, Consent: c.Consent}
		touch.Code, touch.Referrer = t.owner(h, func(o db.Code) bool { return o.ID == c.CodeID })
		out = append(out, touch)
	}
	for _, id := range t.missing() {
		out = append(out, attribution.Touch{Kind: attribution.Click, ID: id.String(), At: at})
	}
	if t.code != nil {
		folded := code.Fold(*t.code)
		touch := attribution.Touch{Kind: attribution.Typed, At: at}
		touch.Code, touch.Referrer = t.owner(h, func(o db.Code) bool { return o.FoldedValue == folded })
		out = append(out, touch)
	}
	return out
}

// limited names the codes whose uses are counted.
func (t *touches) limited() map[uuid.UUID]bool {
	out := map[uuid.UUID]bool{}
	for _, o := range t.owners {
		if o.Code.MaxUses != nil {
			out[o.Code.ID] = true
		}
	}
	return out
}

func (t *touches) owner(h *history, is func(db.Code) bool) (*attribution.Code, *attribution.Referrer) {
	for _, o := range t.owners {
		if !is(o.Code) {
			continue
		}
		c := o.Code
		return &attribution.Code{
			ID: c.ID.String(), ProgramID: c.ProgramID.String(), Timeline: c.Timeline, StartsAt: c.StartsAt, ExpiresAt: c.ExpiresAt,
			Exhausted: c.MaxUses != nil && c.Uses >= *c.MaxUses,
		}, asReferrer(o.Participant, h.referee)
	}
	return nil, nil
}

func asReferrer(p, referee db.Participant) *attribution.Referrer {
	return &attribution.Referrer{
		ID: p.ID.String(), State: p.State,
		SameEmail: p.ID != referee.ID && p.EmailHash != nil && bytes.Equal(p.EmailHash, referee.EmailHash),
	}
}
