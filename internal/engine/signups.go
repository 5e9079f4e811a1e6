package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewSignup is the fact that a referee joined. ExternalID is the caller's id of the event.
type NewSignup struct {
	ProgramID         uuid.UUID
	RefereeExternalID string
	ExternalID        string
	Email             *string
	DisplayName       *string
	CustomerSince     *time.Time
	Code              *string
	ClickIDs          []uuid.UUID
	VisitorID         *string
	OccurredAt        *time.Time
	Metadata          json.RawMessage
}

// Attributed is the answer to a signup or another claim. Signup is nil for claims that are none; Known says that the same
// signup had been sent before, and this is the answer it got.
type Attributed struct {
	Signup   *db.Signup
	Decision db.AttributionDecision
	Answer   attribution.Answer
	Known    bool
}

func (n NewSignup) fingerprint(s Scope) []byte {
	parts := []string{
		n.RefereeExternalID, code.Fold(deref(n.Code)), deref(n.VisitorID), moment(n.OccurredAt), moment(n.CustomerSince), string(s.emailHash(n.Email)),
		deref(n.DisplayName), string(orEmpty(n.Metadata)),
	}
	for _, id := range n.ClickIDs {
		parts = append(parts, id.String())
	}
	return fingerprint(parts...)
}

// CreateSignup stores a signup, decides who gets the referee, and stores the decision. A refusal is an answer, not an
// error. A new referral is settled with everything that is already known of the referee. Errors: unknown_reference,
// occurred_at_out_of_range, and conflict when the event id was used for a different signup.
func (e *Engine) CreateSignup(ctx context.Context, tx *store.Tx, s Scope, n NewSignup) (Attributed, error) {
	at, outOfRange := s.occurredAt(n.OccurredAt)
	h := &history{}
	who := referee{n.RefereeExternalID, n.Email, n.DisplayName, n.CustomerSince}
	var known db.Signup
	t := &touches{code: n.Code, clickIDs: n.ClickIDs, visitorKey: s.visitorKey(n.VisitorID)}
	loads := append(e.lockReferee(ctx, s, who, h), e.loadProgram(ctx, s, n.ProgramID, h),
		e.loadReferrals(ctx, s, n.ProgramID, n.RefereeExternalID, h),
		func(tx store.DBTX) (err error) {
			known, err = e.q.GetSignupByExternalID(ctx, tx, db.GetSignupByExternalIDParams{
				WorkspaceID: s.Workspace, ProgramID: n.ProgramID, ExternalID: n.ExternalID,
			})
			return optional(err)
		})
	if err := tx.Load(ctx, append(loads, e.loadTouches(ctx, s, t)...)...); err != nil {
		return Attributed{}, err
	}
	if known.ID != uuid.Nil {
		return e.knownSignup(ctx, tx, s, known, n)
	}
	if outOfRange != nil {
		return Attributed{}, outOfRange
	}
	if err := e.completeHistory(ctx, tx, s, h); err != nil {
		return Attributed{}, err
	}
	if err := e.lockMissingClicks(ctx, tx, s, t); err != nil {
		return Attributed{}, err
	}
	signup := db.Signup{
		WorkspaceID: s.Workspace, ID: newID(), ProgramID: h.program.ID, RefereeID: h.referee.ID, ExternalID: n.ExternalID,
		Fingerprint: n.fingerprint(s), Metadata: orEmpty(n.Metadata), OccurredAt: at, ReceivedAt: s.Now,
	}
	r := e.record(tx, s)
	b := h.mark()
	if err := r.createSignup(ctx, h, signup); err != nil {
		return Attributed{}, err
	}
	out, err := r.attribute(ctx, h, b, claim{door: attribution.DoorSignup, signup: &signup, at: at, touches: t.all(h, at), limited: t.limited()})
	if err != nil {
		return Attributed{}, err
	}
	if err := r.waitForClicks(ctx, h, signup, out.Answer, t.missing()); err != nil {
		return Attributed{}, err
	}
	return out, r.flush(ctx)
}

// completeHistory reads the rest of a history: nothing for a referee who was made just now.
func (e *Engine) completeHistory(ctx context.Context, tx *store.Tx, s Scope, h *history) error {
	if !h.isNew {
		loads := append(e.loadFacts(ctx, s, h.program.ID, h.referee.ExternalID, h), e.loadReach(ctx, s, h))
		if err := tx.Load(ctx, loads...); err != nil {
			return err
		}
	}
	return e.loadDocuments(ctx, tx, s, h)
}

// knownSignup answers a signup that was sent before.
func (e *Engine) knownSignup(ctx context.Context, tx *store.Tx, s Scope, known db.Signup, n NewSignup) (Attributed, error) {
	if !bytes.Equal(known.Fingerprint, n.fingerprint(s)) {
		return Attributed{}, problem.Conflict.With("external_id was used for a different signup").
			WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
	}
	d, err := e.q.GetDecisionOfSignup(ctx, tx.DB(), db.GetDecisionOfSignupParams{WorkspaceID: s.Workspace, SignupID: known.ID})
	if err != nil {
		return Attributed{}, err
	}
	var answer attribution.Answer
	err = json.Unmarshal([]byte(d.Answer), &answer)
	return Attributed{Signup: &known, Decision: d, Answer: answer, Known: true}, err
}

func (r *recorder) createSignup(ctx context.Context, h *history, n db.Signup) error {
	k := cell{program: h.program.ID, day: dayOf(h, n.OccurredAt), shard: h.shard()}
	r.counts[k] = r.counts[k].plus(counts{signups: 1}, 1)
	r.event("signup.recorded", "signup", n.ID, struct {
		RefereeID  uuid.UUID `json:"referee_id"`
		ProgramID  uuid.UUID `json:"program_id"`
		OccurredAt time.Time `json:"occurred_at"`
	}{n.RefereeID, n.ProgramID, n.OccurredAt})
	return r.e.q.CreateSignup(ctx, r.tx.Write(), db.CreateSignupParams(n))
}

// waitForClicks remembers that a signup named clicks that are not stored yet and could have won; when one arrives, the claim is
// decided again.
func (r *recorder) waitForClicks(ctx context.Context, h *history, n db.Signup, got attribution.Answer, missing []uuid.UUID) error {
	if live := h.live(); live != nil && !(got.Attributed && h.clicksCompete(live, got)) {
		return nil
	}
	for _, id := range missing {
		if err := r.e.q.CreateUnmatchedFact(ctx, r.tx.Write(), db.CreateUnmatchedFactParams{
			WorkspaceID: r.s.Workspace, ID: newID(), Kind: "signup", FactID: n.ID, ProgramID: &n.ProgramID, RefereeID: &n.RefereeID,
			WaitsFor: waitsForClick(id), Reason: reason.ClickNotFound, ReceivedAt: r.s.Now,
		}); err != nil {
			return err
		}
	}
	return nil
}

// clicksCompete says whether a click can outrank what won: another click, or a code where clicks come first.
func (h *history) clicksCompete(live *db.Referral, got attribution.Answer) bool {
	return h.documents[live.ProgramVersionID].Attribution.CodePrecedence == rules.ClickFirst ||
		slices.ContainsFunc(got.Candidates, func(c attribution.Candidate) bool { return c.Won && c.Kind == attribution.Click })
}

func deref[T any](v *T) (none T) {
	if v == nil {
		return none
	}
	return *v
}

// orEmpty is the metadata to store: an empty object when the caller sent none.
func orEmpty(metadata json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(metadata)) == 0 || strings.TrimSpace(string(metadata)) == "null" {
		return json.RawMessage("{}")
	}
	return metadata
}
