package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// tellReferral reads the people, the rules and the decisions behind a referral.
func (e *Engine) tellReferral(ctx context.Context, on store.DBTX, s Scope, t *story, row db.Referral) error {
	t.referral = row
	for _, who := range []struct {
		id   uuid.UUID
		name *string
	}{{row.ReferrerID, &t.referrer}, {row.RefereeID, &t.referee}} {
		p, err := e.q.GetParticipant(ctx, on, db.GetParticipantParams{WorkspaceID: s.Workspace, ID: who.id})
		if err != nil {
			return err
		}
		*who.name = p.ExternalID
	}
	if row.CodeID != nil {
		c, err := e.q.GetCode(ctx, on, db.GetCodeParams{WorkspaceID: s.Workspace, ID: *row.CodeID})
		if err != nil {
			return err
		}
		t.code = c.Value
	}
	ids := []uuid.UUID{row.DecisionID}
	if row.SignupID != nil {
		of, err := e.q.ListDecisions(ctx, on, db.ListDecisionsParams{WorkspaceID: s.Workspace, SignupID: row.SignupID, PageLimit: 50})
		if err != nil {
			return err
		}
		for _, d := range of {
			if d.ID != row.DecisionID {
				ids = append(ids, d.ID)
			}
		}
	}
	var err error
	t.decisions, err = e.q.ListDecisionsByID(ctx, on, db.ListDecisionsByIDParams{WorkspaceID: s.Workspace, Ids: ids})
	if err != nil {
		return err
	}
	versions := []uuid.UUID{row.ProgramVersionID}
	for _, d := range t.decisions {
		if d.ProgramVersionID != nil {
			versions = append(versions, *d.ProgramVersionID)
		}
	}
	return e.tellRules(ctx, on, s, t, row.ProgramID, versions...)
}

// tellRules reads the program and versions of its rules: those named, and all of them when rewards follow the version of their
// conversion.
func (e *Engine) tellRules(ctx context.Context, on store.DBTX, s Scope, t *story, program uuid.UUID, versions ...uuid.UUID) (err error) {
	if t.history == nil {
		if t.program, err = e.q.GetProgram(ctx, on, db.GetProgramParams{WorkspaceID: s.Workspace, ID: program}); err != nil {
			return err
		}
		t.numbers = map[uuid.UUID]int32{}
		t.history = &history{program: t.program, zone: zone(t.program.TimeZone), documents: map[uuid.UUID]rules.Document{}, conditions: &e.conditions}
	}
	know := func(v db.ProgramVersion) (err error) {
		t.numbers[v.ID] = v.Number
		t.history.documents[v.ID], err = e.document(v)
		return err
	}
	for _, id := range versions {
		if _, known := t.numbers[id]; known {
			continue
		}
		v, err := e.q.GetProgramVersion(ctx, on, db.GetProgramVersionParams{WorkspaceID: s.Workspace, ID: id})
		if err != nil {
			return err
		}
		if err := know(v); err != nil {
			return err
		}
		if len(t.history.timeline) > 0 || t.history.documents[id].VersionPin != rules.PinConversion {
			continue
		}
		t.history.timeline, err = e.q.ListVersionTimeline(ctx, on, db.ListVersionTimelineParams{WorkspaceID: s.Workspace, ProgramID: program})
		if err != nil {
			return err
		}
		for _, v := range t.history.timeline {
			if err := know(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellEvents takes the log, newest first and one longer than there is room for, and reads the rows that it is about.
func (e *Engine) tellEvents(ctx context.Context, on store.DBTX, s Scope, t *story, events []db.Event) error {
	if most := maxSteps - len(t.decisions); len(events) > most {
		events, t.cut = events[:most], true
	}
	slices.Reverse(events)
	t.events = events
	about := map[string][]uuid.UUID{}
	for _, ev := range events {
		about[ev.SubjectType] = append(about[ev.SubjectType], ev.SubjectID)
		var d logged
		if err := json.Unmarshal(ev.Data, &d); err != nil {
			return fmt.Errorf("read the data of an event: %w", err)
		}
		if d.Qualifying != nil {
			about["conversion"] = append(about["conversion"], *d.Qualifying)
		}
	}
	rewards, err := e.q.ListRewardsByID(ctx, on, db.ListRewardsByIDParams{WorkspaceID: s.Workspace, Ids: about["reward"]})
	if err != nil {
		return err
	}
	for _, w := range rewards {
		if w.ConversionID != nil {
			about["conversion"] = append(about["conversion"], *w.ConversionID)
		}
		if err := e.tellRules(ctx, on, s, t, t.program.ID, w.ProgramVersionID); err != nil {
			return err
		}
	}
	if t.referral.QualifyingConversionID != nil {
		about["conversion"] = append(about["conversion"], *t.referral.QualifyingConversionID)
	}
	conversions, err := e.q.ListConversionsByID(ctx, on, db.ListConversionsByIDParams{WorkspaceID: s.Workspace, Ids: about["conversion"]})
	if err != nil {
		return err
	}
	reversals, err := e.q.ListReversalsByID(ctx, on, db.ListReversalsByIDParams{WorkspaceID: s.Workspace, Ids: about["reversal"]})
	if err != nil {
		return err
	}
	churns, err := e.q.ListChurnsByID(ctx, on, db.ListChurnsByIDParams{WorkspaceID: s.Workspace, Ids: about["churn"]})
	if err != nil {
		return err
	}
	t.rewards = byID(rewards, func(r db.Reward) uuid.UUID { return r.ID })
	t.conversions = byID(conversions, func(r db.Conversion) uuid.UUID { return r.ID })
	t.reversals = byID(reversals, func(r db.Reversal) uuid.UUID { return r.ID })
	t.churns = byID(churns, func(r db.Churn) uuid.UUID { return r.ID })
	return e.tellFacts(ctx, on, s, t, conversions, rewards)
}

// tellFacts makes the facts by which the rules of a story are explained.
func (e *Engine) tellFacts(ctx context.Context, on store.DBTX, s Scope, t *story, conversions []db.Conversion, rewards []db.Reward) (err error) {
	h := t.history
	h.conversions = conversions
	if h.rewards == nil {
		h.rewards = rewards
	}
	if h.referrals = []db.Referral{t.referral}; h.tellsGroups() {
		if h.groups, err = e.listGroups(ctx, on, s, h); err != nil {
			return err
		}
	}
	t.facts = h.facts(&t.referral, s)
	return nil
}

func byID[Row any](rows []Row, id func(Row) uuid.UUID) map[uuid.UUID]Row {
	out := make(map[uuid.UUID]Row, len(rows))
	for _, r := range rows {
		out[id(r)] = r
	}
	return out
}
