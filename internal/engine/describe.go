package engine

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// ReversalView is a reversal with what it does now: what it took, what a dispute gave back of that, and why it was refused, if it
// was. ConversionID is nil while the conversion is not there.
type ReversalView struct {
	db.Reversal
	ConversionID *uuid.UUID
	Applied      int64
	Restored     int64
	Refused      reason.Code
}

// DescribeReversals computes what reversals do, for reading; two statements however many they are.
func (e *Engine) DescribeReversals(ctx context.Context, on store.DBTX, s Scope, rows []db.Reversal) ([]ReversalView, error) {
	var sources, ids, kinds []string
	for _, r := range rows {
		sources, ids, kinds = append(sources, r.Source), append(ids, r.ConversionExternalID), append(kinds, r.ConversionType)
	}
	conversions, err := e.q.ListConversionsByReference(ctx, on, db.ListConversionsByReferenceParams{
		WorkspaceID: s.Workspace, Sources: sources, ExternalIds: ids, Types: kinds,
	})
	if err != nil {
		return nil, err
	}
	all, err := e.q.ListReversalsByReference(ctx, on, db.ListReversalsByReferenceParams{
		WorkspaceID: s.Workspace, Sources: sources, ExternalIds: ids, Types: kinds,
	})
	if err != nil {
		return nil, err
	}
	h := history{conversions: conversions, reversals: all}
	out := make([]ReversalView, 0, len(rows))
	for _, r := range rows {
		out = append(out, h.describe(r))
	}
	return out, nil
}

func (h *history) describe(row db.Reversal) ReversalView {
	v := ReversalView{Reversal: row}
	for _, c := range h.conversions {
		if c.Source != row.Source || c.ExternalID != row.ConversionExternalID || c.Type != row.ConversionType {
			continue
		}
		v.ConversionID = &c.ID
		reversals := h.reversalsOf(c)
		_, applied, _ := settlement.Net(c.Amount, reversals)
		for _, a := range applied {
			if a.ID == row.ID.String() {
				v.Applied, v.Refused = a.Amount, refusedFor(a)
			}
			for _, other := range reversals {
				if other.ID == a.ID && other.Restores == row.ID.String() {
					v.Restored = -a.Amount
				}
			}
		}
	}
	return v
}

// refusedFor is why a reversal was refused; empty when it was not.
func refusedFor(a settlement.Applied) reason.Code {
	switch {
	case a.Foreign:
		return reason.CurrencyMismatch
	case a.Refused:
		return reason.ReversalExceedsConversion
	}
	return ""
}
