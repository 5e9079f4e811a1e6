package server

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func TestADecisionKeepsEverythingThatWasConsidered(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	click := p.click(func(n *client.NewClick) { n.Code, n.OccurredAt = "CAROL-3", ptr(time.Now().Add(-time.Hour)) })
	at := time.Now().Truncate(time.Microsecond)
	joined := p.join("bob", func(n *client.NewSignup) {
		n.ClickIds, n.Code, n.OccurredAt = []uuid.UUID{click.ID}, ptr("ALICE-9"), &at
	})
	d := *must[*client.GetDecisionResult](t)(p.GetDecisionWithResponse(t.Context(), joined.DecisionID)).JSON200
	if !d.Attributed || d.Reason != "ATTRIBUTED_EXPLICIT_CODE" || d.Door != "signup" || d.SignupID.MustGet() != joined.Signup.ID ||
		d.ReferrerID.MustGet() != p.alice.ParticipantID || d.ReferralID.MustGet() != joined.ReferralID.MustGet() ||
		d.ProgramVersionID.MustGet() != p.program.CurrentVersion.MustGet().ID || !d.OccurredAt.Equal(at) || len(d.Candidates) != 2 {
		t.Fatalf("the decision is %+v", d)
	}
	lost, won := d.Candidates[0], d.Candidates[1]
	if lost.Kind != "click" || lost.ClickID.MustGet() != click.ID || lost.CodeID.MustGet() != p.carol.ID || !lost.Eligible || lost.Won || lost.Reason != "SUPERSEDED" {
		t.Errorf("the loser is %+v", lost)
	}
	if won.Kind != "code" || !won.ClickID.IsNull() || won.CodeID.MustGet() != p.alice.ID || !won.Won || won.Reason != "ATTRIBUTED_EXPLICIT_CODE" {
		t.Errorf("the winner is %+v", won)
	}
	self := p.join("alice", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	refusal := must[*client.GetDecisionResult](t)(p.GetDecisionWithResponse(t.Context(), self.DecisionID)).JSON200
	if refusal.Attributed || refusal.Reason != "SELF_REFERRAL" || !refusal.ReferrerID.IsNull() || !refusal.ReferralID.IsNull() {
		t.Errorf("the refusal is %+v", refusal)
	}
	for name, params := range map[string]client.ListDecisionsParams{
		"by signup":  {SignupID: &joined.Signup.ID},
		"by referee": {RefereeID: ptr(p.participant("bob").ID)},
	} {
		if list := must[*client.ListDecisionsResult](t)(p.ListDecisionsWithResponse(t.Context(), &params)).JSON200.Data; len(list) != 1 || list[0].ID != d.ID {
			t.Errorf("%s: %+v", name, list)
		}
	}
	page := must[*client.ListDecisionsResult](t)(p.ListDecisionsWithResponse(t.Context(), &client.ListDecisionsParams{ProgramID: &p.program.ID, Limit: ptr[int64](1)})).JSON200
	if len(page.Data) != 1 || page.Data[0].ID != refusal.ID || !page.HasMore {
		t.Errorf("the first page is %+v", page)
	}
	refused[*client.GetDecisionResult](t, "not_found", "")(p.w.live().GetDecisionWithResponse(t.Context(), d.ID))
	refused[*client.ReplayDecisionResult](t, "not_found", "")(p.w.live().ReplayDecisionWithResponse(t.Context(), d.ID, &client.ReplayDecisionParams{}))
}

func TestASignupBeforeAnyRulesHasADecisionWithoutAVersion(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).test()
	program := must[*client.CreateProgramResult](t)(c.CreateProgramWithResponse(t.Context(), &client.CreateProgramParams{}, client.NewProgram{
		Name: "Draft", Currency: "USD", LandingURL: "https://www.acme.example/",
	})).JSON201
	p := &play{caller: c, program: *program}
	joined := p.join("bob", nil)
	d := must[*client.GetDecisionResult](t)(p.GetDecisionWithResponse(t.Context(), joined.DecisionID)).JSON200
	if d.Attributed || d.Reason != "PROGRAM_NOT_ACTIVE" || !d.ProgramVersionID.IsNull() {
		t.Errorf("the decision is %+v", d)
	}
}

func TestAReplayComparesByteForByte(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	joined := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	replay := func() client.DecisionReplay {
		return *must[*client.ReplayDecisionResult](t)(p.ReplayDecisionWithResponse(t.Context(), joined.DecisionID, &client.ReplayDecisionParams{})).JSON200
	}
	first := replay()
	if !first.Same || first.Decision.ID != joined.DecisionID || first.AnswerHash != first.Decision.AnswerHash || first.InputsHash != first.Decision.InputsHash {
		t.Errorf("the replay is %+v", first)
	}
	p.refund("order-0", "refund-0", 1)
	if events := p.events(joined.DecisionID); events != "decision.recorded" {
		t.Errorf("a replay left %q", events)
	}
	owner := p.w.database.Owner(t)
	for _, tamper := range []string{
		`UPDATE attribution_decisions SET answer = replace(answer, 'ATTRIBUTED_EXPLICIT_CODE', 'ATTRIBUTED_MANUAL') WHERE id = $1`,
		`UPDATE attribution_decisions SET answer = replace(answer, 'ATTRIBUTED_MANUAL', 'ATTRIBUTED_EXPLICIT_CODE'), inputs = replace(inputs, '"same_email":false', '"same_email": false') WHERE id = $1`,
	} {
		if _, err := owner.Exec(t.Context(), tamper, joined.DecisionID); err != nil {
			t.Fatal(err)
		}
		if got := replay(); got.Same {
			t.Errorf("after %s: %+v", strings.Fields(tamper)[3], got)
		}
	}
}
