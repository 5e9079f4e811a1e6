package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// late stores a click that somebody waits for, an hour old.
func (p *play) late(id uuid.UUID, code string) client.NewClick {
	return client.NewClick{ID: &id, Code: code, OccurredAt: ptr(time.Now().Add(-time.Hour).Truncate(time.Microsecond))}
}

func (p *play) batch(clicks ...client.NewClick) {
	p.w.Helper()
	res := must[*client.RecordClicksResult](p.w)(p.RecordClicksWithResponse(p.w.Context(), &client.RecordClicksParams{}, client.ClickBatch{Clicks: clicks}))
	for _, o := range res.JSON200.Data {
		if o.Problem != nil {
			p.w.Fatalf("%+v", o.Problem)
		}
	}
}

func naming(ids ...uuid.UUID) func(*client.NewSignup) {
	return func(n *client.NewSignup) { n.ClickIds = ids }
}

// decisionsOf lists the decisions about a referee, oldest first, each as its door, reason and referrer.
func (p *play) decisionsOf(referee string) (told []string, all []client.Decision) {
	p.w.Helper()
	id := p.participant(referee).ID
	page := must[*client.ListDecisionsResult](p.w)(p.ListDecisionsWithResponse(p.w.Context(), &client.ListDecisionsParams{RefereeID: &id}))
	names := map[uuid.UUID]string{p.alice.ParticipantID: "alice", p.carol.ParticipantID: "carol"}
	for i := len(page.JSON200.Data) - 1; i >= 0; i-- {
		d := page.JSON200.Data[i]
		who := "-"
		if d.Attributed {
			who = names[d.ReferrerID.MustGet()]
		}
		told, all = append(told, fmt.Sprintf("%s %s %s", d.Door, d.Reason, who)), append(all, d)
	}
	return told, all
}

func (p *play) expectDecisions(referee string, want ...string) {
	p.w.Helper()
	if got, _ := p.decisionsOf(referee); fmt.Sprint(got) != fmt.Sprint(want) {
		p.w.Errorf("%s: %q, want %q", referee, got, want)
	}
}

// facts tells how many facts stand in a state.
func (p *play) facts(state client.UnmatchedFactState) []client.UnmatchedFact {
	p.w.Helper()
	return must[*client.ListUnmatchedFactsResult](p.w)(p.ListUnmatchedFactsWithResponse(p.w.Context(), &client.ListUnmatchedFactsParams{State: &state})).JSON200.Data
}

func TestASignupIsDecidedAgainWhenItsClickArrives(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id := idOf(time.Now())
	joined := p.join("bob", naming(id))
	if joined.Attributed || joined.Reason != "NO_TOUCH" {
		t.Fatalf("without its click: %+v", joined)
	}
	if bought := p.buy("bob", "order-1", 10_000, nil); bought.Conversion.State != "unmatched" || len(bought.Rewards) != 0 {
		t.Fatalf("bought %+v", bought)
	}
	if waiting := p.facts("waiting"); len(waiting) != 2 || waiting[1].Kind != "signup" || waiting[1].Reason != "CLICK_NOT_FOUND" ||
		waiting[1].FactID != joined.Signup.ID || waiting[0].Kind != "conversion" {
		t.Errorf("waiting are %+v", waiting)
	}
	p.batch(p.late(id, "ALICE-9"))
	p.expectDecisions("bob", "signup NO_TOUCH -", "late_claim ATTRIBUTED_LAST_TOUCH alice")
	settled := p.facts("settled")
	if len(settled) != 2 || len(p.facts("waiting")) != 0 || settled[1].Reason != "ATTRIBUTED_LAST_TOUCH" || settled[0].Reason != "COUNTED" {
		t.Errorf("settled are %+v", settled)
	}

	in := idOf(time.Now())
	p.batch(p.late(in, "ALICE-9"))
	p.join("ben", naming(in))
	p.buy("ben", "order-2", 10_000, nil)
	late, inOrder := p.told("bob"), p.told("ben")
	if late != inOrder || late != "qualified ATTRIBUTED_LAST_TOUCH; referrer 2000 pending; referee 1000 pending" {
		t.Errorf("late %q, in order %q", late, inOrder)
	}
	page := must[*client.GetParticipantStatisticsResult](t)(p.GetParticipantStatisticsWithResponse(t.Context(), p.alice.ParticipantID, &client.GetParticipantStatisticsParams{
		ProgramID: p.program.ID, From: day(-1), To: day(1),
	})).JSON200.Totals
	want := client.StatisticsCounts{Clicks: 2, HumanClicks: 2, UniqueVisitors: 2, Signups: 2, Referrals: 2, Qualified: 2, Conversions: 2, Revenue: 20_000, RewardsGranted: 4_000}
	if page != want {
		t.Errorf("counted %+v, want %+v", page, want)
	}
}

// told says what became of a referee: the referral's state and decision, and each reward.
func (p *play) told(referee string) string {
	p.w.Helper()
	id := p.participant(referee).ID
	refs := must[*client.ListReferralsResult](p.w)(p.ListReferralsWithResponse(p.w.Context(), &client.ListReferralsParams{RefereeID: &id})).JSON200.Data
	if len(refs) != 1 {
		p.w.Fatalf("%d referrals", len(refs))
	}
	d := must[*client.GetDecisionResult](p.w)(p.GetDecisionWithResponse(p.w.Context(), refs[0].DecisionID)).JSON200
	out := fmt.Sprintf("%s %s", refs[0].State, d.Reason)
	rewards := must[*client.ListRewardsResult](p.w)(p.ListRewardsWithResponse(p.w.Context(), &client.ListRewardsParams{ReferralID: &refs[0].ID})).JSON200.Data
	for i := len(rewards) - 1; i >= 0; i-- {
		out += fmt.Sprintf("; %s %d %s", rewards[i].Beneficiary, rewards[i].Net, rewards[i].State)
	}
	return out
}

func TestALateClickIsJudgedByItsOwnTime(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	after, robot := idOf(time.Now()), idOf(time.Now())
	p.join("bob", naming(after))
	p.join("ben", naming(robot))
	p.click(func(n *client.NewClick) { n.ID, n.OccurredAt = &after, ptr(time.Now().Add(time.Minute)) })
	p.click(func(n *client.NewClick) { *n = p.late(robot, "ALICE-9"); n.UserAgent = ptr("curl/8.0") })
	p.expectDecisions("bob", "signup NO_TOUCH -", "late_claim WINDOW_EXPIRED -")
	p.expectDecisions("ben", "signup NO_TOUCH -", "late_claim BOT_TOUCH_ONLY -")
	if settled := p.facts("settled"); len(settled) != 2 || settled[0].Reason != "BOT_TOUCH_ONLY" || settled[1].Reason != "WINDOW_EXPIRED" {
		t.Errorf("settled are %+v", settled)
	}
}

func TestOfTwoLateClicksInOneBatchTheRightOneWins(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	first, second, never := idOf(time.Now()), idOf(time.Now()), idOf(time.Now())
	p.join("bob", naming(second, first, never))
	a, c := p.late(first, "ALICE-9"), p.late(second, "CAROL-3")
	c.OccurredAt = ptr(a.OccurredAt.Add(time.Minute))
	p.batch(a, c)
	p.expectDecisions("bob", "signup NO_TOUCH -", "late_claim ATTRIBUTED_LAST_TOUCH carol")
	_, all := p.decisionsOf("bob")
	if list := all[1].Candidates; len(list) != 3 || list[0].Reason != "SUPERSEDED" || list[1].Reason != "ATTRIBUTED_LAST_TOUCH" || list[2].Reason != "CLICK_NOT_FOUND" {
		t.Errorf("candidates %+v", list)
	}
	if n := len(p.facts("waiting")); n != 1 {
		t.Errorf("%d facts wait, want that for the last click: it could win", n)
	}
	p.batch(p.late(never, "ALICE-9"))
	p.expectDecisions("bob", "signup NO_TOUCH -", "late_claim ATTRIBUTED_LAST_TOUCH carol", "late_claim ALREADY_ATTRIBUTED -")
}

func TestARefusedLateClickLeavesTheClaimToTheNext(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	robot, person := idOf(time.Now()), idOf(time.Now())
	p.join("bob", naming(robot, person))
	p.click(func(n *client.NewClick) { *n = p.late(robot, "CAROL-3"); n.UserAgent = ptr("curl/8.0") })
	if n := len(p.facts("waiting")); n != 1 {
		t.Errorf("%d facts wait, want that for the second click", n)
	}
	p.batch(p.late(person, "ALICE-9"))
	p.expectDecisions("bob", "signup NO_TOUCH -", "late_claim BOT_TOUCH_ONLY -", "late_claim ATTRIBUTED_LAST_TOUCH alice")
	_, all := p.decisionsOf("bob")
	for _, d := range all {
		replay := must[*client.ReplayDecisionResult](t)(p.ReplayDecisionWithResponse(t.Context(), d.ID, &client.ReplayDecisionParams{})).JSON200
		if !replay.Same || replay.InputsHash != d.InputsHash || replay.AnswerHash != d.AnswerHash {
			t.Errorf("the replay is %+v", replay)
		}
	}
}

func TestALateClaimKeepsTheRulesAndTheCodeOfItsSignup(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id, other := idOf(time.Now()), idOf(time.Now())
	p.join("bob", naming(id))
	p.join("ben", func(n *client.NewSignup) { n.ClickIds, n.Code = []uuid.UUID{other}, ptr("NO-SUCH") })
	must[*client.PublishProgramVersionResult](t)(p.PublishProgramVersionWithResponse(t.Context(), p.program.ID, &client.PublishProgramVersionParams{},
		client.NewProgramVersion{Rules: client.NewRules{Attribution: &client.NewAttributionRules{WindowSeconds: ptr[int64](60)}}}))
	p.code(p.program.ID, "carol", func(n *client.NewCode) { n.Value = ptr("NO-SUCH") }) // made after it was typed
	p.batch(p.late(id, "ALICE-9"), p.late(other, "ALICE-9"))
	p.expectDecisions("bob", "signup NO_TOUCH -", "late_claim ATTRIBUTED_LAST_TOUCH alice")
	p.expectDecisions("ben", "signup CODE_NOT_FOUND -", "late_claim ATTRIBUTED_LAST_TOUCH alice")
	_, all := p.decisionsOf("bob")
	if all[0].ProgramVersionID.MustGet() != all[1].ProgramVersionID.MustGet() {
		t.Error("the late claim was decided under the new rules")
	}
}

func TestLateClaimsOfOneBatchShareTheLastUseOfACode(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	code := p.code(p.program.ID, "alice", func(n *client.NewCode) { n.Value, n.MaxUses = ptr("ONCE-1"), nullable.NewNullableWithValue[int64](1) })
	var clicks []client.NewClick
	for i := range 3 {
		id := idOf(time.Now())
		p.join(fmt.Sprint("referee-", i), naming(id))
		clicks = append(clicks, p.late(id, "ONCE-1"))
	}
	p.batch(clicks...)
	if got := p.w.number("SELECT count(*) FROM attribution_decisions WHERE door = 'late_claim' AND reason = 'CODE_EXHAUSTED'"); got != 2 {
		t.Errorf("%d were refused, want 2", got)
	}
	if got := must[*client.GetCodeResult](t)(p.GetCodeWithResponse(t.Context(), code.ID)).JSON200.Uses; got != 1 {
		t.Errorf("%d uses", got)
	}
}

func TestLateClaimsOfOneBatchCloseNoCircle(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	first, second := idOf(time.Now()), idOf(time.Now())
	p.join("alice", naming(first))
	p.join("carol", naming(second))
	p.batch(p.late(first, "CAROL-3"), p.late(second, "ALICE-9"))
	made := p.w.number("SELECT count(*) FROM referrals")
	refusals := p.w.number("SELECT count(*) FROM attribution_decisions WHERE door = 'late_claim' AND reason = 'REFERRER_INELIGIBLE'")
	if made != 1 || refusals != 1 {
		t.Errorf("%d referrals and %d refusals", made, refusals)
	}
}

func TestASignupAndItsClickAtOnceAlwaysMeet(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	for round := range 12 {
		id := idOf(time.Now())
		referee := fmt.Sprint("referee-", round)
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				_, err := p.CreateSignupWithResponse(t.Context(), &client.CreateSignupParams{}, client.NewSignup{
					ProgramID: p.program.ID, RefereeExternalID: referee, ExternalID: "s-" + referee, ClickIds: []uuid.UUID{id},
				})
				return err
			}
			_, err := p.report(func(n *client.NewClick) { *n = p.late(id, "ALICE-9") })
			return err
		})
		if count(errs, "") != 2 {
			t.Fatal(errs)
		}
	}
	if n := p.w.number("SELECT count(*) FROM referrals"); n != 12 || len(p.facts("waiting")) != 0 {
		t.Errorf("%d of 12 were attributed, %d facts wait", n, len(p.facts("waiting")))
	}
}
