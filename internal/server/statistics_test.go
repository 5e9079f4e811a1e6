package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/clicks"
)

func (p *play) counted(from, to openapi_types.Date) client.Statistics {
	p.w.Helper()
	return *must[*client.GetProgramStatisticsResult](p.w)(p.GetProgramStatisticsWithResponse(p.w.Context(), p.program.ID, &client.GetProgramStatisticsParams{From: from, To: to})).JSON200
}

func (p *play) countedFor(participant uuid.UUID, from, to openapi_types.Date) client.Statistics {
	p.w.Helper()
	return *must[*client.GetParticipantStatisticsResult](p.w)(p.GetParticipantStatisticsWithResponse(p.w.Context(), participant, &client.GetParticipantStatisticsParams{
		ProgramID: p.program.ID, From: from, To: to,
	})).JSON200
}

// fold adds everything that waits to the counters.
func (p *play) fold() {
	p.w.Helper()
	for more := true; more; {
		var err error
		if more, err = clicks.Fold(p.w.Context(), p.w.database.Store, p.w.pair.Test.WorkspaceID); err != nil {
			p.w.Fatal(err)
		}
	}
}

func TestAVisitorOfTwoDaysIsOneVisitor(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour) // yesterday
	on := func(visitor, agent string, at time.Time) func(*client.NewClick) {
		return func(n *client.NewClick) { n.VisitorID, n.UserAgent, n.OccurredAt = &visitor, &agent, &at }
	}
	p.click(on("v-1", firefox, noon.AddDate(0, 0, -1)))
	p.click(on("v-1", firefox, noon))
	p.click(on("v-2", "curl/8.0", noon))
	p.click(on("v-3", firefox, noon))
	p.click(func(n *client.NewClick) { on("v-1", firefox, noon.Add(time.Hour))(n); n.Code = "CAROL-3" })
	joined := noon.Add(2 * time.Hour)
	p.join("bob", func(n *client.NewSignup) { n.VisitorID, n.OccurredAt = ptr("v-3"), &joined })
	p.buy("bob", "order-1", 10_000, func(n *client.NewConversion) { n.OccurredAt = ptr(noon.Add(3 * time.Hour)) })
	p.refund("order-1", "refund-1", 4_000)

	first := client.StatisticsCounts{Clicks: 1, HumanClicks: 1, UniqueVisitors: 1}
	second := client.StatisticsCounts{Clicks: 4, HumanClicks: 3, UniqueVisitors: 2, Signups: 1, Referrals: 1, Qualified: 1, Conversions: 1,
		Revenue: 10_000, ReversedRevenue: 4_000, RewardsGranted: 3_000, RewardsReversed: 800}
	total := second
	total.Clicks, total.HumanClicks = 5, 4
	for _, state := range []string{"unfolded", "folded"} {
		s := p.counted(day(-2), day(0))
		want := []client.StatisticsDay{{Date: day(-2), Counts: first}, {Date: day(-1), Counts: second}}
		if fmt.Sprint(s.Days) != fmt.Sprint(want) || s.Totals != total {
			t.Errorf("%s: days %+v, totals %+v", state, s.Days, s.Totals)
		}
		if s.ProgramID != p.program.ID || !s.ParticipantID.IsNull() || s.Currency != "USD" || s.From != day(-2) || s.To != day(0) {
			t.Errorf("%s: %+v", state, s)
		}
		if one := p.counted(day(-1), day(-1)); one.Totals != second || len(one.Days) != 1 {
			t.Errorf("%s, one day: %+v", state, one)
		}
		alice := p.countedFor(p.alice.ParticipantID, day(-2), day(0))
		brought := client.StatisticsCounts{Clicks: 4, HumanClicks: 3, UniqueVisitors: 2, Signups: 1, Referrals: 1, Qualified: 1, Conversions: 1,
			Revenue: 10_000, ReversedRevenue: 4_000, RewardsGranted: 2_000, RewardsReversed: 800}
		if alice.Totals != brought || alice.ParticipantID.MustGet() != p.alice.ParticipantID {
			t.Errorf("%s: Alice brought %+v", state, alice)
		}
		if carol := p.countedFor(p.carol.ParticipantID, day(-2), day(0)).Totals; carol != (client.StatisticsCounts{Clicks: 1, HumanClicks: 1, UniqueVisitors: 1}) {
			t.Errorf("%s: Carol brought %+v", state, carol)
		}
		p.fold()
	}
	if n := p.w.number("SELECT count(*) FROM click_batches"); n != 0 {
		t.Errorf("%d markers are left", n)
	}
	if none := p.counted(day(-9), day(-8)); len(none.Days) != 0 || none.Totals != (client.StatisticsCounts{}) {
		t.Errorf("before anything happened: %+v", none)
	}
}

func TestADayIsOneOfTheProgram(t *testing.T) {
	t.Parallel()
	p := startPlay(t, func(n *client.NewProgram) { n.TimeZone = ptr("Pacific/Kiritimati") }) // 14 hours ahead
	midnight := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1).Add(10 * time.Hour)
	p.click(func(n *client.NewClick) { n.OccurredAt = ptr(midnight.Add(-time.Microsecond)) })
	p.click(func(n *client.NewClick) { n.OccurredAt = &midnight })
	s := p.counted(day(-3), day(1))
	if len(s.Days) != 2 || s.Days[0].Date != day(-1) || s.Days[1].Date != day(0) {
		t.Errorf("days %+v", s.Days)
	}
}

func TestARangeOfDaysHasAnEnd(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	ask := func(c caller, program uuid.UUID, from, to openapi_types.Date) (*client.GetProgramStatisticsResult, error) {
		return c.GetProgramStatisticsWithResponse(t.Context(), program, &client.GetProgramStatisticsParams{From: from, To: to})
	}
	must[*client.GetProgramStatisticsResult](t)(ask(p.caller, p.program.ID, day(-365), day(0)))
	refused[*client.GetProgramStatisticsResult](t, "validation_failed", "query:to")(ask(p.caller, p.program.ID, day(-366), day(0)))
	refused[*client.GetProgramStatisticsResult](t, "validation_failed", "query:to")(ask(p.caller, p.program.ID, day(0), day(-1)))
	ages := openapi_types.Date{Time: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	refused[*client.GetProgramStatisticsResult](t, "validation_failed", "query:to")(ask(p.caller, p.program.ID, day(0), ages))
	refused[*client.GetProgramStatisticsResult](t, "not_found", "")(ask(p.w.live(), p.program.ID, day(0), day(0)))
	of := func(c caller, participant, program uuid.UUID) (*client.GetParticipantStatisticsResult, error) {
		return c.GetParticipantStatisticsWithResponse(t.Context(), participant, &client.GetParticipantStatisticsParams{ProgramID: program, From: day(0), To: day(0)})
	}
	refused[*client.GetParticipantStatisticsResult](t, "not_found", "")(of(p.w.live(), p.alice.ParticipantID, p.program.ID))
	refused[*client.GetParticipantStatisticsResult](t, "not_found", "")(of(p.caller, uuid.New(), p.program.ID))
	other := p.w.live().activeProgram(nil)
	refused[*client.GetParticipantStatisticsResult](t, "unknown_reference", "query:program_id")(of(p.caller, p.alice.ParticipantID, other.ID))
}
