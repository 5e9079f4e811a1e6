package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// ManualReferral names the referrer of a referee by hand.
type ManualReferral struct {
	ProgramID          uuid.UUID
	ReferrerExternalID string
	RefereeExternalID  string
	OccurredAt         *time.Time
	Note               string
}

// CreateReferral attributes a referee by hand, through the same routine and with the same refusals as a signup; only the touch is
// the caller's word. Errors: unknown_reference, occurred_at_out_of_range, cycle_detected when the referrer came into the
// program through the referee.
func (e *Engine) CreateReferral(ctx context.Context, tx *store.Tx, s Scope, n ManualReferral) (Attributed, error) {
	at, err := s.occurredAt(n.OccurredAt)
	if err != nil {
		return Attributed{}, err
	}
	h, err := e.loadHistory(ctx, tx, s, n.ProgramID, referee{ExternalID: n.RefereeExternalID})
	if err != nil {
		return Attributed{}, err
	}
	referrer, err := e.q.GetParticipantByExternalIDForKeyShare(ctx, tx.DB(), db.GetParticipantByExternalIDForKeyShareParams{
		WorkspaceID: s.Workspace, ExternalID: n.ReferrerExternalID,
	})
	if err != nil {
		return Attributed{}, lookUp(err, "/referrer_external_id", "the referrer")
	}
	r := e.record(tx, s)
	b := h.mark()
	c := claim{door: attribution.DoorManual, at: at, touches: byHand(h, referrer, at), note: n.Note}
	if err := r.refuseCycle(ctx, h, c.touches); err != nil {
		return Attributed{}, err
	}
	out, err := r.attribute(ctx, h, b, c)
	if err != nil {
		return Attributed{}, err
	}
	return out, r.flush(ctx)
}

func byHand(h *history, referrer db.Participant, at time.Time) []attribution.Touch {
	return []attribution.Touch{{Kind: attribution.Manual, At: at, Referrer: asReferrer(referrer, h.referee)}}
}

// refuseCycle answers a hand-made relation that would close a cycle with a problem: unlike a signup, its caller can act on it.
func (r *recorder) refuseCycle(ctx context.Context, h *history, touches []attribution.Touch) error {
	if err := r.findCycles(ctx, h, touches); err != nil {
		return err
	}
	for _, t := range touches {
		if t.Referrer != nil && t.Referrer.BelowReferee {
			return problem.CycleDetected.With("the referrer came into the program through the referee")
		}
	}
	return nil
}

// RejectReferral ends a referral by hand: what it earned is taken back on both sides, and nothing more is earned. Errors:
// not_found, state_not_allowed.
func (e *Engine) RejectReferral(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, note string) (db.Referral, error) {
	h, ref, err := e.loadHistoryOf(ctx, tx, s, id)
	if err != nil {
		return db.Referral{}, err
	}
	if !state.Referrals.Allows(ref.State, state.ReferralRejected) {
		return db.Referral{}, problem.StateNotAllowed.With("a referral that is " + string(ref.State) + " cannot be rejected")
	}
	r := e.record(tx, s)
	b := h.mark()
	next := *ref
	next.State, next.Reason = state.ReferralRejected, reason.ReferralRejected
	if err := r.writeReferral(ctx, ref, next, note, next.State); err != nil {
		return db.Referral{}, err
	}
	if err := r.settle(ctx, h, b); err != nil {
		return db.Referral{}, err
	}
	return *ref, r.flush(ctx)
}

// loadHistoryOf loads the history behind a referral; the row that it returns is the history's own.
func (e *Engine) loadHistoryOf(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID) (*history, *db.Referral, error) {
	row, err := e.q.GetReferral(ctx, tx.DB(), db.GetReferralParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return nil, nil, store.OrNotFound(err, "the referral")
	}
	p, err := e.q.GetParticipant(ctx, tx.DB(), db.GetParticipantParams{WorkspaceID: s.Workspace, ID: row.RefereeID})
	if err != nil {
		return nil, nil, err
	}
	h, err := e.loadHistory(ctx, tx, s, row.ProgramID, referee{ExternalID: p.ExternalID})
	if err != nil {
		return nil, nil, err
	}
	for i := range h.referrals {
		if h.referrals[i].ID == id {
			return h, &h.referrals[i], nil
		}
	}
	return nil, nil, problem.NotFound.With("the referral does not exist")
}

// Reattribution gives a referral to another referrer, named by a code or by external id.
type Reattribution struct {
	Code               *string
	ReferrerExternalID *string
	Note               string
}

// ReattributeReferral replaces a referral by one of another referrer, as if that one had been right from the start: same
// moment, same version of the rules. What the old referrer earned is taken back, and the new one earns it. Errors: not_found,
// state_not_allowed, unknown_reference, cycle_detected.
func (e *Engine) ReattributeReferral(ctx context.Context, tx *store.Tx, s Scope, id uuid.UUID, n Reattribution) (Attributed, error) {
	h, old, err := e.loadHistoryOf(ctx, tx, s, id)
	if err != nil {
		return Attributed{}, err
	}
	if !state.Referrals.Allows(old.State, state.ReferralSuperseded) {
		return Attributed{}, problem.StateNotAllowed.With("a referral that is " + string(old.State) + " cannot be given to somebody else")
	}
	touches, limited, err := e.newOwner(ctx, tx, s, h, n, old.AttributedAt)
	if err != nil {
		return Attributed{}, err
	}
	r := e.record(tx, s)
	if err := r.refuseCycle(ctx, h, touches); err != nil {
		return Attributed{}, err
	}
	version, err := e.q.GetProgramVersion(ctx, tx.DB(), db.GetProgramVersionParams{WorkspaceID: s.Workspace, ID: old.ProgramVersionID})
	if err != nil {
		return Attributed{}, err
	}
	b := h.mark()
	c := claim{
		door: attribution.DoorReattribution, at: old.AttributedAt, touches: touches, limited: limited, version: &version, note: n.Note,
	}
	out, err := r.supersede(ctx, h, b, old, c)
	if err != nil {
		return Attributed{}, err
	}
	return out, r.flush(ctx)
}

// newOwner reads who a referral goes to, as a touch at the moment of the old attribution.
func (e *Engine) newOwner(ctx context.Context, tx *store.Tx, s Scope, h *history, n Reattribution, at time.Time) ([]attribution.Touch, map[uuid.UUID]bool, error) {
	if n.Code != nil {
		t := &touches{code: n.Code}
		if err := tx.Load(ctx, e.loadTouches(ctx, s, t)...); err != nil {
			return nil, nil, err
		}
		if len(t.owners) == 0 {
			return nil, nil, problem.UnknownReference.With("no code of this workspace has the value " + code.Fold(*n.Code)).
				WithErrors([]problem.FieldError{{Pointer: "/code", Message: "unknown code"}})
		}
		return t.all(h, at), t.limited(), nil
	}
	referrer, err := e.q.GetParticipantByExternalIDForKeyShare(ctx, tx.DB(), db.GetParticipantByExternalIDForKeyShareParams{
		WorkspaceID: s.Workspace, ExternalID: deref(n.ReferrerExternalID),
	})
	return byHand(h, referrer, at), nil, lookUp(err, "/referrer_external_id", "the referrer")
}

// supersede decides a reattribution; a refusal leaves the old referral as it is.
func (r *recorder) supersede(ctx context.Context, h *history, b before, old *db.Referral, c claim) (Attributed, error) {
	in, err := r.inputs(ctx, h, c)
	if err != nil {
		return Attributed{}, err
	}
	if attribution.Decide(in).Attributed {
		next := *old
		next.State, next.Reason = state.ReferralSuperseded, reason.Superseded
		if err := r.writeReferral(ctx, old, next, c.note, next.State); err != nil {
			return Attributed{}, err
		}
	}
	return r.attribute(ctx, h, b, c)
}
