package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

func (h handlers) GetEvent(ctx context.Context, req api.GetEventRequestObject) (api.GetEventResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetEvent(ctx, h.store.DB(ws), db.GetEventParams{WorkspaceID: ws, ID: req.EventID})
	if err != nil {
		return nil, store.OrNotFound(err, "the event")
	}
	e, err := toEvent(row.Event, row.Seq)
	return api.GetEvent200JSONResponse{Body: e}, err
}

// ListEvents lists the log, newest first.
func (h handlers) ListEvents(ctx context.Context, req api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListEvents(ctx, h.store.DB(ws), db.ListEventsParams{
		WorkspaceID: ws, Type: filter(req.Params.Type), SubjectID: req.Params.SubjectID, Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.ListEventsRow) uuid.UUID { return r.Event.ID })
	page := api.EventPage{Data: []api.Event{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		e, err := toEvent(r.Event, r.Seq)
		if err != nil {
			return nil, err
		}
		page.Data = append(page.Data, e)
	}
	return api.ListEvents200JSONResponse{Body: page}, nil
}

// VerifyEvents walks along the chain of the log.
func (h handlers) VerifyEvents(ctx context.Context, req api.VerifyEventsRequestObject) (api.VerifyEventsResponseObject, error) {
	ws, from := h.scope(ctx).Workspace, int64(1)
	if req.Params.FromSeq != nil {
		from = *req.Params.FromSeq
	}
	v, err := h.engine.VerifyLog(ctx, h.store.DB(ws), ws, from)
	if err != nil {
		return nil, err
	}
	out := api.EventVerification{
		Verified: v.Fault == "", Complete: v.Complete, Sealed: v.Sealed, Unsealed: v.Unsealed, FromSeq: from, ThroughSeq: v.Seq,
		CheckpointSeq: v.Checkpoint, Hash: hex.EncodeToString(v.Hash), FirstBrokenSeq: orNull[int64](nil),
	}
	if v.Fault != "" {
		fault := api.ChainFault(v.Fault)
		out.Reason, out.FirstBrokenSeq = &fault, orNull(&v.FirstBroken)
	}
	return api.VerifyEvents200JSONResponse{Body: out}, nil
}

// toEvent shows the words of a person as part of the data.
func toEvent(r db.Event, seq *int64) (api.Event, error) {
	data := api.EventData{}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return api.Event{}, fmt.Errorf("read the data of an event: %w", err)
	}
	if r.Note != nil {
		data["note"] = *r.Note
	}
	return api.Event{
		ID: r.ID, Seq: orNull(seq), Type: api.EventType(r.Type), SubjectType: api.SubjectType(r.SubjectType), SubjectID: r.SubjectID, Data: data,
		CreatedAt: r.CreatedAt.UTC(),
	}, nil
}

// ListUnmatchedFacts lists facts that came before what they belong to, newest first.
func (h handlers) ListUnmatchedFacts(ctx context.Context, req api.ListUnmatchedFactsRequestObject) (api.ListUnmatchedFactsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListUnmatchedFacts(ctx, h.store.DB(ws), db.ListUnmatchedFactsParams{
		WorkspaceID: ws, State: filter(req.Params.State), Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.UnmatchedFact) uuid.UUID { return r.ID })
	page := api.UnmatchedFactPage{Data: []api.UnmatchedFact{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, api.UnmatchedFact{
			ID: r.ID, Kind: api.UnmatchedFactKind(r.Kind), FactID: r.FactID, ProgramID: orNull(r.ProgramID), RefereeID: orNull(r.RefereeID),
			State: api.UnmatchedFactState(r.State), Reason: toReason(r.Reason), ReceivedAt: r.ReceivedAt.UTC(), SettledAt: orNullTime(r.SettledAt),
		})
	}
	return api.ListUnmatchedFacts200JSONResponse{Body: page}, nil
}
