package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// startRuled is startPlay under rules, on the second of March of next year, so that nothing here crosses the end of a month.
func startRuled(t *testing.T, document string) (p *play, march time.Time) {
	t.Helper()
	p = startPlay(t, func(n *client.NewProgram) {
		n.Rules = &client.NewRules{}
		if err := json.Unmarshal([]byte(document), n.Rules); err != nil {
			t.Fatal(err)
		}
	})
	march = time.Date(time.Now().Year()+1, 3, 2, 12, 0, 0, 0, time.UTC)
	p.moveClock(march)
	return p, march
}

// why is the summary of the explanation of each reward that a sale causes, sorted.
func (p *play) why(sale client.ConversionResult) (told []string) {
	p.w.Helper()
	for _, r := range sale.Rewards {
		told = append(told, lines(p.reward(r.ID))[0])
	}
	slices.Sort(told)
	return told
}

// nothing are the steps of a referral that tell of rules which paid nothing.
func (p *play) nothing(referral uuid.UUID) (told []string) {
	p.w.Helper()
	for _, line := range lines(p.referral(referral)) {
		if strings.Contains(line, " Rule paid nothing: ") {
			told = append(told, line)
		}
	}
	return told
}

func expectLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEachRuleThatPaysNothingSaysWhy(t *testing.T) {
	t.Parallel()
	p, march := startRuled(t, `{"rewards": [
		{"key": "always", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 1000}},
		{"key": "first", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "fixed", "value": 500}, "occurrence": "first"},
		{"key": "later", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "fixed", "value": 500}, "occurrence": "later"},
		{"key": "annual", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "fixed", "value": 500}, "condition": "conversion.metadata.interval == \"year\""},
		{"key": "large", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "fixed", "value": 500}, "minimum_amount": 50000},
		{"key": "month", "triggers": ["purchase"], "beneficiary": "referee", "kind": "points", "amount": {"type": "fixed", "value": 5}, "duration_months": 1},
		{"key": "partners", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "fixed", "value": 500}, "groups": ["partners", "staff"]},
		{"key": "crumbs", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 10}},
		{"key": "second", "triggers": ["purchase"], "beneficiary": "upline", "level": 2, "kind": "money", "amount": {"type": "basis_points_of_commission", "value": 1000}}
	]}`)
	id := p.join("bob", byCode("ALICE-9")).ReferralID.MustGet()
	p.buy("bob", "order-1", 60_000, func(n *client.NewConversion) { n.Metadata = &client.Metadata{"interval": "year"} })
	const of, partners, second = " of version 1 pays nothing for the purchase ", "COUNTED Rule paid nothing: Rule partners", "COUNTED Rule paid nothing: Rule second"
	expectLines(t, p.nothing(id),
		"NOT_FIRST_PURCHASE Rule paid nothing: Rule later"+of+"order-1 of 600.00 USD: it is for what comes after the conversion that qualified the referral, which this was.",
		"GROUP_NOT_ELIGIBLE Rule paid nothing: Rule partners"+of+"order-1 of 600.00 USD: it is for the groups partners, staff.",
		second+of+"order-1 of 600.00 USD: nobody was on level 2 who could have it.")
	p.moveClock(march.AddDate(0, 1, 0))
	sale := p.buy("bob", "order-2", 49, nil)
	expectLines(t, p.nothing(id)[3:],
		"NOT_FIRST_PURCHASE Rule paid nothing: Rule first"+of+"order-2 of 0.49 USD: it is for the conversion that qualified the referral, which was the purchase order-1.",
		`CONDITION_NOT_MET Rule paid nothing: Rule annual`+of+`order-2 of 0.49 USD: its condition does not hold, or cannot be decided: conversion.metadata.interval == "year".`,
		"BELOW_MINIMUM Rule paid nothing: Rule large"+of+"order-2 of 0.49 USD: it is for sales from 500.00 USD on. [sale 49 USD] [minimum 50000 USD]",
		"DURATION_ENDED Rule paid nothing: Rule month"+of+"order-2 of 0.49 USD: it pays for 1 month after the qualification, which were over at <when>.",
		"GROUP_NOT_ELIGIBLE Rule paid nothing: Rule partners"+of+"order-2 of 0.49 USD: it is for the groups partners, staff.",
		"COUNTED Rule paid nothing: Rule crumbs"+of+"order-2 of 0.49 USD: 10 basis points (0.1 %) of 0.49 USD are less than half of the smallest unit.",
		second+of+"order-2 of 0.49 USD: nobody was on level 2 who could have it.")
	expectLines(t, p.why(sale),
		"alice gets 0.05 USD, which is available: rule always of version 1 grants the referrer 1000 basis points (10 %) of the purchase order-2 of 0.49 USD, that is 0.05 USD.",
		"alice gets 5.00 USD, which is available: rule later of version 1 grants the referrer 5.00 USD for the purchase order-2 of 0.49 USD.")
}

func TestTiersLimitsAndMilestonesAreExplained(t *testing.T) {
	t.Parallel()
	p, _ := startRuled(t, `{"budget": {"amount": 6000, "period": "year"}, "rewards": [
		{"key": "share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 2000},
			"tiers": {"measure": "qualified_referrals", "period": "month", "steps": [{"from": 2, "amount": {"type": "basis_points", "value": 2500}}]},
			"cap": {"amount": 4000, "period": "month"}},
		{"key": "gift", "triggers": ["qualified"], "beneficiary": "referee", "kind": "credit", "amount": {"type": "fixed", "value": 700}}],
		"milestones": [{"key": "two", "measure": "qualified_referrals", "threshold": 2, "kind": "points", "amount": 50}, {"key": "much", "measure": "revenue", "period": "quarter", "threshold": 25000, "kind": "points", "amount": 30}]
	}`)
	var sales []client.ConversionResult
	for i, who := range []string{"bob", "ben", "bea"} {
		p.join(who, byCode("ALICE-9"))
		sales = append(sales, p.buy(who, fmt.Sprint("order-", i+1), 10_000, nil))
	}
	const rule, tier = "rule share of version 1 grants the referrer ", " by tier 1, from 2 qualified referrals a month on, that is 25.00 USD"
	expectLines(t, p.why(sales[0]),
		"alice gets 20.00 USD, which is available: "+rule+"2000 basis points (20 %) of the purchase order-1 of 100.00 USD, that is 20.00 USD.",
		"bob gets 7.00 USD, which is available: rule gift of version 1 grants the referee 7.00 USD for the purchase order-1 of 100.00 USD.")
	expectLines(t, p.why(sales[1]),
		"alice gets 20.00 USD, which is available: "+rule+"2500 basis points (25 %) of the purchase order-2 of 100.00 USD"+tier+", of which the cap of 40.00 USD a month left 20.00 USD.",
		"ben gets 7.00 USD, which is available: rule gift of version 1 grants the referee 7.00 USD for the purchase order-2 of 100.00 USD.")
	expectLines(t, p.why(sales[2]),
		"alice gets nothing: "+rule+"nothing for the purchase order-3 of 100.00 USD: the cap of 40.00 USD a month left nothing of 25.00 USD.",
		"bea gets 6.00 USD, which is available: rule gift of version 1 grants the referee 7.00 USD for the purchase order-3 of 100.00 USD, of which the budget of the program, 60.00 USD a year, left 6.00 USD.")
	grant := lines(p.referral(sales[1].Conversion.ReferralID.MustGet()))
	if !slices.ContainsFunc(grant, func(line string) bool { return strings.HasPrefix(line, "CAP_PARTIAL Reward granted: Rule share") }) {
		t.Errorf("the step of the grant is %q", grant)
	}
	alice := p.participant("alice").ID
	var milestones []string
	for _, r := range must[*client.ListRewardsResult](t)(p.ListRewardsWithResponse(t.Context(), &client.ListRewardsParams{ParticipantID: &alice})).JSON200.Data {
		if r.Kind == "points" {
			milestones = append(milestones, lines(p.reward(r.ID))[0])
		}
	}
	expectLines(t, milestones,
		"alice gets 30 XXX, which is available: milestone much of version 1, 250.00 USD of revenue a quarter, was reached, which grants 30 XXX.",
		"alice gets 50 XXX, which is available: milestone two of version 1, 2 qualified referrals, was reached, which grants 50 XXX.")
}

func TestAPeriodThatIsRatedAgainIsExplained(t *testing.T) {
	t.Parallel()
	p, march := startRuled(t, `{"rewards": [
		{"key": "share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 2000},
			"tiers": {"measure": "revenue", "period": "month", "mode": "recompute", "steps": [{"from": 15000, "amount": {"type": "basis_points", "value": 3000}}]}}
	]}`)
	id := p.join("bob", byCode("ALICE-9")).ReferralID.MustGet()
	sale := p.buy("bob", "order-1", 10_000, nil)
	p.buy("bob", "order-2", 10_000, nil)
	p.moveClock(march.AddDate(0, 1, 0))
	const tier = "by tier 1, from 150.00 USD of revenue a month on"
	expectLines(t, p.why(sale), "alice gets 20.00 USD, which is available: rule share of version 1 grants the referrer 3000 basis points (30 %) of the purchase order-1 of 100.00 USD "+tier+
		", that is 30.00 USD, of which this reward is 20.00 USD.")
	all := must[*client.ListRewardsResult](t)(p.ListRewardsWithResponse(t.Context(), &client.ListRewardsParams{ConversionID: &sale.Conversion.ID})).JSON200.Data
	expectLines(t, lines(p.reward(all[0].ID))[:1], "alice gets 10.00 USD, which is available: rule share of version 1 adds 10.00 USD "+tier+", which was reached in the period.")
	var rated []string
	for _, line := range lines(p.referral(id)) {
		if strings.HasPrefix(line, "TIER_RERATED") {
			rated = append(rated, line)
		}
	}
	if len(rated) != 1 || !strings.HasPrefix(rated[0], "TIER_RERATED Reward rated again: The period closed, and the step that was reached in it changed the amount. Rule share of version 1 grants the referrer 3000") {
		t.Errorf("told %q", rated)
	}
}

func TestARewardThatIsRatedDownIsExplained(t *testing.T) {
	t.Parallel()
	p, march := startRuled(t, `{"rewards": [
		{"key": "share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 2000},
			"tiers": {"measure": "revenue", "period": "month", "mode": "recompute", "steps": [{"from": 15000, "amount": {"type": "basis_points", "value": 3000}}]}}
	]}`)
	p.join("bob", byCode("ALICE-9"))
	p.buy("bob", "order-1", 10_000, nil)
	sale := p.buy("bob", "order-2", 10_000, nil)
	p.refund("order-1", "refund-1", 6_000)
	p.moveClock(march.AddDate(0, 1, 0))
	expectLines(t, p.why(sale), "alice gets 20.00 USD, which is available: rule share of version 1 grants the referrer 2000 basis points (20 %) of the purchase order-2 of 100.00 USD, that is 20.00 USD, where 30.00 USD had been granted, of which 10.00 USD were taken back.")
}

func TestWhatALimitKeepsFromComingBackIsExplained(t *testing.T) {
	t.Parallel()
	p, _ := startRuled(t, `{"rewards": [
		{"key": "share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 2000}, "cap": {"amount": 2000}}
	]}`)
	p.join("bob", byCode("ALICE-9"))
	sale := p.buy("bob", "order-1", 10_000, nil)
	must[*client.ReverseConversionResult](t)(p.reverse("order-1", "claim-1", "chargeback"))
	p.buy("bob", "order-2", 7_500, nil)
	must[*client.RestoreReversalResult](t)(p.winDispute("claim-1"))
	expectLines(t, p.why(sale), "alice gets 5.00 USD, which is available: rule share of version 1 grants the referrer 2000 basis points (20 %) of the purchase order-1 of 100.00 USD, that is 20.00 USD, of which the cap of 20.00 USD has no room to give back 15.00 USD, of which 15.00 USD were taken back.")
}

func TestWhatABudgetKeepsOfAMilestoneIsExplained(t *testing.T) {
	t.Parallel()
	p, _ := startRuled(t, `{"budget": {"amount": 1300}, "rewards": [
		{"key": "gift", "triggers": ["qualified"], "beneficiary": "referee", "kind": "credit", "amount": {"type": "fixed", "value": 500}}],
		"milestones": [{"key": "two", "measure": "conversions", "threshold": 2, "kind": "money", "amount": 700}]
	}`)
	p.join("bob", byCode("ALICE-9"))
	p.buy("bob", "order-1", 10_000, nil)
	p.buy("bob", "order-2", 10_000, nil)
	p.refund("order-2", "refund-1", 10_000)
	p.join("ben", byCode("ALICE-9"))
	p.buy("ben", "order-3", 10_000, nil)
	alice := p.participant("alice").ID
	told := must[*client.ListRewardsResult](t)(p.ListRewardsWithResponse(t.Context(), &client.ListRewardsParams{ParticipantID: &alice})).JSON200.Data
	expectLines(t, lines(p.reward(told[0].ID))[:1], "alice gets 3.00 USD, which is available: milestone two of version 1, 2 conversions, was reached, which grants 7.00 USD, of which the budget of the program, 13.00 USD, has no room to give back 4.00 USD, of which 4.00 USD were taken back.")
}

const threeLevels = `"rewards": [
	{"key": "one", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "basis_points", "value": 2000}},
	{"key": "two", "triggers": ["purchase"], "beneficiary": "upline", "level": 2, "kind": "money", "amount": {"type": "basis_points_of_commission", "value": 1000}},
	{"key": "three", "triggers": ["purchase"], "beneficiary": "upline", "level": 3, "kind": "money", "amount": {"type": "basis_points_of_commission", "value": 1000}}]`

func TestLevelsAreExplained(t *testing.T) {
	t.Parallel()
	for ineligible, want := range map[string][]string{
		"skip": {
			"alice gets 19.99 USD, which is available: rule one of version 1 grants the referrer 2000 basis points (20 %) of the purchase order-1 of 99.93 USD, that is 19.99 USD.",
			"carol gets nothing: rule two of version 1 grants the upline on level 2 nothing for the purchase order-1 of 99.93 USD: the ancestor of this level is not eligible and earns nothing.",
			"dave gets 0.20 USD, which is available: rule three of version 1 grants the upline on level 3 1000 basis points (10 %) of the commission of the level below of 2.00 USD for the purchase order-1 of 99.93 USD, that is 0.20 USD.",
			"erin gets nothing: rule three of version 1 grants the upline on level 4 nothing for the purchase order-1 of 99.93 USD: the ancestor is above the last level that earns.",
		},
		"compress": {
			"alice gets 19.99 USD, which is available: rule one of version 1 grants the referrer 2000 basis points (20 %) of the purchase order-1 of 99.93 USD, that is 19.99 USD.",
			"dave gets 2.00 USD, which is available: rule two of version 1 grants the upline on level 2 (moved up from level 3, because those between may not earn) 1000 basis points (10 %) of the commission of the level below of 19.99 USD for the purchase order-1 of 99.93 USD, that is 2.00 USD.",
			"erin gets 0.20 USD, which is available: rule three of version 1 grants the upline on level 3 (moved up from level 4, because those between may not earn) 1000 basis points (10 %) of the commission of the level below of 2.00 USD for the purchase order-1 of 99.93 USD, that is 0.20 USD.",
		},
	} {
		t.Run(ineligible, func(t *testing.T) {
			t.Parallel()
			p, _ := startRuled(t, `{"levels": {"ineligible": "`+ineligible+`"}, `+threeLevels+`}`)
			for _, who := range []string{"erin", "dave", "carol", "alice"} {
				p.upsert(who)
			}
			p.tree("erin>dave dave>carol carol>alice alice>bob")
			must[*client.SuspendParticipantResult](t)(p.SuspendParticipantWithResponse(t.Context(), p.participant("carol").ID, &client.SuspendParticipantParams{}, client.ActionReason{Reason: "Look."}))
			expectLines(t, p.why(p.buy("bob", "order-1", 9_993, nil)), want...)
		})
	}
}

func TestARewardNamesTheVersionThatRatedIt(t *testing.T) {
	t.Parallel()
	const rules = `{"version_pin": "conversion", "rewards": [{"key": "share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money", "amount": {"type": "fixed", "value": %d}}]}`
	p, march := startRuled(t, fmt.Sprintf(rules, 500))
	id := p.join("bob", byCode("ALICE-9")).ReferralID.MustGet()
	var next client.NewRules
	if err := json.Unmarshal(fmt.Appendf(nil, rules, 900), &next); err != nil {
		t.Fatal(err)
	}
	must[*client.PublishProgramVersionResult](t)(p.PublishProgramVersionWithResponse(t.Context(), p.program.ID, &client.PublishProgramVersionParams{}, client.NewProgramVersion{Rules: next}))
	p.moveClock(march.AddDate(0, 0, 1))
	sale := p.buy("bob", "order-1", 10_000, nil)
	expectLines(t, p.why(sale), "alice gets 9.00 USD, which is available: rule share of version 2 grants the referrer 9.00 USD for the purchase order-1 of 100.00 USD.")
	for _, told := range [][]string{lines(p.referral(id)), lines(p.reward(sale.Rewards[0].ID))} {
		if !strings.Contains(told[1], "outranks clicks in version 1") || !strings.Contains(told[4], "Rule share of version 2") {
			t.Errorf("told\n%s", strings.Join(told, "\n"))
		}
	}
}
