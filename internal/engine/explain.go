package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
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
	numbers           map[uuid.UUID]int32 // of versions
	history           *history            // of the referral, as far as its rules are explained by it
	facts             settlement.Facts
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
	if row.ConversionID != nil { // shares of the commission of a level below are explained by what that is rated by
		t.history.rewards, err = e.q.ListRewards(ctx, on, db.ListRewardsParams{
			WorkspaceID: s.Workspace, ConversionID: row.ConversionID, PageLimit: maxSteps,
		})
		if err != nil {
			return Explanation{}, err
		}
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
		told, err := n.tell(ev)
		if err != nil {
			return nil, err
		}
		for _, s := range told {
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
