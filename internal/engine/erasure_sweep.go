package engine

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// answersKept is longer than answers are kept: older clicks are in none.
const answersKept = 8 * 24 * time.Hour

// sweepPage bounds how many stored answers are read at once.
const sweepPage = 1000

// finishErasures completes the erasures that are running: it takes the person out of the answers that are kept for repeated requests,
// where no index finds it. Any number of processes may do it at once, and again.
func (e *Engine) finishErasures(ctx context.Context, st *store.Store, s Scope) (int, error) {
	running, err := e.q.ListRunningErasures(ctx, st.DB(s.Workspace), s.Workspace)
	if err != nil || len(running) == 0 {
		return 0, err
	}
	traces := map[uuid.UUID]bool{}
	for _, r := range running {
		if err := e.tracesOf(ctx, st.DB(s.Workspace), s, r.ParticipantID, traces); err != nil {
			return 0, err
		}
	}
	if err := e.sweepAnswers(ctx, st, s, traces); err != nil {
		return 0, err
	}
	done := 0
	for _, r := range running {
		n, err := e.q.CompleteErasureRequest(ctx, st.DB(s.Workspace), db.CompleteErasureRequestParams{WorkspaceID: s.Workspace, ID: r.ID, CompletedAt: s.Now})
		if err != nil {
			return done, err
		}
		done += int(n)
	}
	return done, nil
}

// tracesOf adds the ids of everything that tells of a person, the clicks included by which it came.
func (e *Engine) tracesOf(ctx context.Context, on store.DBTX, s Scope, person uuid.UUID, traces map[uuid.UUID]bool) error {
	ids, err := e.q.ListTracesOf(ctx, on, db.ListTracesOfParams{WorkspaceID: s.Workspace, ParticipantID: person})
	if err != nil {
		return err
	}
	clicks, err := e.clickIDs(ctx, on, s, person)
	if err != nil {
		return err
	}
	beside, err := e.q.ListClicksBeside(ctx, on, db.ListClicksBesideParams{
		WorkspaceID: s.Workspace, Ids: clicks, Since: store.LowestID(time.Now().Add(-answersKept)),
	})
	for _, id := range slices.Concat(ids, clicks, beside) {
		traces[id] = true
	}
	return err
}

// erasedAnswer is what a request is answered that is repeated after its answer was erased. It keeps its key, so that nothing happens
// twice.
const (
	erasedStatus = 409
	erasedBody   = `{"type":"/docs/problems#conflict","title":"The request conflicts with what is stored","status":409,"code":"conflict",` +
		`"detail":"The request was answered before. The answer was erased with the person whom it was about.","request_id":"0000000000000000"}`
)

var (
	erasedHeaders = json.RawMessage(`{"Content-Type":"application/problem+json"}`)
	anyID         = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// sweepAnswers replaces every stored answer that names one of the ids.
func (e *Engine) sweepAnswers(ctx context.Context, st *store.Store, s Scope, traces map[uuid.UUID]bool) error {
	status := int32(erasedStatus)
	for after := ""; ; {
		rows, err := e.q.ListStoredAnswers(ctx, st.DB(s.Workspace), db.ListStoredAnswersParams{WorkspaceID: s.Workspace, After: after, PageLimit: sweepPage})
		if err != nil || len(rows) == 0 {
			return err
		}
		var keys []string
		for _, r := range rows {
			if slices.ContainsFunc(anyID.FindAll(r.Body, -1), func(id []byte) bool { return traces[uuid.MustParse(string(id))] }) {
				keys = append(keys, r.Key)
			}
		}
		if len(keys) > 0 {
			if err := e.q.EraseStoredAnswers(ctx, st.DB(s.Workspace), db.EraseStoredAnswersParams{
				WorkspaceID: s.Workspace, Keys: keys, Status: &status, Headers: erasedHeaders, Body: []byte(erasedBody),
			}); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].Key
	}
}
