package engine

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// claim asks for a referee who joined at a moment. limited names the codes whose uses are counted. A reattribution keeps the
// version and the moment of the referral that it replaces.
type claim struct {
	door    attribution.Door
	signup  *db.Signup
	at      time.Time
	touches []attribution.Touch
	limited map[uuid.UUID]bool
	version *db.ProgramVersion // nil is the one that was current then
	note    string             // the words of a person who acts by hand
}

// attribute is the one routine behind every door: it decides, stores the decision, makes the referral, and settles the
// history with it.
func (r *recorder) attribute(ctx context.Context, h *history, b before, c claim) (Attributed, error) {
	if err := r.pin(ctx, h, &c); err != nil {
		return Attributed{}, err
	}
	in, err := r.inputs(ctx, h, c)
	if err != nil {
		return Attributed{}, err
	}
	answer := attribution.Decide(in)
	encoded := attribution.Encode(in)
	hash := sha256.Sum256(encoded)
	d := db.AttributionDecision{
		WorkspaceID: r.s.Workspace, ID: newID(), ProgramID: h.program.ID, RefereeID: h.referee.ID, Door: string(c.door),
		Attributed: answer.Attributed, Reason: answer.Reason, Inputs: string(encoded), InputsHash: hash[:],
		Answer: string(attribution.Encode(answer)), DecidedAt: r.s.Now, ReferrerID: parseID(answer.ReferrerID), CodeID: parseID(answer.CodeID),
	}
	if c.signup != nil {
		d.SignupID = &c.signup.ID
	}
	if v := c.version; v != nil {
		d.ProgramVersionID = &v.ID
	}
	switch live := h.live(); {
	case answer.Attributed:
		id := newID()
		d.ReferralID = &id
	case live != nil:
		d.ReferralID, d.ReferrerID = &live.ID, &live.ReferrerID
	}
	r.event("decision.recorded", "decision", d.ID, struct {
		Attributed bool        `json:"attributed"`
		Reason     reason.Code `json:"reason"`
		ReferralID *uuid.UUID  `json:"referral_id"`
		Note       string      `json:"note,omitempty"`
	}{d.Attributed, d.Reason, d.ReferralID, c.note})
	if err := r.e.q.CreateDecision(ctx, r.tx.Write(), db.CreateDecisionParams(d)); err != nil {
		return Attributed{}, err
	}
	out := Attributed{Signup: c.signup, Decision: d, Answer: answer}
	if !answer.Attributed {
		return out, nil
	}
	if err := r.createReferral(ctx, h, c, d); err != nil {
		return Attributed{}, err
	}
	return out, r.settle(ctx, h, b)
}

// pin finds the version that a claim is judged by and its referral stays with, unless it is known: the one that was current when it
// occurred. There is none before the first is published.
func (r *recorder) pin(ctx context.Context, h *history, c *claim) error {
	if c.version != nil || h.current == nil {
		return nil
	}
	if c.version = h.current; !c.at.Before(h.current.PublishedAt) {
		return nil
	}
	if err := r.e.loadTimeline(ctx, r.tx, r.s, h); err != nil {
		return err
	}
	c.version = h.currentAt(c.at)
	return nil
}

// inputs freezes everything that the decision depends on.
func (r *recorder) inputs(ctx context.Context, h *history, c claim) (attribution.Inputs, error) {
	in := attribution.Inputs{
		Door: c.door, ProgramID: h.program.ID.String(), Program: h.program.Timeline, OccurredAt: c.at,
		Referee: attribution.Referee{ID: h.referee.ID.String(), CustomerSince: h.referee.CustomerSince, Erased: h.erased}, Touches: c.touches,
	}
	if v := c.version; v != nil {
		in.ProgramVersionID = v.ID.String()
		in.Policy = h.documents[v.ID].Attribution
	}
	if live := h.live(); live != nil {
		in.Referee.LiveReferralID = live.ID.String()
	}
	return in, r.findCycles(ctx, h, in.Touches)
}

// findCycles marks the referrers that came into the program through the referee. Only a referee with referrals of its own can
// have any; then the walk up from each referrer locks every ancestor against a change of key, and stops at the referee.
func (r *recorder) findCycles(ctx context.Context, h *history, touches []attribution.Touch) error {
	if h.isNew || len(touches) == 0 {
		return nil
	}
	if refers, err := r.refers(ctx, h); err != nil || !refers {
		return err
	}
	for i := range touches {
		t := touches[i].Referrer
		if t == nil || t.ID == h.referee.ID.String() {
			continue
		}
		below, err := r.isBelow(ctx, h, uuid.MustParse(t.ID))
		if err != nil {
			return err
		}
		t.BelowReferee = below
	}
	return nil
}

// refers says whether the referee is a referrer in the program, by this transaction included. The referee is locked, so that
// nobody can become its referee meanwhile.
func (r *recorder) refers(ctx context.Context, h *history) (bool, error) {
	if h.reach == nil {
		if err := r.e.loadReach(ctx, r.s, h)(r.tx.DB()); err != nil {
			return false, err
		}
	}
	return h.reach.Refers || slices.ContainsFunc(r.made, func(m db.Referral) bool { return m.ReferrerID == h.referee.ID && m.ProgramID == h.program.ID }), nil
}

func (r *recorder) isBelow(ctx context.Context, h *history, id uuid.UUID) (bool, error) {
	for seen := map[uuid.UUID]bool{}; !seen[id]; {
		seen[id] = true
		if _, err := r.e.q.GetParticipantForKeyShare(ctx, r.tx.DB(), db.GetParticipantForKeyShareParams{WorkspaceID: r.s.Workspace, ID: id}); err != nil {
			return false, err
		}
		up, err := r.referrerOf(ctx, h.program.ID, id)
		if optional(err) != nil {
			return false, err
		}
		if err != nil {
			return false, nil
		}
		if up == h.referee.ID {
			return true, nil
		}
		id = up
	}
	return false, nil
}

// referrerOf is one step up the tree, referrals of this transaction included.
func (r *recorder) referrerOf(ctx context.Context, program, referee uuid.UUID) (uuid.UUID, error) {
	for _, m := range r.made {
		if m.RefereeID == referee && m.ProgramID == program {
			return m.ReferrerID, nil
		}
	}
	return r.e.q.GetReferrerOf(ctx, r.tx.DB(), db.GetReferrerOfParams{WorkspaceID: r.s.Workspace, ProgramID: program, RefereeID: referee})
}

// createReferral makes the relation and takes a use of a limited code.
func (r *recorder) createReferral(ctx context.Context, h *history, c claim, d db.AttributionDecision) error {
	version := c.version
	window := time.Duration(h.documents[version.ID].Qualification.WindowSeconds) * time.Second
	ref := db.Referral{
		WorkspaceID: r.s.Workspace, ID: *d.ReferralID, ProgramID: h.program.ID, ProgramVersionID: version.ID, ReferrerID: *d.ReferrerID,
		RefereeID: h.referee.ID, CodeID: d.CodeID, SignupID: d.SignupID, DecisionID: d.ID, State: state.ReferralAttributed, Reason: d.Reason,
		AttributedAt: c.at, QualifyBy: c.at.Add(window), Version: 1, CreatedAt: r.s.Now,
	}
	if c.door == attribution.DoorReattribution {
		ref.HoldsFrom = &r.s.Now
	}
	if err := r.e.q.CreateReferral(ctx, r.tx.Write(), db.CreateReferralParams{
		WorkspaceID: ref.WorkspaceID, ID: ref.ID, ProgramID: ref.ProgramID, ProgramVersionID: ref.ProgramVersionID,
		ReferrerID: ref.ReferrerID, RefereeID: ref.RefereeID, CodeID: ref.CodeID, SignupID: ref.SignupID, DecisionID: ref.DecisionID,
		State: ref.State, Reason: ref.Reason, AttributedAt: ref.AttributedAt, HoldsFrom: ref.HoldsFrom, QualifyBy: ref.QualifyBy,
		CreatedAt: ref.CreatedAt,
	}); err != nil {
		return err
	}
	h.referrals = append(h.referrals, ref)
	r.made = append(r.made, ref)
	r.event("referral.attributed", "referral", ref.ID, referralData{State: ref.State, Reason: ref.Reason})
	if c.signup != nil {
		k := cell{program: h.program.ID, participant: ref.ReferrerID, day: dayOf(h, c.signup.OccurredAt), shard: h.shard()}
		r.counts[k] = r.counts[k].plus(counts{signups: 1}, 1)
	}
	if h.reach != nil && h.reach.Referred {
		if err := r.resettleLater(ctx, ref, holdsFrom(ref)); err != nil {
			return err
		}
	}
	return r.useCode(ctx, ref, c.limited)
}

// useCode counts a use of the winning code. The count of an unlimited code is not kept: it would make every popular code a hot
// row. No row left means that another signup took the last use; the whole decision is then made again.
func (r *recorder) useCode(ctx context.Context, ref db.Referral, limited map[uuid.UUID]bool) error {
	if ref.CodeID == nil || !limited[*ref.CodeID] {
		return nil
	}
	return r.e.q.UseCode(ctx, r.tx.Guard(), db.UseCodeParams{WorkspaceID: r.s.Workspace, ID: *ref.CodeID})
}

func parseID(s string) *uuid.UUID {
	if s == "" {
		return nil
	}
	id := uuid.MustParse(s)
	return &id
}

func dayOf(h *history, t time.Time) time.Time { return calendar.Day(t, h.zone) }
