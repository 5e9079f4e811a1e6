package server

import (
	"context"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/engine"
)

// ExplainReferral tells why a referee belongs to a referrer and what became of it.
func (h handlers) ExplainReferral(ctx context.Context, req api.ExplainReferralRequestObject) (api.ExplainReferralResponseObject, error) {
	s := h.scope(ctx)
	e, err := h.engine.ExplainReferral(ctx, h.store.DB(s.Workspace), s, req.ReferralID)
	if err != nil {
		return nil, err
	}
	return api.ExplainReferral200JSONResponse{Body: toExplanation(e)}, nil
}

// ExplainReward tells why somebody gets a reward, how much, and by which rule.
func (h handlers) ExplainReward(ctx context.Context, req api.ExplainRewardRequestObject) (api.ExplainRewardResponseObject, error) {
	s := h.scope(ctx)
	e, err := h.engine.ExplainReward(ctx, h.store.DB(s.Workspace), s, req.RewardID)
	if err != nil {
		return nil, err
	}
	return api.ExplainReward200JSONResponse{Body: toExplanation(e)}, nil
}

// ExplainCode tells what a code is good for, what it brought and whom it was refused.
func (h handlers) ExplainCode(ctx context.Context, req api.ExplainCodeRequestObject) (api.ExplainCodeResponseObject, error) {
	s := h.scope(ctx)
	e, err := h.engine.ExplainCode(ctx, h.store.DB(s.Workspace), s, req.CodeID)
	if err != nil {
		return nil, err
	}
	return api.ExplainCode200JSONResponse{Body: toExplanation(e)}, nil
}

func toExplanation(e engine.Explanation) api.Explanation {
	out := api.Explanation{
		SubjectType: api.SubjectType(e.SubjectType), SubjectID: e.SubjectID, Summary: e.Summary, DecisionID: orNull(e.DecisionID),
		ProgramVersionID: orNull(e.ProgramVersionID), Candidates: toCandidates(e.Candidates), Steps: make([]api.ExplanationStep, 0, len(e.Steps)),
	}
	for _, s := range e.Steps {
		step := api.ExplanationStep{At: s.At, Reason: toReason(s.Reason), Title: s.Title, Detail: s.Detail, Amounts: []api.ExplanationAmount{}}
		for _, a := range s.Amounts {
			step.Amounts = append(step.Amounts, api.ExplanationAmount{Name: a.Name, Value: a.Value, Currency: a.Currency})
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}
