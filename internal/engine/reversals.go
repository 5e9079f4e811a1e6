package engine

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewReversal undoes a conversion, named by its own reference: it may come first. Amount nil takes all that is left.
type NewReversal struct {
	Source               string
	ExternalID           string
	ConversionExternalID string
	ConversionType       string
	Kind                 settlement.Kind
	Amount               *int64
	Currency             *string
	Restores             *uuid.UUID
	Note                 *string
	OccurredAt           *time.Time
}

// Reversed is a reversal with what it did. Conversion is nil while the reversal waits for it.
type Reversed struct {
	Reversal   ReversalView
	Conversion *db.Conversion
	Rewards    []db.Reward
	Known      bool
}

func (n NewReversal) fingerprint() []byte {
	amount := ""
	if n.Amount != nil {
		amount = strconv.FormatInt(*n.Amount, 10)
	}
	restores := ""
	if n.Restores != nil {
		restores = n.Restores.String()
	}
	return fingerprint(n.ConversionExternalID, n.ConversionType, string(n.Kind), amount, deref(n.Currency), restores, deref(n.Note), moment(n.OccurredAt))
}

// RecordReversal stores a reversal and settles its conversion's referee with it. Errors: reversal_exceeds_conversion when a
// refund asks for more than is left, currency_mismatch, occurred_at_out_of_range, conflict when the reference was used for a
// different reversal.
func (e *Engine) RecordReversal(ctx context.Context, tx *store.Tx, s Scope, n NewReversal) (Reversed, error) {
	at, outOfRange := s.occurredAt(n.OccurredAt)
	var conversion db.Conversion
	var known db.Reversal
	err := tx.Load(ctx, append(e.lockConversion(ctx, s, n.Source, n.ConversionExternalID, n.ConversionType, &conversion),
		func(tx store.DBTX) (err error) {
			known, err = e.q.GetReversalByReference(ctx, tx, db.GetReversalByReferenceParams{
				WorkspaceID: s.Workspace, Source: n.Source, ExternalID: n.ExternalID, ErasedID: s.pseudonym(n.ExternalID),
			})
			return optional(err)
		})...)
	if err != nil {
		return Reversed{}, err
	}
	if known.ID != uuid.Nil && !bytes.Equal(known.Fingerprint, n.fingerprint()) {
		return Reversed{}, problem.Conflict.With("external_id was used for a different reversal").
			WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
	}
	if known.ID == uuid.Nil && outOfRange != nil {
		return Reversed{}, outOfRange
	}
	row := db.Reversal{
		WorkspaceID: s.Workspace, ID: newID(), Source: n.Source, ExternalID: n.ExternalID, ConversionExternalID: n.ConversionExternalID,
		ConversionType: n.ConversionType, Kind: string(n.Kind), Amount: n.Amount, Currency: n.Currency, RestoresReversalID: n.Restores,
		Note: n.Note, Fingerprint: n.fingerprint(), OccurredAt: at, ReceivedAt: s.Now,
	}
	if conversion.ID == uuid.Nil {
		if known.ID != uuid.Nil {
			return Reversed{Reversal: ReversalView{Reversal: known}, Known: true}, nil
		}
		return e.waitForConversion(ctx, tx, s, row)
	}
	row.ConversionExternalID = conversion.ExternalID // a pseudonym when its referee was erased
	return e.applyReversal(ctx, tx, s, conversion, row, known)
}

// waitForConversion keeps a reversal that came before its conversion.
func (e *Engine) waitForConversion(ctx context.Context, tx *store.Tx, s Scope, row db.Reversal) (Reversed, error) {
	r := e.record(tx, s)
	if err := r.createReversal(ctx, row, 0); err != nil {
		return Reversed{}, err
	}
	if err := e.q.CreateUnmatchedFact(ctx, tx.Write(), db.CreateUnmatchedFactParams{
		WorkspaceID: s.Workspace, ID: newID(), Kind: "reversal", FactID: row.ID, Reason: reason.ConversionNotFound, ReceivedAt: s.Now,
		WaitsFor: waitsForConversion(row.Source, row.ConversionExternalID, row.ConversionType),
	}); err != nil {
		return Reversed{}, err
	}
	return Reversed{Reversal: ReversalView{Reversal: row}}, r.flush(ctx)
}

// applyReversal settles the history of a conversion with a reversal of it.
func (e *Engine) applyReversal(ctx context.Context, tx *store.Tx, s Scope, c db.Conversion, row, known db.Reversal) (Reversed, error) {
	owner, err := e.q.GetParticipant(ctx, tx.DB(), db.GetParticipantParams{WorkspaceID: s.Workspace, ID: c.RefereeID})
	if err != nil {
		return Reversed{}, err
	}
	h, err := e.loadHistory(ctx, tx, s, c.ProgramID, referee{ExternalID: owner.ExternalID})
	if err != nil {
		return Reversed{}, err
	}
	if known.ID != uuid.Nil {
		return h.reversed(known, c.ID, true), nil
	}
	if err := h.refuseReversal(c, row); err != nil {
		return Reversed{}, err
	}
	b := h.mark()
	h.reversals = append(h.reversals, row)
	r := e.record(tx, s)
	if err := r.createReversal(ctx, row, h.describe(row).Applied); err != nil {
		return Reversed{}, err
	}
	if err := r.settle(ctx, h, b); err != nil {
		return Reversed{}, err
	}
	return h.reversed(row, c.ID, false), r.flush(ctx)
}

// refuseReversal returns the problem of a reversal that cannot apply, or nil.
func (h *history) refuseReversal(c db.Conversion, row db.Reversal) error {
	if row.Currency != nil && *row.Currency != c.Currency {
		return problem.CurrencyMismatch.With("the conversion is in " + c.Currency).
			WithErrors([]problem.FieldError{{Pointer: "/currency", Message: "must be " + c.Currency}})
	}
	accepted := h.reversalsOf(c)
	if settlement.Refuses(c.Amount, accepted, toReversal(row, c)) {
		taken, _, _ := settlement.Net(c.Amount, accepted)
		return problem.ReversalExceedsConversion.With("the conversion has " + strconv.FormatInt(c.Amount-taken, 10) + " left to reverse").
			WithErrors([]problem.FieldError{{Pointer: "/amount", Message: "more than is left of the conversion"}})
	}
	return nil
}

// reversed describes what a reversal did to its conversion. A dispute won is described by the chargeback that it undoes.
func (h *history) reversed(row db.Reversal, conversion uuid.UUID, known bool) Reversed {
	for _, r := range h.reversals {
		if row.RestoresReversalID != nil && r.ID == *row.RestoresReversalID {
			row = r
		}
	}
	out := Reversed{Reversal: h.describe(row), Known: known, Rewards: h.rewardsOf(conversion)}
	for i := range h.conversions {
		if h.conversions[i].ID == conversion {
			c := h.conversions[i]
			out.Conversion = &c
		}
	}
	return out
}

func (r *recorder) createReversal(ctx context.Context, row db.Reversal, taken int64) error {
	r.event("reversal.recorded", "reversal", row.ID, struct {
		Kind       string     `json:"kind"`
		Taken      int64      `json:"taken"`
		Restores   *uuid.UUID `json:"restores_reversal_id"`
		OccurredAt time.Time  `json:"occurred_at"`
	}{row.Kind, taken, row.RestoresReversalID, row.OccurredAt})
	return r.e.q.CreateReversal(ctx, r.tx.Write(), db.CreateReversalParams(row))
}

// WinDispute records that a chargeback was won: what it took is owed again. Errors: not_found, state_not_allowed when the
// reversal is no chargeback or was won before under another reference.
func (e *Engine) WinDispute(ctx context.Context, tx *store.Tx, s Scope, reversal uuid.UUID, externalID string, at *time.Time) (Reversed, error) {
	row, err := e.q.GetReversal(ctx, tx.DB(), db.GetReversalParams{WorkspaceID: s.Workspace, ID: reversal})
	if err != nil {
		return Reversed{}, store.OrNotFound(err, "the reversal")
	}
	if row.Kind != string(settlement.Chargeback) {
		return Reversed{}, problem.StateNotAllowed.With("only a chargeback can be won back")
	}
	won, err := e.q.GetDisputeWon(ctx, tx.DB(), db.GetDisputeWonParams{WorkspaceID: s.Workspace, RestoresReversalID: reversal})
	if optional(err) != nil {
		return Reversed{}, err
	}
	if err == nil && won.ExternalID != externalID {
		return Reversed{}, problem.StateNotAllowed.With("this dispute was won already")
	}
	out, err := e.RecordReversal(ctx, tx, s, NewReversal{
		Source: row.Source, ExternalID: externalID, ConversionExternalID: row.ConversionExternalID, ConversionType: row.ConversionType,
		Kind: settlement.DisputeWon, Restores: &row.ID, OccurredAt: at,
	})
	if out.Conversion == nil { // both wait for it
		out.Reversal = ReversalView{Reversal: row}
	}
	return out, err
}
