package server

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

var (
	moments = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC`)
	someID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
)

// lines are the story as text, a line a step, without moments and ids.
func lines(e client.Explanation) []string {
	out := []string{e.Summary}
	for _, s := range e.Steps {
		line := fmt.Sprintf("%s %s: %s", s.Reason, s.Title, s.Detail)
		for _, a := range s.Amounts {
			line += fmt.Sprintf(" [%s %d %s]", a.Name, a.Value, a.Currency)
		}
		out = append(out, line)
	}
	for i := range out {
		out[i] = someID.ReplaceAllString(moments.ReplaceAllString(out[i], "<when>"), "<id>")
	}
	return out
}

func expectStory(t *testing.T, e client.Explanation, want ...string) {
	t.Helper()
	got := lines(e)
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d:\n got %q\nwant %q", i, g, w)
		}
	}
	if !slices.IsSortedFunc(e.Steps, func(a, b client.ExplanationStep) int { return a.At.Compare(b.At) }) {
		t.Error("the steps are not in the order of time")
	}
}

func (p *play) referral(id uuid.UUID) client.Explanation {
	p.w.Helper()
	first := must[*client.ExplainReferralResult](p.w)(p.ExplainReferralWithResponse(p.w.Context(), id))
	again := must[*client.ExplainReferralResult](p.w)(p.ExplainReferralWithResponse(p.w.Context(), id))
	if string(first.Body) != string(again.Body) {
		p.w.Error("the same referral is explained in two ways")
	}
	return *first.JSON200
}

func (p *play) reward(id uuid.UUID) client.Explanation {
	p.w.Helper()
	return *must[*client.ExplainRewardResult](p.w)(p.ExplainRewardWithResponse(p.w.Context(), id)).JSON200
}

func (p *play) about(code uuid.UUID) client.Explanation {
	p.w.Helper()
	return *must[*client.ExplainCodeResult](p.w)(p.ExplainCodeWithResponse(p.w.Context(), code)).JSON200
}

const (
	bobJoined    = "ATTRIBUTED_EXPLICIT_CODE Attributed: bob signed up at <when>. The code ALICE-9 was typed, and a typed code outranks clicks in version 1 of the rules."
	bobBought    = "COUNTED Conversion recorded: The purchase order-1 of 100.00 USD occurred at <when>. The conversion counts for the referral. [sale 10000 USD] [reversed 0 USD] [net 10000 USD]"
	bobQualified = "COUNTED Qualified: The purchase order-1 of 100.00 USD qualified the referral: it occurred before the end of the window at <when> and reached the minimum of 20.00 USD. [sale 10000 USD]"
	aliceShare   = "GRANTED Reward granted: Rule referrer_share of version 1 grants the referrer 2000 basis points (20 %) of the purchase order-1 of 100.00 USD, that is 20.00 USD. It is on hold until <when>. [sale 10000 USD] [granted 2000 USD]"
	bobCredit    = "GRANTED Reward granted: Rule welcome_credit of version 1 grants the referee 10.00 USD for the purchase order-1 of 100.00 USD. It is on hold until <when>. [sale 10000 USD] [granted 1000 USD]"
)

func TestAReferralIsExplainedFromTheSignupToTheRefund(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	joined := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	id := joined.ReferralID.MustGet()
	expectStory(t, p.referral(id), "bob belongs to alice by the typed code ALICE-9 and can qualify the referral until <when>.", bobJoined)

	bought := p.buy("bob", "order-1", 10_000, nil)
	p.refund("order-1", "refund-1", 4_000)
	p.moveClock(time.Now().AddDate(0, 0, 15))
	e := p.referral(id)
	expectStory(t, e,
		"bob belongs to alice by the typed code ALICE-9 and qualified the referral with the purchase order-1 of 100.00 USD.",
		bobJoined, bobBought, bobQualified+" [net 10000 USD]", aliceShare, bobCredit,
		"REVERSED_REFUND Refund: Refund refund-1 took 40.00 USD of the purchase order-1. [reversed 4000 USD]",
		"REVERSED_REFUND Conversion reversed: The purchase order-1 of 100.00 USD was undone in part. A refund took the amount back. 60.00 USD of 100.00 USD are left. [sale 10000 USD] [reversed 4000 USD] [net 6000 USD]",
		"REVERSED_REFUND Reward reversed in part: A refund took the amount back. That takes 8.00 USD of the reward referrer_share; 12.00 USD of 20.00 USD are left. [granted 2000 USD] [reversed 800 USD] [net 1200 USD]",
		"GRANTED Reward available: Reward referrer_share has been available since <when>, when its hold ended. [granted 2000 USD] [net 1200 USD]",
		"GRANTED Reward available: Reward welcome_credit has been available since <when>, when its hold ended. [granted 1000 USD] [net 1000 USD]",
	)
	if e.SubjectType != "referral" || e.SubjectID != id || e.DecisionID.MustGet() != joined.DecisionID || len(e.Candidates) != 1 || !e.Candidates[0].Won ||
		e.ProgramVersionID.MustGet() != p.program.CurrentVersion.MustGet().ID {
		t.Errorf("the explanation is %+v", e)
	}
	share := bought.Rewards[slices.IndexFunc(bought.Rewards, func(r client.Reward) bool { return r.RuleKey == "referrer_share" })]
	r := p.reward(share.ID)
	expectStory(t, r,
		"alice gets 12.00 USD, which is available: rule referrer_share of version 1 grants the referrer 2000 basis points (20 %) of the purchase order-1 of 100.00 USD, that is 20.00 USD, of which 8.00 USD were taken back.",
		bobJoined, bobBought, bobQualified+" [net 10000 USD]", aliceShare, lines(e)[6], lines(e)[7], lines(e)[8], lines(e)[9],
	)
	if r.SubjectType != "reward" || r.DecisionID.MustGet() != joined.DecisionID || len(r.Candidates) != 1 {
		t.Errorf("the explanation is %+v", r)
	}
	p.refund("order-1", "refund-2", 6_000)
	if got := lines(p.reward(share.ID))[0]; !strings.HasPrefix(got, "alice gets nothing any more: rule referrer_share") || !strings.HasSuffix(got, "and all of it was taken back: a refund took the amount back.") {
		t.Errorf("after all was refunded: %q", got)
	}
}

func TestAnExplanationSaysWhichClickWonAndWhy(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	at := time.Now()
	first := p.click(func(n *client.NewClick) { n.OccurredAt = ptr(at.Add(-2 * time.Hour)) })
	second := p.click(func(n *client.NewClick) { n.Code, n.OccurredAt = "CAROL-3", ptr(at.Add(-time.Hour)) })
	robot := p.click(func(n *client.NewClick) { n.UserAgent = ptr("curl/8.0") })
	joined := p.join("bob", naming(first.ID, second.ID, robot.ID))
	e := p.referral(joined.ReferralID.MustGet())
	expectStory(t, e, "bob belongs to carol by the last click, on the code CAROL-3, and can qualify the referral until <when>.",
		"ATTRIBUTED_LAST_TOUCH Attributed: bob signed up at <when>. Of 2 eligible clicks the latest, of <when>, wins under version 1 of the rules: last touch within 30 days.")
	var told []string
	for _, c := range e.Candidates {
		told = append(told, fmt.Sprintf("%v %v %s", c.Eligible, c.Won, c.Reason))
	}
	if fmt.Sprint(told) != "[true false SUPERSEDED true true ATTRIBUTED_LAST_TOUCH false false BOT_TOUCH_ONLY]" {
		t.Errorf("candidates %q", told)
	}
	alone := p.join("ben", naming(first.ID))
	expectStory(t, p.referral(alone.ReferralID.MustGet()), "ben belongs to alice by the last click, on the code ALICE-9, and can qualify the referral until <when>.",
		"ATTRIBUTED_LAST_TOUCH Attributed: ben signed up at <when>. The click of <when> is the only eligible one; version 1 of the rules takes clicks within 30 days.")
}

func TestALateClaimIsExplainedWithTheRefusalBefore(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id := idOf(time.Now())
	p.join("bob", naming(id))
	p.buy("bob", "order-1", 10_000, nil)
	p.batch(p.late(id, "ALICE-9"))
	_, all := p.decisionsOf("bob")
	expectStory(t, p.referral(all[1].ReferralID.MustGet()),
		"bob belongs to alice by the last click, on the code ALICE-9, and qualified the referral with the purchase order-1 of 100.00 USD.",
		"NO_TOUCH Not attributed: bob signed up at <when>. Neither a click nor a code came with the signup.",
		"NO_REFERRAL Conversion recorded: The purchase order-1 of 100.00 USD occurred at <when>. No referral of the referee covers the time of the fact yet. [sale 10000 USD] [reversed 0 USD] [net 10000 USD]",
		"ATTRIBUTED_LAST_TOUCH Attributed: A click that the signup of bob names arrived later, so the claim was decided again. The click of <when> is the only eligible one; version 1 of the rules takes clicks within 30 days.",
		"COUNTED Conversion matched: The purchase order-1 of 100.00 USD had waited for the referral. The conversion counts for the referral. [sale 10000 USD] [reversed 0 USD] [net 10000 USD]",
		bobQualified+" [net 10000 USD]", aliceShare, bobCredit)
}

func TestWhatHappenedByHandIsExplained(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	made := must[*client.CreateReferralResult](t)(p.CreateReferralWithResponse(t.Context(), &client.CreateReferralParams{}, client.NewReferral{
		ProgramID: p.program.ID, ReferrerExternalID: "carol", RefereeExternalID: "bob", Reason: "She told us.",
	})).JSON201
	old := made.ReferralID.MustGet()
	next := must[*client.ReattributeReferralResult](t)(p.ReattributeReferralWithResponse(t.Context(), old, &client.ReattributeReferralParams{}, client.NewReattribution{
		Code: ptr("ALICE-9"), Reason: "It was Alice.",
	})).JSON201.ReferralID.MustGet()
	must[*client.RejectReferralResult](t)(p.RejectReferralWithResponse(t.Context(), next, &client.RejectReferralParams{}, client.ActionReason{Reason: "It was nobody."}))
	first, second := lines(p.referral(old)), lines(p.referral(next))
	if first[0] != "bob came through carol, and belongs to another referrer now." || !strings.HasPrefix(first[1], "ATTRIBUTED_MANUAL Attributed: The referral was made by hand, for <when>.") ||
		!strings.Contains(first[2], "bob was given to another referrer") || !strings.Contains(first[2], "It was Alice.") {
		t.Errorf("the old: %q", first)
	}
	if second[0] != "bob came through alice, and the referral was rejected: the referral was rejected by hand." ||
		!strings.Contains(second[1], "Attributed: The referral was given to another referrer by hand. The code ALICE-9 was typed") ||
		!strings.Contains(second[2], "REFERRAL_REJECTED Rejected") || !strings.Contains(second[2], "It was nobody.") {
		t.Errorf("the new: %q", second)
	}
	gift := must[*client.CreateManualRewardResult](t)(p.CreateManualRewardWithResponse(t.Context(), &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: p.program.ID, ParticipantExternalID: "alice", Amount: 1500, Currency: "USD", Kind: "credit", Reason: "For the trouble.", ExternalID: "gift-1",
	})).JSON201
	e := p.reward(gift.ID)
	expectStory(t, e, "alice gets 15.00 USD, which is available: 15.00 USD were granted by hand.",
		"MANUAL Reward granted: 15.00 USD were granted by hand. Note: For the trouble. [granted 1500 USD]",
		"GRANTED Reward available: Reward manual has been available since <when>, when its hold ended. [granted 1500 USD] [net 1500 USD]")
	if !e.DecisionID.IsNull() || !e.ProgramVersionID.IsNull() || len(e.Candidates) != 0 {
		t.Errorf("the explanation is %+v", e)
	}
}

func TestChurnAndHoldsAreExplained(t *testing.T) {
	t.Parallel()
	p := startPlay(t, func(n *client.NewProgram) {
		n.Rules.Churn = nullable.NewNullableWithValue(client.NewChurnRule{WindowSeconds: 60 * 86_400, ReinstateOnReactivation: ptr(true)})
		*n.Rules.Rewards = append(*n.Rules.Rewards, client.NewRewardRule{
			Key: "hello", Triggers: []string{"signup"}, Beneficiary: "referee", Kind: "credit", Amount: client.RewardAmount{Type: "fixed", Value: 300},
		})
	})
	id := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") }).ReferralID.MustGet()
	share := p.buy("bob", "order-1", 10_000, nil).Rewards[0]
	churn := client.NewChurn{ProgramID: p.program.ID, RefereeExternalID: "bob", ExternalID: "churn-1"}
	must[*client.RecordChurnResult](t)(p.RecordChurnWithResponse(t.Context(), &client.RecordChurnParams{}, churn))
	left := lines(p.referral(id))
	if !strings.HasSuffix(left[0], "with the purchase order-1 of 100.00 USD, but left at <when>.") {
		t.Errorf("after the churn: %q", left[0])
	}
	must[*client.RecordReactivationResult](t)(p.RecordReactivationWithResponse(t.Context(), &client.RecordReactivationParams{}, churn))
	must[*client.HoldRewardResult](t)(p.HoldRewardWithResponse(t.Context(), share.ID, &client.HoldRewardParams{}, client.ActionReason{Reason: "Look."}))
	must[*client.ReleaseRewardResult](t)(p.ReleaseRewardWithResponse(t.Context(), share.ID, &client.ReleaseRewardParams{}))
	told := strings.Join(lines(p.referral(id)), "\n")
	for _, want := range []string{
		"Rule hello of version 1 grants the referee 3.00 USD for joining. [granted 300 USD]",
		"REVERSED_CHURN Left: bob left at <when>.",
		"REVERSED_CHURN Churned: The referee left within the churn window of the program.",
		"REVERSED_CHURN Reward cancelled: The referee left within the churn window of the program. That takes 20.00 USD of the reward referrer_share; 0.00 USD of 20.00 USD are left.",
		"REINSTATED Came back: bob came back at <when>.",
		"Qualified again: bob came back, and the referral counts again.",
		"Reward reinstated: ", "That gives 20.00 USD of the reward referrer_share back; 20.00 USD of 20.00 USD are left. [granted 2000 USD] [restored 2000 USD] [net 2000 USD]",
		"Reward held: The reward referrer_share was put on hold by hand.", "Reward released: The hold on the reward referrer_share was ended by hand.",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the story lacks %q:\n%s", want, told)
		}
	}
}

func TestACodeIsExplainedByWhatItDid(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	p.buy("bob", "order-1", 10_000, nil)
	p.refund("order-1", "refund-1", 4_000)
	p.join("alice", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	e := p.about(p.alice.ID)
	expectStory(t, e, "ALICE-9 of alice is active and has attributed 1 referee.",
		"ATTRIBUTED_EXPLICIT_CODE Attributed a referee: The referee typed a code, and the program lets it decide. The referral is qualified now. The decision is <id>. [granted 2000 USD] [reversed 800 USD] [net 1200 USD]",
		"SELF_REFERRAL Refused: Referrer and referee are the same participant. The decision is <id>.")
	if e.SubjectType != "code" || !e.DecisionID.IsNull() || e.ProgramVersionID.MustGet() != p.program.CurrentVersion.MustGet().ID || len(e.Candidates) != 2 {
		t.Errorf("the explanation is %+v", e)
	}
	expectStory(t, p.about(p.carol.ID), "CAROL-3 of carol is active and has attributed nobody yet.")
	must[*client.DisableCodeResult](t)(p.DisableCodeWithResponse(t.Context(), p.carol.ID, &client.DisableCodeParams{}, client.CodeDisabling{Reason: "fraud"}))
	must[*client.EnableCodeResult](t)(p.EnableCodeWithResponse(t.Context(), p.carol.ID, &client.EnableCodeParams{}))
	must[*client.RetireCodeResult](t)(p.RetireCodeWithResponse(t.Context(), p.carol.ID, &client.RetireCodeParams{}))
	expectStory(t, p.about(p.carol.ID), "CAROL-3 of carol is retired and has attributed nobody yet.",
		"CODE_DISABLED Disabled: The code was disabled for fraud. Nothing counts any more, clicks made before included.",
		"REINSTATED Enabled: The code could be used again from then on.",
		"CODE_DISABLED Retired: The code was retired for good. Clicks made before still count.")
	for value, c := range map[string]struct {
		change func(*client.NewCode)
		want   string
	}{
		"SOON-1": {func(n *client.NewCode) { n.StartsAt = nullable.NewNullableWithValue(time.Now().Add(time.Hour)) }, "can be used from <when> on and"},
		"LATE-1": {func(n *client.NewCode) { n.ExpiresAt = nullable.NewNullableWithValue(time.Now().Add(time.Millisecond)) }, "expired at <when> and"},
		"ONCE-1": {func(n *client.NewCode) { n.MaxUses = nullable.NewNullableWithValue[int64](1) }, "is exhausted, with all of its 1 uses taken, and"},
	} {
		code := p.code(p.program.ID, "carol", func(n *client.NewCode) { n.Value = &value; c.change(n) })
		p.join("b-"+value, func(n *client.NewSignup) { n.Code = &value })
		if got := lines(p.about(code.ID))[0]; !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", value, got)
		}
	}
}

func TestExplanationsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") }).ReferralID.MustGet()
	share := p.buy("bob", "order-1", 10_000, nil).Rewards[0].ID
	for _, c := range []struct {
		caller
		referral, reward, code uuid.UUID
	}{{p.w.live(), id, share, p.alice.ID}, {p.caller, uuid.New(), uuid.New(), uuid.New()}} {
		refused[*client.ExplainReferralResult](t, "not_found", "")(c.ExplainReferralWithResponse(t.Context(), c.referral))
		refused[*client.ExplainRewardResult](t, "not_found", "")(c.ExplainRewardWithResponse(t.Context(), c.reward))
		refused[*client.ExplainCodeResult](t, "not_found", "")(c.ExplainCodeWithResponse(t.Context(), c.code))
	}
}

func TestALongStoryIsToldFromItsEnd(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") }).ReferralID.MustGet()
	_, err := p.w.database.Owner(t).Exec(t.Context(), `INSERT INTO events (workspace_id, id, type, subject_type, subject_id, data, created_at)
		SELECT workspace_id, ('01ffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'referral.unqualified', 'referral', $1, '{"reason": "NOT_QUALIFIED"}', now()
		FROM workspaces, generate_series(1, 600) AS n WHERE workspace_id = $2`, id, p.w.pair.Test.WorkspaceID)
	if err != nil {
		t.Fatal(err)
	}
	e := p.referral(id)
	if len(e.Steps) != 500 || e.Steps[0].Reason != "ATTRIBUTED_EXPLICIT_CODE" || !strings.HasSuffix(e.Summary, " Only its latest 499 events are listed.") {
		t.Errorf("%d steps, the first %+v, %s", len(e.Steps), e.Steps[0], e.Summary)
	}
}
