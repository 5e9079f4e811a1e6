package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateErasureRequest takes a person out of the data.
func (h handlers) CreateErasureRequest(ctx context.Context, req api.CreateErasureRequestRequestObject) (api.CreateErasureRequestResponseObject, error) {
	b := *req.Body
	n := engine.NewErasure{ParticipantExternalID: b.ParticipantExternalID, ExternalID: b.ExternalID, BlockReuse: orDefault(b.BlockReuse, false)}
	if b.Disposition != nil {
		n.Disposition = (*string)(b.Disposition)
	}
	return once(ctx, h.store, api.CreateErasureRequestResponseObject.VisitCreateErasureRequestResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateErasureRequestResponseObject, error) {
			s := h.scope(ctx)
			tx.OnCommit(func() { h.clicks.Forget(s.Workspace) }) // links of the person are known no longer
			row, known, err := h.engine.CreateErasure(ctx, tx, s, n)
			switch {
			case err != nil:
				return nil, err
			case known:
				return api.CreateErasureRequest200JSONResponse{Body: toErasureRequest(row)}, nil
			}
			return api.CreateErasureRequest201JSONResponse{Body: toErasureRequest(row), Headers: api.CreateErasureRequest201ResponseHeaders{
				Location: "/v1/erasure-requests/" + row.ID.String(),
			}}, nil
		})
}

func (h handlers) GetErasureRequest(ctx context.Context, req api.GetErasureRequestRequestObject) (api.GetErasureRequestResponseObject, error) {
	ws := h.scope(ctx).Workspace
	row, err := h.q.GetErasureRequest(ctx, h.store.DB(ws), db.GetErasureRequestParams{WorkspaceID: ws, ID: req.ErasureRequestID})
	if err != nil {
		return nil, store.OrNotFound(err, "the erasure request")
	}
	return api.GetErasureRequest200JSONResponse{Body: toErasureRequest(row)}, nil
}

// ListErasureRequests lists erasures, newest first.
func (h handlers) ListErasureRequests(ctx context.Context, req api.ListErasureRequestsRequestObject) (api.ListErasureRequestsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	rows, err := h.q.ListErasureRequests(ctx, h.store.DB(ws), db.ListErasureRequestsParams{
		WorkspaceID: ws, ParticipantID: req.Params.ParticipantID, State: filter(req.Params.State), Before: before, PageLimit: most + 1,
	})
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.ErasureRequest) uuid.UUID { return r.ID })
	return api.ListErasureRequests200JSONResponse{Body: api.ErasureRequestPage{Data: each(rows, toErasureRequest), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

func toErasureRequest(r db.ErasureRequest) api.ErasureRequest {
	return api.ErasureRequest{
		ID: r.ID, ParticipantID: r.ParticipantID, Disposition: (*api.Disposition)(r.Disposition), BlockReuse: r.BlockReuse,
		State: api.ErasureState(r.State), CreatedAt: r.CreatedAt.UTC(), CompletedAt: orNullTime(r.CompletedAt),
	}
}
