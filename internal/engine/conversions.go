package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// NewConversion is a counted action of a referee. (Source, ExternalID, Type) name it: the order, not the delivery.
type NewConversion struct {
	ProgramID         uuid.UUID
	RefereeExternalID string
	Source            string
	ExternalID        string
	Type              string
	Amount            int64
	Currency          string
	OccurredAt        *time.Time
	Metadata          json.RawMessage
}

// Converted is a conversion with the rewards that it caused. Known says that it had been recorded before.
type Converted struct {
	Conversion db.Conversion
	Rewards    []db.Reward
	Known      bool
}

func (n NewConversion) fingerprint() []byte {
	return fingerprint(n.ProgramID.String(), n.RefereeExternalID, strconv.FormatInt(n.Amount, 10), n.Currency, moment(n.OccurredAt), string(orEmpty(n.Metadata)))
}

// RecordConversion stores a conversion and settles its referee with it. Without a referral that covers it, it is kept as
// unmatched and counts when the signup arrives; in another currency than the program's, without a rate, it counts and its rewards wait.
// Errors: unknown_reference, occurred_at_out_of_range, currency_mismatch, amount_not_allowed, and conflict when the reference was used for a different conversion.
func (e *Engine) RecordConversion(ctx context.Context, tx *store.Tx, s Scope, n NewConversion) (Converted, error) {
	at, outOfRange := s.occurredAt(n.OccurredAt)
	if n.Type == rules.TriggerSignup || n.Type == rules.TriggerQualified {
		return Converted{}, problem.ValidationFailed.With("signup and qualified are triggers of their own, not conversion types").
			WithErrors([]problem.FieldError{{Pointer: "/type", Message: "is reserved"}})
	}
	var known db.Conversion
	var undone []db.Reversal
	first := append(e.lockConversion(ctx, s, n.Source, n.ExternalID, n.Type, &known),
		func(tx store.DBTX) (err error) {
			undone, err = e.q.ListReversalsOfConversion(ctx, tx, db.ListReversalsOfConversionParams{
				WorkspaceID: s.Workspace, Source: n.Source, ConversionExternalID: n.ExternalID, ConversionType: n.Type,
			})
			return err
		})
	h, err := e.loadHistory(ctx, tx, s, n.ProgramID, referee{ExternalID: n.RefereeExternalID}, first...)
	if err != nil {
		return Converted{}, err
	}
	if known.ID != uuid.Nil {
		return knownConversion(h, known, n)
	}
	if outOfRange != nil {
		return Converted{}, outOfRange
	}
	b := h.mark()
	c := db.Conversion{
		WorkspaceID: s.Workspace, ID: newID(), ProgramID: h.program.ID, RefereeID: h.referee.ID, Source: n.Source,
		ExternalID: n.ExternalID, Type: n.Type, Amount: n.Amount, Currency: n.Currency, BaseCurrency: h.program.Currency, State: state.ConversionUnmatched,
		Reason: reason.NoReferral, Fingerprint: n.fingerprint(), Metadata: orEmpty(n.Metadata), OccurredAt: at, ReceivedAt: s.Now,
	}
	r := e.record(tx, s)
	if err := r.priceNew(ctx, &c); err != nil {
		return Converted{}, err
	}
	h.conversions = append(h.conversions, c)
	h.reversals = append(h.reversals, undone...)
	if err := r.settle(ctx, h, b); err != nil {
		return Converted{}, err
	}
	c = h.conversions[len(h.conversions)-1]
	if err := r.closeReversals(ctx, c, undone); err != nil {
		return Converted{}, err
	}
	if err := r.waitForReferral(ctx, h, c.State == state.ConversionUnmatched, "conversion", c.ID); err != nil {
		return Converted{}, err
	}
	return Converted{Conversion: c, Rewards: h.rewardsOf(c.ID)}, r.flush(ctx)
}

// lockConversion takes the meeting point of a conversion and its reversals, and looks for the conversion. Both statements
// stand before every other lock.
func (e *Engine) lockConversion(ctx context.Context, s Scope, source, externalID, kind string, c *db.Conversion) []load {
	return []load{
		func(tx store.DBTX) error {
			return e.q.LockFactKey(ctx, tx, db.LockFactKeyParams{WorkspaceID: s.Workspace, Key: s.pseudonym(waitsForConversion(source, externalID, kind))})
		},
		func(tx store.DBTX) (err error) {
			*c, err = e.q.GetConversionByReference(ctx, tx, db.GetConversionByReferenceParams{
				WorkspaceID: s.Workspace, Source: source, ExternalID: externalID, Type: kind, ErasedID: s.pseudonym(externalID),
			})
			return optional(err)
		},
	}
}

// knownConversion answers a conversion that was recorded before.
func knownConversion(h *history, known db.Conversion, n NewConversion) (Converted, error) {
	if !bytes.Equal(known.Fingerprint, n.fingerprint()) {
		return Converted{}, problem.Conflict.With("source, external_id and type name a different conversion already").
			WithErrors([]problem.FieldError{{Pointer: "/external_id", Message: "already used"}})
	}
	return Converted{Conversion: known, Rewards: h.rewardsOf(known.ID), Known: true}, nil
}

// closeReversals settles the reversals that waited for their conversion; those that asked for too much are refused.
func (r *recorder) closeReversals(ctx context.Context, c db.Conversion, undone []db.Reversal) error {
	if len(undone) == 0 {
		return nil
	}
	var all []settlement.Reversal
	for _, u := range undone {
		all = append(all, toReversal(u, c))
	}
	_, applied, _ := settlement.Net(c.Amount, all)
	became := map[reason.Code][]uuid.UUID{}
	for _, a := range applied {
		why := refusedFor(a)
		became[why] = append(became[why], uuid.MustParse(a.ID))
	}
	for _, p := range []db.SettleUnmatchedFactsParams{
		{FactIds: became[""], State: "settled", Reason: reason.Counted},
		{FactIds: became[reason.ReversalExceedsConversion], State: "refused", Reason: reason.ReversalExceedsConversion},
		{FactIds: became[reason.CurrencyMismatch], State: "refused", Reason: reason.CurrencyMismatch},
	} {
		if len(p.FactIds) == 0 {
			continue
		}
		p.WorkspaceID, p.SettledAt = r.s.Workspace, r.s.Now
		if err := r.e.q.SettleUnmatchedFacts(ctx, r.tx.Write(), p); err != nil {
			return err
		}
	}
	return nil
}

// waitForReferral remembers a fact that no referral covers yet.
func (r *recorder) waitForReferral(ctx context.Context, h *history, waits bool, kind string, id uuid.UUID) error {
	if !waits {
		return nil
	}
	return r.e.q.CreateUnmatchedFact(ctx, r.tx.Write(), db.CreateUnmatchedFactParams{
		WorkspaceID: r.s.Workspace, ID: newID(), Kind: kind, FactID: id, ProgramID: &h.program.ID, RefereeID: &h.referee.ID,
		WaitsFor: waitsForReferral(h.program.ID, h.referee.ExternalID), Reason: reason.NoReferral, ReceivedAt: r.s.Now,
	})
}

// rewardsOf lists the rewards that a conversion caused.
func (h *history) rewardsOf(id uuid.UUID) []db.Reward {
	out := []db.Reward{}
	for _, w := range h.rewards {
		if w.CauseID == id {
			out = append(out, w)
		}
	}
	return out
}
