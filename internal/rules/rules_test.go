package rules_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/rules"
)

// TestDefaultIsWhatTheContractStates: an integrator who sends no rules at all gets these.
func TestDefaultIsWhatTheContractStates(t *testing.T) {
	t.Parallel()
	const want = `{
		"attribution": {"model": "last_touch", "window_seconds": 2592000, "code_precedence": "code", "require_consent": false},
		"qualification": {"conversion_types": ["purchase"], "minimum_amount": 0, "window_seconds": 7776000, "revoke_on_reversal": true},
		"rewards": [],
		"milestones": [],
		"levels": {"ceiling_basis_points": 10000, "ineligible": "skip"},
		"budget": null,
		"churn": null,
		"codes_per_participant": 10,
		"version_pin": "attribution"
	}`
	got, err := json.Marshal(rules.Default())
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("got %s", got)
	}
	if faults := rules.Default().Validate(); len(faults) > 0 {
		t.Errorf("the default is refused: %v", faults)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		doc  rules.Document
	}{
		{"the default", rules.Default()},
		{"a document with everything", full()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(c.doc)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rules.Parse(raw)
			if err != nil || !reflect.DeepEqual(got, c.doc) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for _, broken := range []string{"", "{", "[]", `{"rewards": 1}`, `{"codes_per_participant": 1.5}`} {
		if _, err := rules.Parse([]byte(broken)); err == nil {
			t.Errorf("parsed %q", broken)
		}
	}
}

// TestParseCompletesWhatAnOlderVersionStored: a referral stays pinned to rules from before tiers, levels and milestones were known.
func TestParseCompletesWhatAnOlderVersionStored(t *testing.T) {
	t.Parallel()
	const old = `{
		"attribution": {"model": "first_touch", "window_seconds": 86400, "code_precedence": "click", "require_consent": true},
		"qualification": {"conversion_types": ["trial"], "minimum_amount": 5, "window_seconds": 60, "revoke_on_reversal": false},
		"rewards": [{"key": "share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money",
			"amount": {"type": "basis_points", "value": 2000}, "hold_seconds": 7, "duration_months": 12, "minimum_amount": 9}],
		"churn": {"window_seconds": 600, "reinstate_on_reactivation": true},
		"codes_per_participant": 3
	}`
	twelve := 12
	want := rules.Default()
	want.Attribution = rules.Attribution{Model: rules.FirstTouch, WindowSeconds: 86_400, CodePrecedence: rules.ClickFirst, RequireConsent: true}
	want.Qualification = rules.Qualification{ConversionTypes: []string{"trial"}, MinimumAmount: 5, WindowSeconds: 60}
	want.Rewards = []rules.RewardRule{{
		Key: "share", Triggers: []string{"purchase"}, Beneficiary: rules.Referrer, Kind: "money",
		Amount: rules.Amount{Type: rules.BasisPoints, Value: 2_000}, HoldSeconds: 7, DurationMonths: &twelve, MinimumAmount: 9,
		Occurrence: rules.AnyOccurrence, Groups: []string{},
	}}
	want.Churn = &rules.Churn{WindowSeconds: 600, ReinstateOnReactivation: true}
	want.CodesPerParticipant = 3
	if got, err := rules.Parse([]byte(old)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := rules.Parse([]byte(`{"rewards": null, "milestones": null}`)); err != nil || !reflect.DeepEqual(got, rules.Default()) {
		t.Errorf("got %+v, %v", got, err)
	}
}
