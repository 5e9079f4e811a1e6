package server

import (
	"fmt"
	"slices"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func TestRulesAreCompletedWithTheirDefaults(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).live()
	p := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{})).JSON201
	publish := func(r client.NewRules) client.Rules {
		t.Helper()
		v := must[*client.PublishProgramVersionResult](t)(c.PublishProgramVersionWithResponse(t.Context(), p.ID,
			&client.PublishProgramVersionParams{}, client.NewProgramVersion{Rules: r})).JSON201
		read := must[*client.GetProgramVersionResult](t)(c.GetProgramVersionWithResponse(t.Context(), p.ID, v.ID)).JSON200
		if fmt.Sprint(read.Rules) != fmt.Sprint(v.Rules) {
			t.Errorf("read %+v, published %+v", read.Rules, v.Rules)
		}
		return v.Rules
	}
	r := publish(client.NewRules{})
	if a := r.Attribution; a.Model != "last_touch" || a.WindowSeconds != 2592000 || a.CodePrecedence != "code" || a.RequireConsent {
		t.Errorf("attribution %+v", a)
	}
	if q := r.Qualification; !slices.Equal(q.ConversionTypes, []string{"purchase"}) || q.MinimumAmount != 0 || q.WindowSeconds != 7776000 || !q.RevokeOnReversal {
		t.Errorf("qualification %+v", q)
	}
	if len(r.Rewards) != 0 || !r.Churn.IsNull() || r.CodesPerParticipant != 10 {
		t.Errorf("rules %+v", r)
	}

	in := client.NewRules{
		Attribution:   &client.NewAttributionRules{WindowSeconds: ptr(int64(60))},
		Qualification: &client.NewQualificationRules{RevokeOnReversal: ptr(false), ConversionTypes: &[]string{"renewal"}},
		Rewards: &[]client.NewRewardRule{
			{Key: "share", Triggers: []string{"renewal"}, Beneficiary: "referrer", Kind: "money", Amount: client.RewardAmount{Type: "basis_points", Value: 2000}},
			{Key: "gift", Triggers: []string{"signup"}, Beneficiary: "referee", Kind: "credit", Amount: client.RewardAmount{Type: "fixed", Value: 5}, HoldSeconds: ptr(int64(9))},
		},
		CodesPerParticipant: ptr(int64(3)),
	}
	in.Churn.Set(client.NewChurnRule{WindowSeconds: 600})
	(*in.Rewards)[0].DurationMonths.Set(12)
	r = publish(in)
	if a := r.Attribution; a.WindowSeconds != 60 || a.Model != "last_touch" || a.CodePrecedence != "code" {
		t.Errorf("attribution %+v", a)
	}
	if q := r.Qualification; q.RevokeOnReversal || q.WindowSeconds != 7776000 || !slices.Equal(q.ConversionTypes, []string{"renewal"}) {
		t.Errorf("qualification %+v", q)
	}
	if w := r.Rewards; len(w) != 2 || w[0].DurationMonths.MustGet() != 12 || w[0].HoldSeconds != 0 || !w[1].DurationMonths.IsNull() || w[1].HoldSeconds != 9 {
		t.Errorf("rewards %+v", w)
	}
	if churn := r.Churn.MustGet(); churn.WindowSeconds != 600 || churn.ReinstateOnReactivation || r.CodesPerParticipant != 3 {
		t.Errorf("rules %+v", r)
	}
}

// TestTheRulesOfAnOlderVersionAreAnsweredComplete: what it did not know yet takes its default.
func TestTheRulesOfAnOlderVersionAreAnsweredComplete(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{Rules: &client.NewRules{Rewards: &[]client.NewRewardRule{
		{Key: "share", Triggers: []string{"purchase"}, Beneficiary: "referrer", Kind: "money", Amount: client.RewardAmount{Type: "basis_points", Value: 2000}},
	}}})).JSON201
	version := p.CurrentVersion.MustGet().ID
	if _, err := w.database.Owner(w).Exec(t.Context(), `UPDATE program_versions SET rules = rules - 'milestones' - 'levels' - 'budget' - 'version_pin'
		#- '{rewards,0,level}' #- '{rewards,0,occurrence}' #- '{rewards,0,groups}' #- '{rewards,0,condition}' #- '{rewards,0,tiers}' #- '{rewards,0,cap}'
		#- '{rewards,0,expires_after_seconds}' WHERE id = $1`, version); err != nil {
		t.Fatal(err)
	}
	r := must[*client.GetProgramVersionResult](t)(c.GetProgramVersionWithResponse(t.Context(), p.ID, version)).JSON200.Rules
	if r.Levels.CeilingBasisPoints != 10000 || r.Levels.Ineligible != "skip" || !r.Budget.IsNull() || r.Milestones == nil || r.VersionPin != "attribution" {
		t.Errorf("rules %+v", r)
	}
	if one := r.Rewards[0]; one.Occurrence != "any" || one.Groups == nil || one.Condition != "" || !one.Tiers.IsNull() || !one.Cap.IsNull() || !one.Level.IsNull() {
		t.Errorf("the reward rule is %+v", one)
	}
}

func TestRulesThatContradictThemselvesAreNotPublished(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{Rules: &client.NewRules{}})).JSON201
	share := func(key string, bp int64) client.NewRewardRule {
		return client.NewRewardRule{Key: key, Triggers: []string{"purchase"}, Beneficiary: "referrer", Kind: "money", Amount: client.RewardAmount{Type: "basis_points", Value: bp}}
	}
	bad := client.NewRules{Rewards: &[]client.NewRewardRule{share("a", 6000), share("a", 6000)}}
	refused[*client.PublishProgramVersionResult](t, "rules_invalid", "/rules/rewards/1/key")(c.PublishProgramVersionWithResponse(t.Context(), p.ID,
		&client.PublishProgramVersionParams{}, client.NewProgramVersion{Rules: bad}))
	refused[*client.PublishProgramVersionResult](t, "rules_invalid", "/rules/rewards")(c.PublishProgramVersionWithResponse(t.Context(), p.ID,
		&client.PublishProgramVersionParams{}, client.NewProgramVersion{Rules: bad}))
	refused[*client.CreateProgramResult](t, "rules_invalid", "/rules/rewards/1/key")(c.createProgram(client.NewProgram{Rules: &bad}))

	verdict := must[*client.ValidateRulesResult](t)(c.ValidateRulesWithResponse(t.Context(), p.ID, &client.ValidateRulesParams{}, client.NewProgramVersion{Rules: bad})).JSON200
	if verdict.Valid || len(verdict.Faults) != 2 || verdict.Faults[0].Pointer != "/rules/rewards/1/key" {
		t.Errorf("the verdict is %+v", verdict)
	}
	good := client.NewProgramVersion{Rules: client.NewRules{Rewards: &[]client.NewRewardRule{share("a", 6000)}}}
	if v := must[*client.ValidateRulesResult](t)(c.ValidateRulesWithResponse(t.Context(), p.ID, &client.ValidateRulesParams{}, good)).JSON200; !v.Valid || len(v.Faults) != 0 {
		t.Errorf("the verdict is %+v", v)
	}
	if n := w.number("SELECT count(*) FROM program_versions WHERE program_id = $1", p.ID); n != 1 {
		t.Errorf("%d versions are stored", n)
	}
}

func TestVersionsAreNumberedWithoutGapsAlsoAtOnce(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{Rules: &client.NewRules{}})).JSON201
	errs := atOnce(6, func(int) error {
		_, err := c.PublishProgramVersionWithResponse(t.Context(), p.ID, &client.PublishProgramVersionParams{}, client.NewProgramVersion{})
		return err
	})
	if count(errs, "") != 6 {
		t.Errorf("the answers are %v", errs)
	}
	page := must[*client.ListProgramVersionsResult](t)(c.ListProgramVersionsWithResponse(t.Context(), p.ID, &client.ListProgramVersionsParams{Limit: ptr(int64(5))})).JSON200
	cursor := page.NextCursor.MustGet()
	rest := must[*client.ListProgramVersionsResult](t)(c.ListProgramVersionsWithResponse(t.Context(), p.ID, &client.ListProgramVersionsParams{Cursor: &cursor})).JSON200
	seen := map[int64]bool{}
	for _, v := range append(page.Data, rest.Data...) {
		seen[v.Number] = true
	}
	if len(seen) != 7 || !seen[1] || !seen[7] {
		t.Errorf("the numbers are %v", seen)
	}
	got := must[*client.GetProgramResult](t)(c.GetProgramWithResponse(t.Context(), p.ID)).JSON200
	if got.CurrentVersion.MustGet().Number != 7 {
		t.Errorf("the current version is %+v", got.CurrentVersion)
	}
	must[*client.Program](t)(c.move(p.ID, "activate"))
	must[*client.Program](t)(c.move(p.ID, "end"))
	refused[*client.PublishProgramVersionResult](t, "state_not_allowed", "")(c.PublishProgramVersionWithResponse(t.Context(), p.ID,
		&client.PublishProgramVersionParams{}, client.NewProgramVersion{}))
}
