package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/gen/db"
	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func (t *story) explainReferral() (Explanation, error) {
	candidates, err := t.candidates()
	if err != nil {
		return Explanation{}, err
	}
	steps, err := t.steps()
	return Explanation{
		SubjectType: "referral", SubjectID: t.referral.ID, Summary: t.referralSummary() + t.gap(), DecisionID: &t.referral.DecisionID,
		ProgramVersionID: &t.referral.ProgramVersionID, Candidates: candidates, Steps: steps,
	}, err
}

// gap admits that a long story is told from its end.
func (t *story) gap() string {
	if !t.cut {
		return ""
	}
	return " Only its latest " + strconv.Itoa(len(t.events)) + " events are listed."
}

func (t *story) referralSummary() string {
	r := t.referral
	head := t.referee + " belongs to " + t.referrer + t.by()
	switch r.State {
	case state.ReferralAttributed:
		return head + " and can qualify the referral until " + when(r.QualifyBy) + "."
	case state.ReferralQualified:
		return head + " and qualified the referral" + t.with() + "."
	case state.ReferralChurned:
		return head + " and qualified the referral" + t.with() + ", but left" + at(r.ChurnedAt) + "."
	case state.ReferralUnderReview:
		return head + " and waits for a review."
	case state.ReferralExpired:
		return t.referee + " came through " + t.referrer + ", and the referral expired: nothing qualified it before " + when(r.QualifyBy) + "."
	case state.ReferralSuperseded:
		return t.referee + " came through " + t.referrer + ", and belongs to another referrer now."
	}
	return t.referee + " came through " + t.referrer + ", and the referral was rejected: " + because(r.Reason)
}

// by says how the referee was attributed.
func (t *story) by() string {
	for _, d := range t.decisions {
		if d.ID != t.referral.DecisionID {
			continue
		}
		switch d.Reason {
		case reason.AttributedExplicitCode:
			return " by the typed code " + t.code
		case reason.AttributedLastTouch:
			return " by the last click, on the code " + t.code + ","
		case reason.AttributedFirstTouch:
			return " by the first click, on the code " + t.code + ","
		}
	}
	return " by hand"
}

func (t *story) with() string {
	if t.referral.QualifyingConversionID == nil {
		return ""
	}
	return " with " + sale(t.conversions[*t.referral.QualifyingConversionID])
}

func at(moment *time.Time) string {
	if moment == nil {
		return ""
	}
	return " at " + when(*moment)
}

// decided makes a step of a decision: what won over what, by which version of the rules.
func (t *story) decided(d db.AttributionDecision) (Step, error) {
	s := Step{At: d.DecidedAt.UTC(), Reason: d.Reason, Title: "Attributed", Amounts: []NamedAmount{}}
	var in attribution.Inputs
	if err := json.Unmarshal([]byte(d.Inputs), &in); err != nil {
		return s, fmt.Errorf("read the inputs of a decision: %w", err)
	}
	answer, err := answerOf(d)
	if err != nil {
		return s, err
	}
	switch attribution.Door(d.Door) {
	case attribution.DoorSignup:
		s.Detail = t.referee + " signed up at " + when(in.OccurredAt) + ". "
	case attribution.DoorLateClaim:
		s.Detail = "A click that the signup of " + t.referee + " names arrived later, so the claim was decided again. "
	case attribution.DoorReattribution:
		s.Detail = "The referral was given to another referrer by hand. "
	case attribution.DoorManual, attribution.DoorImport:
		s.Detail = "The referral was made by hand, for " + when(in.OccurredAt) + ". "
	}
	if !d.Attributed {
		s.Title = "Not attributed"
	}
	s.Detail += t.verdict(d, in, answer)
	return s, nil
}

func (t *story) verdict(d db.AttributionDecision, in attribution.Inputs, answer attribution.Answer) string {
	eligible := 0
	var won attribution.Candidate
	for _, c := range answer.Candidates {
		if c.Eligible && c.Kind == attribution.Click {
			eligible++
		}
		if c.Won {
			won = c
		}
	}
	rule := "version " + t.number(d.ProgramVersionID) + " of the rules"
	window := "within " + span(in.Policy.WindowSeconds)
	switch {
	case d.Reason == reason.AttributedExplicitCode && in.Policy.CodePrecedence == rules.ClickFirst:
		return "The code " + t.code + " was typed, and no click was eligible, which " + rule + " would have put first."
	case d.Reason == reason.AttributedExplicitCode:
		return "The code " + t.code + " was typed, and a typed code outranks clicks in " + rule + "."
	case d.Reason == reason.AttributedLastTouch && eligible > 1:
		return "Of " + strconv.Itoa(eligible) + " eligible clicks the latest, of " + when(won.At) + ", wins under " + rule + ": last touch " + window + "."
	case d.Reason == reason.AttributedFirstTouch && eligible > 1:
		return "Of " + strconv.Itoa(eligible) + " eligible clicks the earliest, of " + when(won.At) + ", wins under " + rule + ": first touch " + window + "."
	case d.Reason == reason.AttributedLastTouch, d.Reason == reason.AttributedFirstTouch:
		return "The click of " + when(won.At) + " is the only eligible one; " + rule + " takes clicks " + window + "."
	}
	return means(d.Reason)
}

// span writes a duration of the rules in the largest unit that fits.
func span(seconds int64) string {
	for _, unit := range []struct {
		name   string
		length int64
	}{{"day", 86_400}, {"hour", 3_600}, {"minute", 60}} {
		if seconds%unit.length != 0 || seconds == 0 {
			continue
		}
		return counted(seconds/unit.length, unit.name)
	}
	return counted(seconds, "second")
}

func (t *story) explainReward(w db.Reward, owner string) (Explanation, error) {
	candidates, err := t.candidates()
	if err != nil {
		return Explanation{}, err
	}
	steps, err := t.steps()
	e := Explanation{
		SubjectType: "reward", SubjectID: w.ID, Summary: t.rewardSummary(w, owner) + t.gap(), Candidates: candidates, Steps: steps,
	}
	if w.CauseKind != "manual" {
		e.ProgramVersionID = &w.ProgramVersionID
	}
	if w.ReferralID != nil {
		e.DecisionID = &t.referral.DecisionID
	}
	return e, err
}

func (t *story) rewardSummary(w db.Reward, owner string) string {
	net := w.Granted - w.Reversed
	if w.State == state.RewardPendingFX {
		return owner + " gets something as soon as there is an exchange rate for " + sale(t.conversions[w.CauseID]) + "."
	}
	if w.Granted == 0 {
		return owner + " gets nothing: " + strings.TrimSuffix(t.ground(w), ".") + "."
	}
	if net == 0 && w.Redeemed == 0 {
		return owner + " gets nothing any more: " + t.ground(w) + ", and all of it was taken back: " + because(w.Reason)
	}
	text := owner + " gets " + money.Text(net, w.Currency) + ", which is " + t.standing(w) + ": " + t.ground(w)
	if w.Reversed > 0 {
		text += ", of which " + money.Text(w.Reversed, w.Currency) + " were taken back"
	}
	if w.Redeemed > 0 && w.State != state.RewardRedeemed {
		text += ", of which " + money.Text(w.Redeemed, w.Currency) + " were redeemed"
	}
	if owed := -left(w); owed > 0 {
		text += ", and " + money.Text(owed, w.Currency) + " are owed back"
	}
	return text + "."
}

func (t *story) standing(w db.Reward) string {
	if w.State == state.RewardPending {
		return "pending until " + when(w.AvailableAt)
	}
	return strings.ReplaceAll(string(w.State), "_", " ")
}

// amounts pairs names and values.
func amounts(currency string, pairs ...any) []NamedAmount {
	out := []NamedAmount{}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, NamedAmount{pairs[i].(string), pairs[i+1].(int64), currency})
	}
	return out
}

// sale names a conversion: the purchase order-5001 of 100.00 EUR (110.00 USD at 1.10).
func sale(c db.Conversion) string {
	if c.Amount == 0 {
		return "the " + c.Type + " " + c.ExternalID
	}
	text := "the " + c.Type + " " + c.ExternalID + " of " + money.Text(c.Amount, c.Currency)
	if c.ExchangeRate != nil {
		text += " (" + money.Text(*c.BaseAmount, c.BaseCurrency) + " at " + *c.ExchangeRate + ")"
	}
	return text
}

// when writes a moment for people to read.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999 UTC") }

// means is the catalogue's sentence for a reason.
func means(why reason.Code) string {
	for _, e := range reason.Catalogue {
		if e.Code == why {
			return e.Description
		}
	}
	return "The reason is " + string(why) + "."
}

// because is means inside a sentence.
func because(why reason.Code) string {
	s := means(why)
	return strings.ToLower(s[:1]) + s[1:]
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
