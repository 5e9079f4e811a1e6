package server

import (
	"context"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/engine"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// CreateParticipant makes a participant.
func (h handlers) CreateParticipant(ctx context.Context, req api.CreateParticipantRequestObject) (api.CreateParticipantResponseObject, error) {
	b := *req.Body
	changes, err := fromParticipantChanges(api.ParticipantChanges{
		Email: b.Email, DisplayName: b.DisplayName, CustomerSince: b.CustomerSince, Group: b.Group, Metadata: b.Metadata,
	})
	if err != nil {
		return nil, err
	}
	return once(ctx, h.store, api.CreateParticipantResponseObject.VisitCreateParticipantResponse,
		func(ctx context.Context, tx *store.Tx) (api.CreateParticipantResponseObject, error) {
			p, err := h.engine.CreateParticipant(ctx, tx, h.scope(ctx), b.ExternalID, changes)
			if err != nil {
				return nil, err
			}
			return api.CreateParticipant201JSONResponse{Body: toParticipant(p), Headers: api.CreateParticipant201ResponseHeaders{
				Location: "/v1/participants/" + p.ID.String(), ETag: etag(p.Version),
			}}, nil
		})
}

// UpsertParticipant makes the participant of an external id, or brings it to what the body says. Sending it again is harmless by
// itself, so that it needs no Idempotency-Key.
func (h handlers) UpsertParticipant(ctx context.Context, req api.UpsertParticipantRequestObject) (api.UpsertParticipantResponseObject, error) {
	s := h.scope(ctx)
	changes, err := fromParticipantChanges(*req.Body)
	if err != nil {
		return nil, err
	}
	var p db.Participant
	var created bool
	err = h.store.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		p, created, err = h.engine.UpsertParticipant(ctx, tx, s, req.Params.ExternalID, changes)
		return err
	})
	if err != nil {
		return nil, err
	}
	if created {
		return api.UpsertParticipant201JSONResponse{Body: toParticipant(p), Headers: api.UpsertParticipant201ResponseHeaders{
			Location: "/v1/participants/" + p.ID.String(), ETag: etag(p.Version),
		}}, nil
	}
	return api.UpsertParticipant200JSONResponse{Body: toParticipant(p), Headers: api.UpsertParticipant200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

// UpdateParticipant sets what the body names.
func (h handlers) UpdateParticipant(ctx context.Context, req api.UpdateParticipantRequestObject) (api.UpdateParticipantResponseObject, error) {
	version, err := versionFrom(req.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	changes, err := fromParticipantChanges(*req.Body)
	if err != nil {
		return nil, err
	}
	s := h.scope(ctx)
	var p db.Participant
	err = h.store.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		p, err = h.engine.UpdateParticipant(ctx, tx, s, req.ParticipantID, version, changes)
		return err
	})
	if err != nil {
		return nil, err
	}
	return api.UpdateParticipant200JSONResponse{Body: toParticipant(p), Headers: api.UpdateParticipant200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

// SuspendParticipant keeps a participant from becoming a referrer.
func (h handlers) SuspendParticipant(ctx context.Context, req api.SuspendParticipantRequestObject) (api.SuspendParticipantResponseObject, error) {
	return once(ctx, h.store, api.SuspendParticipantResponseObject.VisitSuspendParticipantResponse,
		func(ctx context.Context, tx *store.Tx) (api.SuspendParticipantResponseObject, error) {
			p, err := h.engine.SuspendParticipant(ctx, tx, h.scope(ctx), req.ParticipantID, req.Body.Reason)
			return api.SuspendParticipant200JSONResponse{
				Body: toParticipant(p), Headers: api.SuspendParticipant200ResponseHeaders{ETag: etag(p.Version)},
			}, err
		})
}

// ReinstateParticipant makes a participant active again.
func (h handlers) ReinstateParticipant(ctx context.Context, req api.ReinstateParticipantRequestObject) (api.ReinstateParticipantResponseObject, error) {
	return once(ctx, h.store, api.ReinstateParticipantResponseObject.VisitReinstateParticipantResponse,
		func(ctx context.Context, tx *store.Tx) (api.ReinstateParticipantResponseObject, error) {
			p, err := h.engine.ReinstateParticipant(ctx, tx, h.scope(ctx), req.ParticipantID, req.Body.Reason)
			return api.ReinstateParticipant200JSONResponse{
				Body: toParticipant(p), Headers: api.ReinstateParticipant200ResponseHeaders{ETag: etag(p.Version)},
			}, err
		})
}

// BanParticipant ends what a participant earns.
func (h handlers) BanParticipant(ctx context.Context, req api.BanParticipantRequestObject) (api.BanParticipantResponseObject, error) {
	return once(ctx, h.store, api.BanParticipantResponseObject.VisitBanParticipantResponse,
		func(ctx context.Context, tx *store.Tx) (api.BanParticipantResponseObject, error) {
			p, err := h.engine.BanParticipant(ctx, tx, h.scope(ctx), req.ParticipantID, req.Body.Reason)
			return api.BanParticipant200JSONResponse{
				Body: toParticipant(p), Headers: api.BanParticipant200ResponseHeaders{ETag: etag(p.Version)},
			}, err
		})
}

func (h handlers) GetParticipant(ctx context.Context, req api.GetParticipantRequestObject) (api.GetParticipantResponseObject, error) {
	ws := h.scope(ctx).Workspace
	p, err := h.q.GetParticipant(ctx, h.store.DB(ws), db.GetParticipantParams{WorkspaceID: ws, ID: req.ParticipantID})
	if err != nil {
		return nil, store.OrNotFound(err, "the participant")
	}
	return api.GetParticipant200JSONResponse{Body: toParticipant(p), Headers: api.GetParticipant200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

// ListParticipants lists participants, newest first.
func (h handlers) ListParticipants(ctx context.Context, req api.ListParticipantsRequestObject) (api.ListParticipantsResponseObject, error) {
	most, before, err := pageFrom[uuid.UUID](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	in := db.ListParticipantsParams{
		WorkspaceID: ws, ExternalID: req.Params.ExternalID, GroupName: req.Params.Group, Before: before, PageLimit: most + 1,
	}
	if in.GroupName != nil && *in.GroupName == rules.DefaultGroup {
		in.GroupName, in.Ungrouped = nil, true
	}
	rows, err := h.q.ListParticipants(ctx, h.store.DB(ws), in)
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.Participant) uuid.UUID { return r.ID })
	return api.ListParticipants200JSONResponse{Body: api.ParticipantPage{Data: each(rows, toParticipant), NextCursor: next, HasMore: !next.IsNull()}}, nil
}

// change is what a body says of a field that null clears.
func change[T any](v nullable.Nullable[T]) engine.Change[T] {
	return engine.Change[T]{Set: v.IsSpecified(), Value: given(v)}
}

func fromParticipantChanges(b api.ParticipantChanges) (engine.ParticipantChanges, error) {
	c := engine.ParticipantChanges{
		Email: change(b.Email), DisplayName: change(b.DisplayName), CustomerSince: change(b.CustomerSince), Group: change(b.Group), TaxData: b.TaxDataOnFile,
		Metadata: fromMetadata(b.Metadata),
	}
	if c.Group.Value != nil && *c.Group.Value == rules.DefaultGroup {
		return c, invalid("/group", "names those who are in no group: send null")
	}
	return c, nil
}

func toParticipant(p db.Participant) api.Participant {
	return api.Participant{
		ID: p.ID, ExternalID: p.ExternalID, DisplayName: orNull(p.DisplayName), HasEmail: p.EmailHash != nil,
		State: api.ParticipantState(p.State), CustomerSince: orNullTime(p.CustomerSince), Group: orNull(p.GroupName),
		TaxDataRecordedAt: orNullTime(p.TaxDataRecordedAt), Metadata: toMetadata(p.Metadata),
		Version: p.Version, CreatedAt: p.CreatedAt.UTC(),
	}
}
