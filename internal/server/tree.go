package server

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
)

// What a read of the tree looks at: levels that can earn, and for counts at most so many participants.
const (
	treeDepth = 10
	mostBelow = 10_000
	mostAbove = 1_000
)

// knowTree answers not_found for a participant and unknown_reference for a program that the workspace does not have.
func (h handlers) knowTree(ctx context.Context, ws, participant, program uuid.UUID) error {
	if err := h.knowParticipant(ctx, ws, participant); err != nil {
		return err
	}
	_, err := h.programAsked(ctx, ws, program)
	return err
}

// GetUpline reads the chain above a participant.
func (h handlers) GetUpline(ctx context.Context, req api.GetUplineRequestObject) (api.GetUplineResponseObject, error) {
	s := h.scope(ctx)
	if err := h.knowTree(ctx, s.Workspace, req.ParticipantID, req.Params.ProgramID); err != nil {
		return nil, err
	}
	rows, err := h.above(ctx, s.Workspace, req.Params.ProgramID, req.ParticipantID, s.Now, treeDepth)
	out := api.Upline{ParticipantID: req.ParticipantID, ProgramID: req.Params.ProgramID, Data: []api.UplineMember{}}
	for i, r := range rows {
		out.Data = append(out.Data, api.UplineMember{
			Level: int64(i + 1), ParticipantID: r.ParticipantID, ExternalID: r.ExternalID, State: api.ParticipantState(r.State),
			ReferralID: r.ReferralID,
		})
	}
	return api.GetUpline200JSONResponse{Body: out}, err
}

// above lists who is above a participant, who is the direct referrer of a sale that nobody made.
func (h handlers) above(ctx context.Context, ws, program, participant uuid.UUID, at time.Time, most int32) ([]db.ListUplineRow, error) {
	rows, err := h.q.ListUpline(ctx, h.store.DB(ws), db.ListUplineParams{
		WorkspaceID: ws, ProgramID: program, RefereeID: participant, ReferrerID: participant, At: at, MaxDepth: most + 1,
	})
	if err != nil {
		return nil, err
	}
	return rows[1:], nil
}

// ListDownline lists who is below a participant. A position is the referrals on the way down to where the page ends.
func (h handlers) ListDownline(ctx context.Context, req api.ListDownlineRequestObject) (api.ListDownlineResponseObject, error) {
	most, after, err := pageFrom[[]byte](ctx, req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	if err := h.knowTree(ctx, ws, req.ParticipantID, req.Params.ProgramID); err != nil {
		return nil, err
	}
	p := db.ListDownlineParams{
		WorkspaceID: ws, ProgramID: req.Params.ProgramID, Participants: []uuid.UUID{req.ParticipantID}, Depth: orDefault(req.Params.Depth, treeDepth),
		PageLimit: most + 1,
	}
	if after != nil {
		if err := h.wayTo(ctx, *after, &p); err != nil {
			return nil, err
		}
	}
	p.Referrals = append(p.Referrals, uuid.Nil) // nobody was visited yet below the last one
	rows, err := h.q.ListDownline(ctx, h.store.DB(ws), p)
	if err != nil {
		return nil, err
	}
	rows, next := nextPage(ctx, rows, most, func(r db.ListDownlineRow) (path []byte) {
		for _, id := range r.Path[:r.Level] {
			path = append(path, id[:]...)
		}
		return path
	})
	page := api.DownlinePage{Data: []api.DownlineMember{}, NextCursor: next, HasMore: !next.IsNull()}
	for _, r := range rows {
		page.Data = append(page.Data, api.DownlineMember{
			Level: r.Level, ParticipantID: r.RefereeID, ExternalID: r.ExternalID, ReferrerID: r.ReferrerID, ReferralID: r.ReferralID,
			ReferralState: api.ReferralState(r.State), AttributedAt: r.AttributedAt.UTC(), HasReferees: r.HasReferees,
		})
	}
	return api.ListDownline200JSONResponse{Body: page}, nil
}

// wayTo reads the participants on the way to a position. Referrals are never deleted, so that it can always be read.
func (h handlers) wayTo(ctx context.Context, path []byte, p *db.ListDownlineParams) error {
	for ; len(path) >= 16; path = path[16:] {
		p.Referrals = append(p.Referrals, uuid.UUID(path[:16]))
	}
	rows, err := h.q.ListReferralsByIDs(ctx, h.store.DB(p.WorkspaceID), db.ListReferralsByIDsParams{WorkspaceID: p.WorkspaceID, Ids: p.Referrals})
	if err != nil {
		return err
	}
	referees := map[uuid.UUID]uuid.UUID{}
	for _, r := range rows {
		referees[r.ID] = r.RefereeID
	}
	for _, id := range p.Referrals {
		p.Participants = append(p.Participants, referees[id])
	}
	return nil
}

// GetTreeStatistics counts who is below a participant and above.
func (h handlers) GetTreeStatistics(ctx context.Context, req api.GetTreeStatisticsRequestObject) (api.GetTreeStatisticsResponseObject, error) {
	s := h.scope(ctx)
	if err := h.knowTree(ctx, s.Workspace, req.ParticipantID, req.Params.ProgramID); err != nil {
		return nil, err
	}
	levels, err := h.q.CountDownline(ctx, h.store.DB(s.Workspace), db.CountDownlineParams{
		WorkspaceID: s.Workspace, ProgramID: req.Params.ProgramID, ParticipantID: req.ParticipantID, Depth: treeDepth, Most: mostBelow + 1,
	})
	if err != nil {
		return nil, err
	}
	above, err := h.above(ctx, s.Workspace, req.Params.ProgramID, req.ParticipantID, s.Now, mostAbove+1)
	if err != nil {
		return nil, err
	}
	out := api.TreeStatistics{ParticipantID: req.ParticipantID, ProgramID: req.Params.ProgramID, Levels: []api.TreeLevelCounts{}, Above: int64(len(above))}
	for _, l := range levels {
		out.Levels = append(out.Levels, api.TreeLevelCounts{Level: int64(l.Level), Referees: l.Referees, Qualified: l.Qualified})
		out.Referees, out.Qualified = out.Referees+l.Referees, out.Qualified+l.Qualified
		if l.Level == 1 {
			out.DirectReferees = l.Referees
		}
	}
	out.Complete = out.Referees <= mostBelow && out.Above <= mostAbove
	return api.GetTreeStatistics200JSONResponse{Body: out}, nil
}
