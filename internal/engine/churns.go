package engine

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// The kinds of churns.
const (
	KindChurn        = "churn"
	KindReactivation = "reactivation"
)

// NewChurn says that a referee left, or came back.
type NewChurn struct {
	ProgramID         uuid.UUID
	RefereeExternalID string
	Kind              string
	Source            string
	ExternalID        string
	OccurredAt        *time.Time
}

// Churned is a churn with what it did; Rewards are those that it changed. Referral is nil while no referral covers it; Effective says whether it changed the
// referral's state.
type Churned struct {
	Churn     db.Churn
	Referral  *db.Referral
	Rewards   []db.Reward
	Effective bool
	Known     bool
}

// RecordChurn stores a churn or a reactivation and settles the referee with it. Errors: unknown_reference,
// occurred_at_out_of_range, conflict when the reference was used for another referee or time.
func (e *Engine) RecordChurn(ctx context.Context, tx *store.Tx, s Scope, n NewChurn) (Churned, error) {
	at, outOfRange := s.occurredAt(n.OccurredAt)
	print := fingerprint(n.ProgramID.String(), n.RefereeExternalID, moment(n.OccurredAt))
	var known db.Churn
	h, err := e.loadHistory(ctx, tx, s, n.ProgramID, referee{ExternalID: n.RefereeExternalID}, func(tx store.DBTX) (err error) {
		known, err = e.q.GetChurnByReference(ctx, tx, db.GetChurnByReferenceParams{
			WorkspaceID: s.Workspace, Source: n.Source, ExternalID: n.ExternalID, Kind: n.Kind,
		})
		return optional(err)
	})
	if err != nil {
		return Churned{}, err
	}
	if known.ID != uuid.Nil {
		if !bytes.Equal(known.Fingerprint, print) {
			return Churned{}, problem.Conflict.With("external_id was used for another referee or time").
				WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
		}
		return Churned{Churn: known, Referral: h.covering(known.OccurredAt), Known: true}, nil
	}
	if outOfRange != nil {
		return Churned{}, outOfRange
	}
	b := h.mark()
	var versions []int64
	for _, w := range h.rewards {
		versions = append(versions, w.Version)
	}
	row := db.Churn{
		WorkspaceID: s.Workspace, ID: newID(), ProgramID: h.program.ID, RefereeID: h.referee.ID, Kind: n.Kind, Source: n.Source,
		ExternalID: n.ExternalID, Fingerprint: print, OccurredAt: at, ReceivedAt: s.Now,
	}
	h.churns = append(h.churns, row)
	r := e.record(tx, s)
	r.event(n.Kind+".recorded", "churn", row.ID, struct {
		RefereeID  uuid.UUID `json:"referee_id"`
		OccurredAt time.Time `json:"occurred_at"`
	}{row.RefereeID, row.OccurredAt})
	if err := e.q.CreateChurn(ctx, tx.Write(), db.CreateChurnParams(row)); err != nil {
		return Churned{}, err
	}
	out := Churned{Churn: row, Referral: h.covering(at)}
	var was state.Referral
	if out.Referral != nil {
		was = out.Referral.State
	}
	if err := r.settle(ctx, h, b); err != nil {
		return Churned{}, err
	}
	out.Effective = out.Referral != nil && out.Referral.State != was
	for i, w := range h.rewards {
		if i >= len(versions) || w.Version != versions[i] {
			out.Rewards = append(out.Rewards, w)
		}
	}
	if err := r.waitForReferral(ctx, h, out.Referral == nil, n.Kind, row.ID); err != nil {
		return Churned{}, err
	}
	return out, r.flush(ctx)
}

// covering returns the referral that a fact of this moment belongs to, or nil. The row is the history's own.
func (h *history) covering(at time.Time) *db.Referral {
	var out *db.Referral
	for i := range h.referrals {
		ref := &h.referrals[i]
		if isOpen(ref.State) && !ref.AttributedAt.After(at) && (out == nil || !ref.AttributedAt.Before(out.AttributedAt)) {
			out = ref
		}
	}
	return out
}
