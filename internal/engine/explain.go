package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// Explanation tells how something came to be what it is: what was considered, what won, by which rule, and which amounts. It is
// made from what is stored and nothing else, so the same rows tell the same story.
type Explanation struct {
	SubjectType      string
	SubjectID        uuid.UUID
	Summary          string
	DecisionID       *uuid.UUID
	ProgramVersionID *uuid.UUID
	Candidates       []attribution.Candidate
	Steps            []Step
}

// Step is one thing that happened, in complete sentences. At is when it was recorded; the detail says when a fact occurred.
type Step struct {
	At            time.Time
	Reason        reason.Code
	Title, Detail string
	Amounts       []NamedAmount
}

// NamedAmount is an amount in minor units.
type NamedAmount struct {
	Name     string
	Value    int64
	Currency string
}

// What the contract allows in one explanation.
const (
	maxSteps      = 500
	maxCandidates = 500
)

// story is everything that an explanation of a referral or a reward is made from. Events are in the order of the log; cut says
// that older ones are left out.
type story struct {
	program           db.Program
	version           db.ProgramVersion
	rules             rules.Document
	referral          db.Referral
	referrer, referee string
	code              string // the value of the winning code, if there is one
	decisions         []db.AttributionDecision
	events            []db.Event
	cut               bool
	conversions       map[uuid.UUID]db.Conversion
	reversals         map[uuid.UUID]db.Reversal
	churns            map[uuid.UUID]db.Churn
	rewards           map[uuid.UUID]db.Reward
}

// ExplainReferral tells why a referee belongs to a referrer and what became of it. Errors: not_found.
func (e *Engine) ExplainReferral(ctx context.Context, on store.DBTX, s Scope, id uuid.UUID) (Explanation, error) {
	row, err := e.q.GetReferral(ctx, on, db.GetReferralParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return Explanation{}, store.OrNotFound(err, "the referral")
	}
	t := &story{}
	if err := e.tellReferral(ctx, on, s, t, row); err != nil {
		return Explanation{}, err
	}
	events, err := e.q.ListReferralStory(ctx, on, db.ListReferralStoryParams{
		WorkspaceID: s.Workspace, ReferralID: id, PageLimit: int32(maxSteps - len(t.decisions) + 1),
	})
	if err != nil {
		return Explanation{}, err
	}
	if err := e.tellEvents(ctx, on, s, t, events); err != nil {
		return Explanation{}, err
	}
	return t.explainReferral()
}

// ExplainReward tells why somebody gets a reward, how much, and by which rule. Errors: not_found.
func (e *Engine) ExplainReward(ctx context.Context, on store.DBTX, s Scope, id uuid.UUID) (Explanation, error) {
	row, err := e.q.GetReward(ctx, on, db.GetRewardParams{WorkspaceID: s.Workspace, ID: id})
	if err != nil {
		return Explanation{}, store.OrNotFound(err, "the reward")
	}
	owner, err := e.q.GetParticipant(ctx, on, db.GetParticipantParams{WorkspaceID: s.Workspace, ID: row.ParticipantID})
	if err != nil {
		return Explanation{}, err
	}
	t := &story{}
	if row.ReferralID != nil {
		referral, err := e.q.GetReferral(ctx, on, db.GetReferralParams{WorkspaceID: s.Workspace, ID: *row.ReferralID})
		if err != nil {
			return Explanation{}, err
		}
		if err := e.tellReferral(ctx, on, s, t, referral); err != nil {
			return Explanation{}, err
		}
	}
	if err := e.tellRules(ctx, on, s, t, row.ProgramID, row.ProgramVersionID); err != nil {
		return Explanation{}, err
	}
	events, err := e.q.ListRewardStory(ctx, on, db.ListRewardStoryParams{
		WorkspaceID: s.Workspace, RewardID: id, PageLimit: int32(maxSteps - len(t.decisions) + 1),
	})
	if err != nil {
		return Explanation{}, err
	}
	if err := e.tellEvents(ctx, on, s, t, events); err != nil {
		return Explanation{}, err
	}
	return t.explainReward(row, owner.ExternalID)
}

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
	return e.tellRules(ctx, on, s, t, row.ProgramID, row.ProgramVersionID)
}

func (e *Engine) tellRules(ctx context.Context, on store.DBTX, s Scope, t *story, program, version uuid.UUID) (err error) {
	if t.program, err = e.q.GetProgram(ctx, on, db.GetProgramParams{WorkspaceID: s.Workspace, ID: program}); err != nil {
		return err
	}
	if t.version, err = e.q.GetProgramVersion(ctx, on, db.GetProgramVersionParams{WorkspaceID: s.Workspace, ID: version}); err != nil {
		return err
	}
	t.rules, err = e.document(t.version)
	return err
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
	return nil
}

func byID[Row any](rows []Row, id func(Row) uuid.UUID) map[uuid.UUID]Row {
	out := make(map[uuid.UUID]Row, len(rows))
	for _, r := range rows {
		out[id(r)] = r
	}
	return out
}

// steps puts decisions and events in the order in which they were recorded: their ids are made in it.
func (t *story) steps() ([]Step, error) {
	type entry struct {
		id uuid.UUID
		Step
	}
	var entries []entry
	for _, d := range t.decisions {
		s, err := t.decided(d)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{d.ID, s})
	}
	n := newNarrator(t)
	for _, ev := range t.events {
		s, ok, err := n.tell(ev)
		if err != nil {
			return nil, err
		}
		if ok {
			entries = append(entries, entry{ev.ID, s})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return bytes.Compare(a.id[:], b.id[:]) })
	out := make([]Step, 0, len(entries))
	for _, s := range entries {
		out = append(out, s.Step)
	}
	return out, nil
}

// candidates are those of the decision that made the referral; none without one.
func (t *story) candidates() ([]attribution.Candidate, error) {
	for _, d := range t.decisions {
		if d.ID == t.referral.DecisionID {
			answer, err := answerOf(d)
			return answer.Candidates[:min(len(answer.Candidates), maxCandidates)], err
		}
	}
	return nil, nil
}

func answerOf(d db.AttributionDecision) (attribution.Answer, error) {
	var answer attribution.Answer
	err := json.Unmarshal([]byte(d.Answer), &answer)
	return answer, err
}
