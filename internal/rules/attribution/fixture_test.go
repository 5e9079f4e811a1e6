package attribution_test

import (
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

const (
	window  = 30 * 24 * time.Hour
	day     = 24 * time.Hour
	instant = time.Microsecond // the resolution of a stored time
)

// clickTime is when the first click of a story happens; everything else counts from it.
var clickTime = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

// signup is a referee who joins at a moment of an active last-touch program in which a typed code comes first.
func signup(at time.Time, touches ...attribution.Touch) attribution.Inputs {
	return attribution.Inputs{
		Door: attribution.DoorSignup, ProgramID: "P", ProgramVersionID: "P1", OccurredAt: at, Touches: touches,
		Program: timeline(
			period(clickTime.Add(-400*day), "draft", ""),
			period(clickTime.Add(-365*day), "active", ""),
		),
		Policy:  rules.Default().Attribution,
		Referee: attribution.Referee{ID: "B"},
	}
}

func period(at time.Time, in, why string) state.Period {
	return state.Period{At: at, State: in, Reason: why}
}

func timeline(periods ...state.Period) state.Timeline { return periods }

// codeOf is a code of a referrer that has always been active.
func codeOf(referrer string) *attribution.Code {
	return &attribution.Code{
		ID: "code-" + referrer, ProgramID: "P", Timeline: timeline(period(clickTime.Add(-100*day), "active", "")),
	}
}

// click is a human click on the code of a referrer, who is active.
func click(id, referrer string, at time.Time, changes ...func(*attribution.Touch)) attribution.Touch {
	t := attribution.Touch{
		Kind: attribution.Click, ID: id, At: at, Classification: "human", Consent: "unknown", Code: codeOf(referrer),
		Referrer: &attribution.Referrer{ID: referrer, State: state.ParticipantActive},
	}
	return changed(t, changes)
}

// typed is the code of a referrer, typed at the signup.
func typed(referrer string, at time.Time, changes ...func(*attribution.Touch)) attribution.Touch {
	t := attribution.Touch{
		Kind: attribution.Typed, At: at, Code: codeOf(referrer),
		Referrer: &attribution.Referrer{ID: referrer, State: state.ParticipantActive},
	}
	return changed(t, changes)
}

// byHand is a referrer that somebody named.
func byHand(kind attribution.TouchKind, referrer string, at time.Time, changes ...func(*attribution.Touch)) attribution.Touch {
	t := attribution.Touch{Kind: kind, At: at, Referrer: &attribution.Referrer{ID: referrer, State: state.ParticipantActive}}
	return changed(t, changes)
}

func changed(t attribution.Touch, changes []func(*attribution.Touch)) attribution.Touch {
	for _, change := range changes {
		change(&t)
	}
	return t
}

// What can be different about a touch.

func class(c string) func(*attribution.Touch) {
	return func(t *attribution.Touch) { t.Classification = c }
}

func consent(c string) func(*attribution.Touch) { return func(t *attribution.Touch) { t.Consent = c } }

func unknown(t *attribution.Touch) { t.Code, t.Referrer = nil, nil }

func exhausted(t *attribution.Touch) { t.Code.Exhausted = true }

func elsewhere(t *attribution.Touch) { t.Code.ProgramID = "Q" }

func sameEmail(t *attribution.Touch) { t.Referrer.SameEmail = true }

func belowReferee(t *attribution.Touch) { t.Referrer.BelowReferee = true }

func owner(s state.Participant) func(*attribution.Touch) {
	return func(t *attribution.Touch) { t.Referrer.State = s }
}

func starts(at time.Time) func(*attribution.Touch) {
	return func(t *attribution.Touch) { t.Code.StartsAt = &at }
}

func expires(at time.Time) func(*attribution.Touch) {
	return func(t *attribution.Touch) { t.Code.ExpiresAt = &at }
}

// enteredAt makes the touch's code younger.
func enteredAt(at time.Time) func(*attribution.Touch) {
	return func(t *attribution.Touch) { t.Code.Timeline[0].At = at }
}

// later adds periods to the life of the touch's code.
func later(periods ...state.Period) func(*attribution.Touch) {
	return func(t *attribution.Touch) { t.Code.Timeline = append(t.Code.Timeline, periods...) }
}

// with changes inputs.
func with(in attribution.Inputs, changes ...func(*attribution.Inputs)) attribution.Inputs {
	for _, change := range changes {
		change(&in)
	}
	return in
}

func firstTouch(in *attribution.Inputs)   { in.Policy.Model = rules.FirstTouch }
func clickFirst(in *attribution.Inputs)   { in.Policy.CodePrecedence = rules.ClickFirst }
func needsConsent(in *attribution.Inputs) { in.Policy.RequireConsent = true }

func customerSince(at time.Time) func(*attribution.Inputs) {
	return func(in *attribution.Inputs) { in.Referee.CustomerSince = &at }
}

func windowOf(seconds int64) func(*attribution.Inputs) {
	return func(in *attribution.Inputs) { in.Policy.WindowSeconds = seconds }
}

func door(d attribution.Door) func(*attribution.Inputs) {
	return func(in *attribution.Inputs) { in.Door = d }
}

func alreadyReferred(in *attribution.Inputs) { in.Referee.LiveReferralID = "R0" }

func program(periods ...state.Period) func(*attribution.Inputs) {
	return func(in *attribution.Inputs) { in.Program = periods }
}
