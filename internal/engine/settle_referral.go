package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// isLive says which referrals hold their referee: the partial unique key of the schema.
func isLive(s state.Referral) bool {
	return s != state.ReferralExpired && s != state.ReferralRejected && s != state.ReferralSuperseded
}

// moveReferral brings a referral to the outcome of its facts, when there is an arrow; otherwise it stays where it is.
func (r *recorder) moveReferral(ctx context.Context, h *history, ref *db.Referral, o settlement.Outcome) error {
	if !isLive(ref.State) && isLive(o.State) {
		if may, err := r.mayReopen(ctx, h, ref); err != nil || !may {
			return err
		}
	}
	steps := path(ref.State, o.State)
	if steps == nil {
		return nil
	}
	next := *ref
	next.State, next.Reason, next.QualifiedAt, next.ChurnedAt = o.State, o.Reason, o.QualifiedAt, o.ChurnedAt
	next.QualifyingConversionID = nil
	if o.QualifyingID != "" {
		id := uuid.MustParse(o.QualifyingID)
		next.QualifyingConversionID = &id
	}
	if next.State == state.ReferralAttributed && ref.State == state.ReferralAttributed {
		next.Reason = ref.Reason
	}
	if next.State == ref.State {
		if same(next.QualifyingConversionID, ref.QualifyingConversionID) || !isOpen(ref.State) {
			return nil // what has ended keeps what it was
		}
		steps = append(steps, next.State) // another conversion qualifies it now
	}
	return r.writeReferral(ctx, ref, next, "", steps...)
}

// mayReopen says whether a late fact may open a referral again: not when the referee belongs to somebody else by now, nor when
// the referrer is not eligible any more.
func (r *recorder) mayReopen(ctx context.Context, h *history, ref *db.Referral) (bool, error) {
	if h.live() != nil {
		return false, nil
	}
	referrer, err := r.e.q.GetParticipantForKeyShare(ctx, r.tx.DB(), db.GetParticipantForKeyShareParams{WorkspaceID: r.s.Workspace, ID: ref.ReferrerID})
	return referrer.State == state.ParticipantActive, err
}

// path is the way from one state to another along the arrows: nothing to walk (empty), or one step, or through qualified
// when a purchase and what followed it arrive together, or a late fact undoes what led here. It is nil when there is no way.
func path(from, to state.Referral) []state.Referral {
	switch {
	case from == to:
		return []state.Referral{}
	case state.Referrals.Allows(from, to):
		return []state.Referral{to}
	case state.Referrals.Allows(from, state.ReferralQualified) && state.Referrals.Allows(state.ReferralQualified, to):
		return []state.Referral{state.ReferralQualified, to}
	}
	return nil
}

// writeReferral moves a referral in one guarded update and logs every step of the way, with the words of the person who asked
// for it, if any.
func (r *recorder) writeReferral(ctx context.Context, ref *db.Referral, next db.Referral, note string, steps ...state.Referral) error {
	from := ref.State
	for _, to := range steps {
		r.event(referralEvent(from, to), "referral", ref.ID, referralData{
			State: to, Reason: next.Reason, QualifiedAt: next.QualifiedAt, QualifyingConversionID: next.QualifyingConversionID,
			Note: note,
		})
		from = to
	}
	next.EndedAt = endOf(next, r.s.Now)
	if err := r.treeChanged(ctx, *ref, next); err != nil {
		return err
	}
	err := r.e.q.MoveReferral(ctx, r.tx.Guard(), db.MoveReferralParams{
		WorkspaceID: r.s.Workspace, ID: ref.ID, ToState: next.State, Reason: next.Reason, QualifiedAt: next.QualifiedAt,
		QualifyingConversionID: next.QualifyingConversionID, ChurnedAt: next.ChurnedAt, EndedAt: next.EndedAt,
		FromState: ref.State, Version: ref.Version,
	})
	next.Version = ref.Version + 1
	*ref = next
	return err
}

// endOf is when a referral stopped being part of the tree: with its window when it expired, also where that is noticed later, and now
// when a decision ends it; nil while it holds its referee.
func endOf(ref db.Referral, now time.Time) *time.Time {
	switch {
	case isLive(ref.State):
		return nil
	case ref.State == state.ReferralExpired:
		return &ref.QualifyBy
	}
	return &now
}

type referralData struct {
	State                  state.Referral `json:"state"`
	Reason                 reason.Code    `json:"reason"`
	QualifiedAt            *time.Time     `json:"qualified_at"`
	QualifyingConversionID *uuid.UUID     `json:"qualifying_conversion_id"`
	Note                   string         `json:"note,omitempty"`
}

func referralEvent(from, to state.Referral) string {
	switch {
	case to == state.ReferralQualified && from == state.ReferralChurned:
		return "referral.reactivated"
	case to == state.ReferralQualified && from == state.ReferralExpired:
		return "referral.reopened"
	case to == state.ReferralAttributed:
		return "referral.unqualified"
	}
	return "referral." + string(to)
}
