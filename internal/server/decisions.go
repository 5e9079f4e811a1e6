package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// GetDecision reads a decision with all its candidates.
func (h handlers) GetDecision(ctx context.Context, req api.GetDecisionRequestObject) (api.GetDecisionResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetDecision(ctx, h.store.DB(ws), db.GetDecisionParams{WorkspaceID: ws, ID: req.DecisionID})
	if err != nil {
		return nil, store.OrNotFound(err, "the decision")
	}
	d, err := toDecision(row)
	return api.GetDecision200JSONResponse{Body: d}, err
}

// ListDecisions lists decisions, accepted and refused, newest first.
func (h handlers) ListDecisions(ctx context.Context, req api.ListDecisionsRequestObject) (api.ListDecisionsResponseObject, error) {
	p := req.Params
	most, before, err := pageFrom[uuid.UUID](ctx, p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListDecisions(ctx, h.store.DB(ws), db.ListDecisionsParams{
		WorkspaceID: ws, ProgramID: p.ProgramID, RefereeID: p.RefereeID, SignupID: p.SignupID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.AttributionDecision) uuid.UUID { return r.ID })
	page := api.DecisionPage{Data: []api.Decision{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		d, err := toDecision(r)
		if err != nil {
			return nil, err
		}
		page.Data = append(page.Data, d)
	}
	return api.ListDecisions200JSONResponse{Body: page}, nil
}

// ReplayDecision decides again from the stored inputs and compares byte for byte.
func (h handlers) ReplayDecision(ctx context.Context, req api.ReplayDecisionRequestObject) (api.ReplayDecisionResponseObject, error) {
	return once(ctx, h.store, api.ReplayDecisionResponseObject.VisitReplayDecisionResponse,
		func(ctx context.Context, tx *store.Tx) (api.ReplayDecisionResponseObject, error) {
			row, err := h.q.GetDecision(ctx, tx.DB(), db.GetDecisionParams{WorkspaceID: h.scope(ctx).Workspace, ID: req.DecisionID})
			if err != nil {
				return nil, store.OrNotFound(err, "the decision")
			}
			replay, err := replayOf(row)
			return api.ReplayDecision200JSONResponse{Body: replay}, err
		})
}

// replayOf compares a decision with what its inputs give today. Inputs that are no longer those that were hashed are no replay.
func replayOf(row db.AttributionDecision) (api.DecisionReplay, error) {
	d, err := toDecision(row)
	if err != nil {
		return api.DecisionReplay{}, err
	}
	answer, err := attribution.Replay([]byte(row.Inputs))
	if err != nil {
		return api.DecisionReplay{}, fmt.Errorf("replay a decision: %w", err)
	}
	inputs := sha256.Sum256([]byte(row.Inputs))
	return api.DecisionReplay{
		Same:       bytes.Equal(answer, []byte(row.Answer)) && bytes.Equal(inputs[:], row.InputsHash),
		InputsHash: hex.EncodeToString(inputs[:]), AnswerHash: sum(answer), Decision: d,
	}, nil
}

func toDecision(r db.AttributionDecision) (api.Decision, error) {
	var in struct {
		OccurredAt api.Timestamp `json:"occurred_at"`
	}
	var answer attribution.Answer
	if err := json.Unmarshal([]byte(r.Inputs), &in); err != nil {
		return api.Decision{}, fmt.Errorf("read the inputs of a decision: %w", err)
	}
	if err := json.Unmarshal([]byte(r.Answer), &answer); err != nil {
		return api.Decision{}, fmt.Errorf("read the answer of a decision: %w", err)
	}
	return api.Decision{
		ID: r.ID, ProgramID: r.ProgramID, ProgramVersionID: orNull(r.ProgramVersionID), Door: api.DecisionDoor(r.Door),
		SignupID: orNull(r.SignupID), RefereeID: r.RefereeID, Attributed: r.Attributed, Reason: toReason(r.Reason),
		ReferrerID: orNull(r.ReferrerID), ReferralID: orNull(r.ReferralID), Candidates: toCandidates(answer.Candidates),
		InputsHash: hex.EncodeToString(r.InputsHash), AnswerHash: sum([]byte(r.Answer)), OccurredAt: in.OccurredAt.UTC(),
		DecidedAt: r.DecidedAt.UTC(),
	}, nil
}

// sum is the SHA-256 of text in hexadecimal digits.
func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}
