package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// createClicks queues the new clicks with the markers by which statistics find them.
func (r *recorder) createClicks(ctx context.Context, b *reported) error {
	order := slices.Clone(b.fresh)
	slices.SortFunc(order, func(x, y int) int {
		return bytes.Compare(b.out[x].Click.ID[:], b.out[y].Click.ID[:])
	})
	for len(order) > 0 {
		n := markable(b, order)
		if err := r.createMarked(ctx, b, order[:n]); err != nil {
			return err
		}
		order = order[n:]
	}
	for _, i := range b.fresh {
		c := b.out[i].Click
		r.event("click.recorded", "click", c.ID, struct {
			ProgramID      uuid.UUID `json:"program_id"`
			CodeID         uuid.UUID `json:"code_id"`
			Classification string    `json:"classification"`
			OccurredAt     time.Time `json:"occurred_at"`
		}{c.ProgramID, c.CodeID, c.Classification, c.OccurredAt})
	}
	return nil
}

// markerGap is how far apart the ids under one marker may lie, in milliseconds: a marker is a range of ids, and reading it reads
// every click in the range, whosever it is.
const markerGap = 10_000

// markable says how many of the clicks, in the order of their ids, can stand under one marker.
func markable(b *reported, order []int) int {
	millisecond := func(i int) uint64 { return binary.BigEndian.Uint64(b.out[order[i]].Click.ID[:8]) >> 16 }
	n := 1
	for n < len(order) && millisecond(n)-millisecond(n-1) <= markerGap {
		n++
	}
	return n
}

func (r *recorder) createMarked(ctx context.Context, b *reported, order []int) error {
	marker := db.CreateClickBatchParams{
		WorkspaceID: r.s.Workspace, ID: newID(), FirstClickID: b.out[order[0]].Click.ID, LastClickID: b.out[order[len(order)-1]].Click.ID,
	}
	for _, i := range order {
		c := &b.out[i].Click
		c.BatchID = marker.ID
		if _, err := r.e.q.CreateClick(ctx, r.tx.Write(), db.CreateClickParams(*c)); err != nil {
			return err
		}
	}
	return r.e.q.CreateClickBatch(ctx, r.tx.Write(), marker)
}

// claimLate decides the claims of signups again that waited for one of the new clicks. Signups of one referee share its history, and
// referees are locked in one order for everybody.
func (r *recorder) claimLate(ctx context.Context, b *reported) error {
	arrived := map[string]db.Click{}
	for _, i := range b.fresh {
		arrived[waitsForClick(b.out[i].Click.ID)] = b.out[i].Click
	}
	waits := slices.DeleteFunc(slices.Clone(b.waits), func(w db.UnmatchedFact) bool {
		_, ok := arrived[w.WaitsFor]
		return !ok || w.RefereeID == nil || w.ProgramID == nil
	})
	slices.SortFunc(waits, func(a, b db.UnmatchedFact) int {
		return cmp.Or(bytes.Compare(a.RefereeID[:], b.RefereeID[:]), bytes.Compare(a.ProgramID[:], b.ProgramID[:]),
			bytes.Compare(a.FactID[:], b.FactID[:]), bytes.Compare(a.ID[:], b.ID[:]))
	})
	used := map[uuid.UUID]int64{}
	for len(waits) > 0 {
		n := slices.IndexFunc(waits, func(w db.UnmatchedFact) bool {
			return *w.RefereeID != *waits[0].RefereeID || *w.ProgramID != *waits[0].ProgramID
		})
		if n < 0 {
			n = len(waits)
		}
		if err := r.claimLateOf(ctx, waits[:n], arrived, used); err != nil {
			return err
		}
		waits = waits[n:]
	}
	return nil
}

// claimLateOf decides the waiting signups of one referee in one program, oldest first.
func (r *recorder) claimLateOf(ctx context.Context, waits []db.UnmatchedFact, arrived map[string]db.Click, used map[uuid.UUID]int64) error {
	owner, err := r.e.q.GetParticipant(ctx, r.tx.DB(), db.GetParticipantParams{WorkspaceID: r.s.Workspace, ID: *waits[0].RefereeID})
	if err != nil {
		return err
	}
	h, err := r.e.loadHistory(ctx, r.tx, r.s, *waits[0].ProgramID, referee{ExternalID: owner.ExternalID})
	if err != nil {
		return err
	}
	before := h.mark()
	for len(waits) > 0 {
		l := &lateClaim{fact: waits[0].FactID, used: used}
		for len(waits) > 0 && waits[0].FactID == l.fact {
			l.keys = append(l.keys, waits[0].WaitsFor)
			l.arrived = append(l.arrived, arrived[waits[0].WaitsFor])
			waits = waits[1:]
		}
		if err := r.decideLate(ctx, h, before, l); err != nil {
			return err
		}
	}
	return nil
}

// lateClaim is one signup and the clicks that it had waited for. Used counts the uses of codes that this transaction has taken;
// own is the referral that the signup has made already.
type lateClaim struct {
	fact    uuid.UUID
	keys    []string
	arrived []db.Click
	used    map[uuid.UUID]int64
	own     *db.Referral

	signup  db.Signup
	version *db.ProgramVersion
	inputs  attribution.Inputs
}

// decideLate decides a signup again, from the touches of its first decision and the clicks that have arrived since, at the time
// and under the version of that decision: as if they had been there. A referral that the signup has made gives way to the one
// that it would have made, unless it has ended.
func (r *recorder) decideLate(ctx context.Context, h *history, before before, l *lateClaim) error {
	if err := r.loadLate(ctx, h, l); err != nil {
		return err
	}
	if l.own = h.madeBy(l.fact); l.own != nil && !isLive(l.own.State) {
		return r.e.q.SettleClaim(ctx, r.tx.Write(), db.SettleClaimParams{
			WorkspaceID: r.s.Workspace, FactID: l.fact, Reason: reason.AlreadyAttributed, SettledAt: r.s.Now,
		})
	}
	t, err := r.lateTouches(ctx, l)
	if err != nil {
		return err
	}
	c := claim{
		door: attribution.DoorLateClaim, signup: &l.signup, at: l.signup.OccurredAt.UTC(), touches: t.all(h, l.signup.OccurredAt.UTC()),
		limited: t.limited(), version: l.version,
	}
	if err := r.giveWay(ctx, h, c, l); err != nil {
		return err
	}
	out, err := r.attribute(ctx, h, before, c)
	if err != nil {
		return err
	}
	if out.Decision.Attributed && out.Decision.CodeID != nil {
		l.used[*out.Decision.CodeID]++
	}
	p := db.SettleClaimParams{WorkspaceID: r.s.Workspace, FactID: l.fact, Reason: out.Answer.Reason, SettledAt: r.s.Now}
	if live := h.live(); live == nil || same(live.SignupID, &l.fact) {
		p.WaitsFor = l.keys // what else it waits for may still win
	}
	return r.e.q.SettleClaim(ctx, r.tx.Write(), p)
}

// madeBy is the last referral that a signup has made, if it has.
func (h *history) madeBy(signup uuid.UUID) (last *db.Referral) {
	for i := range h.referrals {
		if ref := &h.referrals[i]; same(ref.SignupID, &signup) {
			last = ref
		}
	}
	return last
}

// giveWay supersedes the signup's own referral when one of the clicks that have arrived would have won in its place.
func (r *recorder) giveWay(ctx context.Context, h *history, c claim, l *lateClaim) error {
	if l.own == nil || !state.Referrals.Allows(l.own.State, state.ReferralSuperseded) {
		return nil
	}
	in, err := r.inputs(ctx, h, c)
	if err != nil {
		return err
	}
	in.Referee.LiveReferralID = ""
	answer := attribution.Decide(in)
	won := slices.ContainsFunc(l.arrived, func(k db.Click) bool {
		return slices.ContainsFunc(answer.Candidates, func(c attribution.Candidate) bool { return c.Won && c.ID == k.ID.String() })
	})
	if !won || same(l.own.CodeID, parseID(answer.CodeID)) {
		return nil
	}
	next := *l.own
	next.State, next.Reason = state.ReferralSuperseded, reason.Superseded
	return r.writeReferral(ctx, l.own, next, "", next.State)
}

// loadLate reads the signup, its first decision, and the version of the rules that was current then.
func (r *recorder) loadLate(ctx context.Context, h *history, l *lateClaim) error {
	var d db.AttributionDecision
	err := r.tx.Load(ctx,
		func(tx store.DBTX) (err error) {
			l.signup, err = r.e.q.GetSignup(ctx, tx, db.GetSignupParams{WorkspaceID: r.s.Workspace, ID: l.fact})
			return err
		},
		func(tx store.DBTX) (err error) {
			d, err = r.e.q.GetDecisionOfSignup(ctx, tx, db.GetDecisionOfSignupParams{WorkspaceID: r.s.Workspace, SignupID: l.fact})
			return err
		})
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(d.Inputs), &l.inputs); err != nil {
		return fmt.Errorf("read the inputs of a decision: %w", err)
	}
	if d.ProgramVersionID == nil {
		return nil
	}
	v, err := r.e.q.GetProgramVersion(ctx, r.tx.DB(), db.GetProgramVersionParams{WorkspaceID: r.s.Workspace, ID: *d.ProgramVersionID})
	if err != nil {
		return err
	}
	l.version = &v
	h.documents[v.ID], err = r.e.document(v)
	return err
}

// lateTouches reads the touches of the first decision as they are now, and adds the clicks of this transaction.
func (r *recorder) lateTouches(ctx context.Context, l *lateClaim) (*touches, error) {
	t := &touches{}
	for _, old := range l.inputs.Touches {
		switch {
		case old.Kind == attribution.Click:
			t.clickIDs = append(t.clickIDs, uuid.MustParse(old.ID))
		case old.Code != nil:
			c, err := r.e.q.GetCode(ctx, r.tx.DB(), db.GetCodeParams{WorkspaceID: r.s.Workspace, ID: uuid.MustParse(old.Code.ID)})
			if err != nil {
				return nil, err
			}
			t.code = &c.Value
		default:
			t.code = new(string) // what was typed is no code, now as then
		}
	}
	if err := r.tx.Load(ctx, r.e.loadTouches(ctx, r.s, t)...); err != nil {
		return nil, err
	}
	for _, c := range l.arrived {
		if err := r.addClick(ctx, t, c); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(t.clicks, func(a, b db.ListTouchesRow) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range t.owners {
		t.owners[i].Code.Uses += l.used[t.owners[i].Code.ID]
		if l.own != nil && same(l.own.CodeID, &t.owners[i].Code.ID) {
			t.owners[i].Code.Uses-- // its own use does not stand in its way
		}
	}
	return t, nil
}

// addClick adds a click that is not stored yet, and locks the owner of its code.
func (r *recorder) addClick(ctx context.Context, t *touches, c db.Click) error {
	t.clicks = append(t.clicks, db.ListTouchesRow{
		ID: c.ID, CodeID: c.CodeID, Classification: c.Classification, Consent: c.Consent, OccurredAt: c.OccurredAt,
	})
	if slices.ContainsFunc(t.owners, func(o db.ListTouchedCodesRow) bool { return o.Code.ID == c.CodeID }) {
		return nil
	}
	row, err := r.e.q.GetCode(ctx, r.tx.DB(), db.GetCodeParams{WorkspaceID: r.s.Workspace, ID: c.CodeID})
	if err != nil {
		return err
	}
	owners, err := r.e.q.GetTypedCode(ctx, r.tx.DB(), db.GetTypedCodeParams{WorkspaceID: r.s.Workspace, FoldedValue: code.Fold(row.Value)})
	for _, o := range owners {
		t.owners = append(t.owners, db.ListTouchedCodesRow(o))
	}
	return err
}
