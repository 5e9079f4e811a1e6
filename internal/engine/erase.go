package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// refuseWaiting ends what still waits for the person: nobody will be matched with it.
func (x *erasure) refuseWaiting(ctx context.Context) error {
	all, err := x.conversions(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.State != state.ConversionUnmatched {
			continue
		}
		old := c
		c.State, c.Reason = state.ConversionDisqualified, reason.Erased
		if err := x.moveConversion(ctx, old, &c); err != nil {
			return err
		}
	}
	return x.e.q.EraseUnmatchedFacts(ctx, x.tx.Write(), db.EraseUnmatchedFactsParams{
		WorkspaceID: x.s.Workspace, ParticipantID: &x.id, FactIds: x.traces, SettledAt: x.s.Now,
	})
}

func (x *erasure) conversions(ctx context.Context) ([]db.Conversion, error) {
	return x.e.q.ListConversionsOfReferee(ctx, x.tx.DB(), db.ListConversionsOfRefereeParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id})
}

// eraseFacts takes the caller's references and metadata out of the person's facts. Those of orders become pseudonyms, so that a refund
// which comes later finds what it undoes.
func (x *erasure) eraseFacts(ctx context.Context) error {
	all, err := x.conversions(ctx)
	if err != nil {
		return err
	}
	facts := db.EraseConversionsParams{WorkspaceID: x.s.Workspace}
	named := db.ListReversalsByReferenceParams{WorkspaceID: x.s.Workspace}
	for _, c := range all {
		facts.Ids, facts.ExternalIds = append(facts.Ids, c.ID), append(facts.ExternalIds, x.s.pseudonym(c.ExternalID))
		named.Sources, named.ExternalIds, named.Types = append(named.Sources, c.Source), append(named.ExternalIds, c.ExternalID), append(named.Types, c.Type)
	}
	reversals, err := x.e.q.ListReversalsByReference(ctx, x.tx.DB(), named)
	if err != nil {
		return err
	}
	undone := db.EraseReversalsParams{WorkspaceID: x.s.Workspace}
	for _, r := range reversals {
		undone.Ids, undone.ExternalIds = append(undone.Ids, r.ID), append(undone.ExternalIds, x.s.pseudonym(r.ExternalID))
		undone.ConversionExternalIds = append(undone.ConversionExternalIds, x.s.pseudonym(r.ConversionExternalID))
	}
	write := x.tx.Write()
	for _, err := range []error{
		x.e.q.EraseConversions(ctx, write, facts),
		x.e.q.EraseReversals(ctx, write, undone),
		x.e.q.EraseSignups(ctx, write, db.EraseSignupsParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id}),
		x.e.q.EraseRedemptions(ctx, write, db.EraseRedemptionsParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id}),
		x.e.q.EraseRedemptionVoids(ctx, write, db.EraseRedemptionVoidsParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id}),
		x.e.q.ErasePayoutNotes(ctx, write, db.ErasePayoutNotesParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id}),
		x.e.q.EraseChurns(ctx, write, db.EraseChurnsParams{WorkspaceID: x.s.Workspace, ParticipantID: x.id}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseWords takes away what people have said of the person and of what it did.
func (x *erasure) eraseWords(ctx context.Context) error {
	if err := x.e.q.EraseEventNotes(ctx, x.tx.Write(), db.EraseEventNotesParams{WorkspaceID: x.s.Workspace, SubjectIds: x.traces}); err != nil {
		return err
	}
	return x.e.q.EraseRewardNotes(ctx, x.tx.Write(), db.EraseRewardNotesParams{WorkspaceID: x.s.Workspace, Ids: x.traces})
}

// eraseClicks takes the hashes out of the clicks by which the person came. Everywhere the visitor gets one other name, made of nothing,
// so that visitors are counted as before.
func (x *erasure) eraseClicks(ctx context.Context) error {
	ids, err := x.e.clickIDs(ctx, x.tx.DB(), x.s, x.id)
	if err != nil || len(ids) == 0 {
		return err
	}
	clicks, err := x.e.q.ListClicksOfPerson(ctx, x.tx.DB(), db.ListClicksOfPersonParams{WorkspaceID: x.s.Workspace, Ids: ids})
	if err != nil {
		return err
	}
	spans := map[string]*visitorSpan{}
	ids = nil
	for _, c := range clicks {
		ids = append(ids, c.ID)
		if spans[string(c.Visitor)] == nil {
			spans[string(c.Visitor)] = &visitorSpan{first: c.ID, last: c.ID, firstDay: c.Day, lastDay: c.Day}
		}
		spans[string(c.Visitor)].add(c)
	}
	for visitor, span := range spans {
		if err := x.renameVisitor(ctx, []byte(visitor), *span); err != nil {
			return err
		}
	}
	return x.e.q.EraseClicks(ctx, x.tx.Write(), db.EraseClicksParams{WorkspaceID: x.s.Workspace, Ids: ids})
}

// clickIDs are the clicks that decisions about a person have considered.
func (e *Engine) clickIDs(ctx context.Context, on store.DBTX, s Scope, person uuid.UUID) ([]uuid.UUID, error) {
	stored, err := e.q.ListDecisionInputs(ctx, on, db.ListDecisionInputsParams{WorkspaceID: s.Workspace, ParticipantID: person})
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, text := range stored {
		var in attribution.Inputs
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			return nil, fmt.Errorf("read the inputs of a decision: %w", err)
		}
		for _, t := range in.Touches {
			if id := parseID(t.ID); id != nil {
				ids = append(ids, *id)
			}
		}
	}
	return ids, nil
}

// visitorSpan is where the clicks of a visitor lie.
type visitorSpan struct {
	first, last       uuid.UUID
	firstDay, lastDay time.Time
}

func (v *visitorSpan) add(c db.ListClicksOfPersonRow) {
	if bytes.Compare(c.ID[:], v.first[:]) < 0 {
		v.first = c.ID
	}
	if bytes.Compare(c.ID[:], v.last[:]) > 0 {
		v.last = c.ID
	}
	if c.Day.Before(v.firstDay) {
		v.firstDay = c.Day
	}
	if c.Day.After(v.lastDay) {
		v.lastDay = c.Day
	}
}

// visitorDay is how long a visitor without an id keeps a name, with room for zones: other clicks of it lie no further away.
const visitorDay = 48 * time.Hour

func (x *erasure) renameVisitor(ctx context.Context, from []byte, span visitorSpan) error {
	to := make([]byte, len(from))
	if _, err := io.ReadFull(x.e.random, to); err != nil {
		return err
	}
	if err := x.e.q.RenameVisitor(ctx, x.tx.Write(), db.RenameVisitorParams{
		WorkspaceID: x.s.Workspace, FromVisitor: from, ToVisitor: to, FirstID: idAround(span.first, -visitorDay), LastID: idAround(span.last, visitorDay),
	}); err != nil {
		return err
	}
	return x.e.q.RenameVisitorOfDays(ctx, x.tx.Write(), db.RenameVisitorOfDaysParams{
		WorkspaceID: x.s.Workspace, FromVisitor: from, ToVisitor: to,
		FirstDay: span.firstDay.Add(-visitorDay), LastDay: span.lastDay.Add(visitorDay),
	})
}

// idAround is the least id of a time that lies so far from an id's own.
func idAround(id uuid.UUID, d time.Duration) uuid.UUID {
	return store.LowestID(time.Unix(id.Time().UnixTime()).Add(d))
}
