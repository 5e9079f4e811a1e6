package server

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/store"
)

// mostDays is how long a range of statistics may be.
const mostDays = 366

// GetProgramStatistics counts a program.
func (h handlers) GetProgramStatistics(ctx context.Context, req api.GetProgramStatisticsRequestObject) (api.GetProgramStatisticsResponseObject, error) {
	from, to, err := daysOf(req.Params.From, req.Params.To)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	program, err := h.q.GetProgram(ctx, h.store.DB(ws), db.GetProgramParams{WorkspaceID: ws, ID: req.ProgramID})
	if err != nil {
		return nil, store.OrNotFound(err, "the program")
	}
	rows, err := h.q.ListProgramDays(ctx, h.store.DB(ws), db.ListProgramDaysParams{WorkspaceID: ws, ProgramID: program.ID, FromDay: from, ToDay: to})
	if err != nil {
		return nil, err
	}
	out := statisticsOf(program, from, to, rows)
	if len(rows) > 1 {
		out.Totals.UniqueVisitors, err = h.q.CountProgramVisitors(ctx, h.store.DB(ws), db.CountProgramVisitorsParams{
			WorkspaceID: ws, ProgramID: program.ID, FromDay: from, ToDay: to,
		})
	}
	return api.GetProgramStatistics200JSONResponse{Body: out}, err
}

// GetParticipantStatistics counts what one referrer brought to a program.
func (h handlers) GetParticipantStatistics(ctx context.Context, req api.GetParticipantStatisticsRequestObject) (api.GetParticipantStatisticsResponseObject, error) {
	from, to, err := daysOf(req.Params.From, req.Params.To)
	if err != nil {
		return nil, err
	}
	ws := h.scope(ctx).Workspace
	if err := h.knowParticipant(ctx, ws, req.ParticipantID); err != nil {
		return nil, err
	}
	program, err := h.programAsked(ctx, ws, req.Params.ProgramID)
	if err != nil {
		return nil, err
	}
	p := db.ListReferrerDaysParams{WorkspaceID: ws, ParticipantID: req.ParticipantID, ProgramID: program.ID, FromDay: from, ToDay: to}
	out, err := h.countReferrer(ctx, program, p)
	return api.GetParticipantStatistics200JSONResponse{Body: out}, err
}

// programAsked reads the program that a query names, and answers unknown_reference for one that the workspace does not have.
func (h handlers) programAsked(ctx context.Context, ws, id uuid.UUID) (db.Program, error) {
	program, err := h.q.GetProgram(ctx, h.store.DB(ws), db.GetProgramParams{WorkspaceID: ws, ID: id})
	if errors.Is(err, store.ErrNoRows) {
		err = problem.UnknownReference.With("the program does not exist in this workspace").
			WithErrors([]problem.FieldError{{Pointer: "query:program_id", Message: "unknown reference"}})
	}
	return program, err
}

func (h handlers) countReferrer(ctx context.Context, program db.Program, p db.ListReferrerDaysParams) (api.Statistics, error) {
	on := h.store.DB(p.WorkspaceID)
	found, err := h.q.ListReferrerDays(ctx, on, p)
	if err != nil {
		return api.Statistics{}, err
	}
	rows := make([]db.ListProgramDaysRow, 0, len(found))
	for _, r := range found {
		rows = append(rows, db.ListProgramDaysRow(r))
	}
	out := statisticsOf(program, p.FromDay, p.ToDay, rows)
	out.ParticipantID = nullable.NewNullableWithValue(p.ParticipantID)
	if len(rows) > 1 {
		out.Totals.UniqueVisitors, err = h.q.CountReferrerVisitors(ctx, on, db.CountReferrerVisitorsParams{
			WorkspaceID: p.WorkspaceID, ParticipantID: p.ParticipantID, ProgramID: p.ProgramID, FromDay: p.FromDay, ToDay: p.ToDay,
		})
	}
	return out, err
}

// daysOf checks a range of days.
func daysOf(from, to api.Date) (first, last time.Time, err error) {
	days := int(to.Sub(from.Time).Hours()/24) + 1
	if days < 1 || days > mostDays {
		return first, last, problem.ValidationFailed.With("a range has 1 to 366 days").
			WithErrors([]problem.FieldError{{Pointer: "query:to", Message: "must be the same day as from, or at most 365 days after it"}})
	}
	return from.Time, to.Time, nil
}

// statisticsOf adds days up. A visitor of several days is one visitor, so their total is only right for a single day.
func statisticsOf(program db.Program, from, to time.Time, rows []db.ListProgramDaysRow) api.Statistics {
	out := api.Statistics{
		ProgramID: program.ID, ParticipantID: nullable.NewNullNullable[uuid.UUID](), Currency: program.Currency,
		From: openapi_types.Date{Time: from}, To: openapi_types.Date{Time: to}, Days: make([]api.StatisticsDay, 0, len(rows)),
	}
	for _, r := range rows {
		c := toCounts(r)
		out.Days = append(out.Days, api.StatisticsDay{Date: openapi_types.Date{Time: r.Day}, Counts: c})
		t := &out.Totals
		t.Clicks, t.HumanClicks, t.UniqueVisitors = t.Clicks+c.Clicks, t.HumanClicks+c.HumanClicks, t.UniqueVisitors+c.UniqueVisitors
		t.Signups, t.Referrals, t.Qualified = t.Signups+c.Signups, t.Referrals+c.Referrals, t.Qualified+c.Qualified
		t.Conversions, t.Revenue, t.ReversedRevenue = t.Conversions+c.Conversions, t.Revenue+c.Revenue, t.ReversedRevenue+c.ReversedRevenue
		t.RewardsGranted, t.RewardsReversed = t.RewardsGranted+c.RewardsGranted, t.RewardsReversed+c.RewardsReversed
	}
	return out
}

func toCounts(r db.ListProgramDaysRow) api.StatisticsCounts {
	return api.StatisticsCounts{
		Clicks: r.Clicks, HumanClicks: r.HumanClicks, UniqueVisitors: r.UniqueVisitors, Signups: r.Signups, Referrals: r.Referrals,
		Qualified: r.Qualified, Conversions: r.Conversions, Revenue: r.Revenue, ReversedRevenue: r.ReversedRevenue,
		RewardsGranted: r.RewardsGranted, RewardsReversed: r.RewardsReversed,
	}
}
