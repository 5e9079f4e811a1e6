package engine

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// compressedDepth is how far up ancestors are looked for who may earn, where those who may not are passed over.
const compressedDepth = 50

// ancestor is an element of conversions.upline.
type ancestor struct {
	ParticipantID uuid.UUID `json:"participant_id"`
	Eligible      bool      `json:"eligible"`
	Group         string    `json:"group,omitempty"`
}

// upline reads what resolveUplines has stored.
func upline(raw json.RawMessage) []settlement.Ancestor {
	var stored []ancestor
	_ = json.Unmarshal(raw, &stored) // none, or what resolveUplines wrote
	out := make([]settlement.Ancestor, 0, len(stored))
	for _, a := range stored {
		out = append(out, settlement.Ancestor{ID: a.ParticipantID.String(), Eligible: a.Eligible, Group: a.Group})
	}
	return out
}

// resolveUplines finds who is above the referrer for conversions that have a referral and are settled for the first time. It stays
// what it was then: later changes of the tree do not move money that a sale has earned.
func (r *recorder) resolveUplines(ctx context.Context, h *history) error {
	for i := range h.conversions {
		c := &h.conversions[i]
		if c.ReferralID == nil || c.Upline != nil && !h.newTree || c.State == state.ConversionDisqualified {
			continue
		}
		ref := h.referrals[slices.IndexFunc(h.referrals, func(ref db.Referral) bool { return ref.ID == *c.ReferralID })]
		depth := depthOf(h.documents[h.versionAt(&ref, c.OccurredAt)])
		if depth == 0 {
			continue
		}
		rows, err := r.e.q.ListUpline(ctx, r.tx.DB(), db.ListUplineParams{
			WorkspaceID: r.s.Workspace, ProgramID: h.program.ID, RefereeID: ref.RefereeID, ReferrerID: ref.ReferrerID, At: c.OccurredAt,
			MaxDepth: depth,
		})
		if err != nil {
			return err
		}
		var known []ancestor
		_ = json.Unmarshal(c.Upline, &known) // none, or what was written here
		above := []ancestor{}
		for _, row := range rows {
			if row.Depth > 1 {
				above = append(above, ancestor{
					ParticipantID: row.ParticipantID, Eligible: row.State == state.ParticipantActive, Group: row.GroupTimeline.At(c.OccurredAt),
				}.as(known))
			}
		}
		if c.Upline != nil && slices.Equal(above, known) {
			continue
		}
		if c.Upline, err = json.Marshal(above); err != nil {
			return err
		}
	}
	return nil
}

// as keeps what was known of an ancestor when the sale was settled first.
func (a ancestor) as(known []ancestor) ancestor {
	if i := slices.IndexFunc(known, func(k ancestor) bool { return k.ParticipantID == a.ParticipantID }); i >= 0 {
		return known[i]
	}
	return a
}

// depthOf is how far up the rules of a version look from a referee: one further than they pay, so that the ancestor there is told so.
// It is 0 when they pay no upline.
func depthOf(doc rules.Document) int32 {
	depth := 0
	for _, rule := range doc.Rewards {
		if rule.Beneficiary == rules.Upline && rule.Level != nil {
			depth = max(depth, *rule.Level+1)
		}
	}
	if depth > 0 && doc.Levels.Ineligible == rules.Compress {
		return compressedDepth
	}
	return int32(depth)
}
