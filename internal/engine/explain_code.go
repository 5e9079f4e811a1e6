package engine

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/code"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// codeStory is what the explanation of a code is made from. Accepted and refused are the latest decisions for and against it.
type codeStory struct {
	code      db.Code
	program   db.Program
	owner     string
	now       time.Time
	referrals []db.Referral
	accepted  map[uuid.UUID]db.AttributionDecision
	refused   []db.AttributionDecision
	earned    map[uuid.UUID]db.SumReferrerRewardsRow
}

// Bounds of the story of a code: a popular one has more than anybody reads.
const (
	maxCodeReferrals = 300
	maxCodeRefusals  = 100
)

// ExplainCode tells what a code is good for now, what it attributed and brought, and whom it was refused lately and why. Errors:
// not_found.
func (e *Engine) ExplainCode(ctx context.Context, on store.DBTX, s Scope, id uuid.UUID) (Explanation, error) {
	t := codeStory{now: s.Now}
	var err error
	if t.code, err = e.q.GetCode(ctx, on, db.GetCodeParams{WorkspaceID: s.Workspace, ID: id}); err != nil {
		return Explanation{}, store.OrNotFound(err, "the code")
	}
	owner, err := e.q.GetParticipant(ctx, on, db.GetParticipantParams{WorkspaceID: s.Workspace, ID: t.code.ParticipantID})
	if err != nil {
		return Explanation{}, err
	}
	t.owner = owner.ExternalID
	if t.program, err = e.q.GetProgram(ctx, on, db.GetProgramParams{WorkspaceID: s.Workspace, ID: t.code.ProgramID}); err != nil {
		return Explanation{}, err
	}
	t.referrals, err = e.q.ListReferralsOfCode(ctx, on, db.ListReferralsOfCodeParams{
		WorkspaceID: s.Workspace, ReferrerID: t.code.ParticipantID, CodeID: id, PageLimit: maxCodeReferrals + 1,
	})
	if err != nil {
		return Explanation{}, err
	}
	if err := e.tellUses(ctx, on, s, &t); err != nil {
		return Explanation{}, err
	}
	return t.explain()
}

// tellUses reads the decisions about a code and what its referrals earned.
func (e *Engine) tellUses(ctx context.Context, on store.DBTX, s Scope, t *codeStory) error {
	var decisions, referrals []uuid.UUID
	for _, r := range t.referrals {
		decisions, referrals = append(decisions, r.DecisionID), append(referrals, r.ID)
	}
	accepted, err := e.q.ListDecisionsByID(ctx, on, db.ListDecisionsByIDParams{WorkspaceID: s.Workspace, Ids: decisions})
	if err != nil {
		return err
	}
	t.accepted = byID(accepted, func(d db.AttributionDecision) uuid.UUID { return d.ID })
	refused, err := e.q.ListRefusalsNaming(ctx, on, db.ListRefusalsNamingParams{
		WorkspaceID: s.Workspace, ProgramID: t.code.ProgramID, Pattern: "%" + t.code.ID.String() + "%", PageLimit: maxCodeRefusals,
	})
	if err != nil {
		return err
	}
	t.refused, err = e.q.ListDecisionsByID(ctx, on, db.ListDecisionsByIDParams{WorkspaceID: s.Workspace, Ids: refused})
	if err != nil {
		return err
	}
	sums, err := e.q.SumReferrerRewards(ctx, on, db.SumReferrerRewardsParams{WorkspaceID: s.Workspace, ReferralIds: referrals})
	t.earned = map[uuid.UUID]db.SumReferrerRewardsRow{}
	for _, row := range sums {
		t.earned[*row.ReferralID] = row
	}
	return err
}

func (t codeStory) explain() (Explanation, error) {
	e := Explanation{
		SubjectType: "code", SubjectID: t.code.ID, Summary: t.summary(), ProgramVersionID: t.program.CurrentVersionID,
		Candidates: []attribution.Candidate{}, Steps: t.life(),
	}
	for _, r := range slices.Backward(t.referrals[:min(len(t.referrals), maxCodeReferrals)]) {
		d := t.accepted[r.DecisionID]
		s := Step{At: d.DecidedAt.UTC(), Reason: d.Reason, Title: "Attributed a referee", Detail: means(d.Reason) + " The referral is " + string(r.State) + " now." + see(d)}
		sum := t.earned[r.ID]
		s.Amounts = amounts(t.program.Currency, "granted", sum.Granted, "reversed", sum.Reversed, "net", sum.Granted-sum.Reversed)
		if err := e.add(s, d, t.code.ID); err != nil {
			return e, err
		}
	}
	for _, d := range t.refused {
		s := Step{At: d.DecidedAt.UTC(), Reason: d.Reason, Title: "Refused", Detail: means(d.Reason) + see(d), Amounts: []NamedAmount{}}
		if err := e.add(s, d, t.code.ID); err != nil {
			return e, err
		}
	}
	slices.SortStableFunc(e.Steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return e, nil
}

// see names the decision, which tells the rest.
func see(d db.AttributionDecision) string { return " The decision is " + d.ID.String() + "." }

// add tells a decision and lists the touches of the code in it.
func (e *Explanation) add(s Step, d db.AttributionDecision, code uuid.UUID) error {
	answer, err := answerOf(d)
	if err != nil {
		return err
	}
	e.Steps = append(e.Steps, s)
	for _, c := range answer.Candidates {
		if c.CodeID == code.String() && len(e.Candidates) < maxCandidates {
			e.Candidates = append(e.Candidates, c)
		}
	}
	return nil
}

// life tells when the code could not be used, and when it could be again. The newest periods have to do for a restless one.
func (t codeStory) life() []Step {
	out := []Step{}
	periods := t.code.Timeline[min(1, len(t.code.Timeline)):]
	for _, p := range periods[max(0, len(periods)-(maxSteps-maxCodeReferrals-maxCodeRefusals)):] {
		s := Step{At: p.At.UTC(), Reason: reason.CodeDisabled, Amounts: []NamedAmount{}}
		switch state.Code(p.State) {
		case state.CodeActive:
			s.Reason, s.Title, s.Detail = reason.Reinstated, "Enabled", "The code could be used again from then on."
		case state.CodeRetired:
			s.Title, s.Detail = "Retired", "The code was retired for good. Clicks made before still count."
		default:
			s.Title, s.Detail = "Disabled", "The code was disabled. Clicks made before still count."
			if p.Reason == "fraud" {
				s.Detail = "The code was disabled for fraud. Nothing counts any more, clicks made before included."
			}
		}
		out = append(out, s)
	}
	return out
}

func (t codeStory) summary() string {
	n := len(t.referrals)
	uses := strconv.Itoa(n) + " referees"
	switch {
	case n == 0:
		uses = "nobody yet"
	case n == 1:
		uses = "1 referee"
	case n > maxCodeReferrals:
		uses = "more than " + strconv.Itoa(maxCodeReferrals) + " referees"
	}
	return t.code.Value + " of " + t.owner + " " + t.standing() + " and has attributed " + uses + "."
}

// standing says whether the code can be used now.
func (t codeStory) standing() string {
	c := t.code
	switch EffectiveState(c, t.now) {
	case string(state.CodeDisabled):
		return "is disabled (" + deref(c.DisabledReason) + ")"
	case string(state.CodeRetired):
		return "is retired"
	case code.NotStarted:
		return "can be used from " + when(*c.StartsAt) + " on"
	case code.Expired:
		return "expired at " + when(*c.ExpiresAt)
	case code.Exhausted:
		return "is exhausted, with all of its " + strconv.FormatInt(*c.MaxUses, 10) + " uses taken,"
	}
	if t.program.State != state.ProgramActive {
		return "is active, but its program is " + string(t.program.State) + ","
	}
	return "is active"
}
