package attribution_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// A code is active, disabled at off, and in some stories enabled again at on. Clicks happen an hour before, between and after;
// the signup is the next day.
var (
	off = clickTime.Add(2 * time.Hour)
	on  = clickTime.Add(4 * time.Hour)
)

func disabled(why string) state.Period { return period(off, "disabled", why) }
func enabled() state.Period            { return period(on, "active", "") }
func retired(at time.Time) state.Period {
	return period(at, "retired", "")
}

func TestCodeDisabled(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	before, between, after := off.Add(-time.Hour), off.Add(time.Hour), on.Add(time.Hour)
	clicked := func(when time.Time, life ...state.Period) attribution.Inputs {
		return signup(at, click("1", "A", when, later(life...)))
	}
	typedAt := func(when time.Time, life ...state.Period) attribution.Inputs {
		return signup(when, typed("A", when, later(life...)))
	}
	tell(t, []story{
		{"rotation: a click before it is honoured", clicked(before, disabled("rotation")), "A", reason.AttributedLastTouch, nil},
		{"rotation: the last microsecond before it is honoured", clicked(off.Add(-instant), disabled("rotation")), "A", reason.AttributedLastTouch, nil},
		{"rotation: a click at its moment is not", clicked(off, disabled("rotation")), "", reason.CodeDisabled, nil},
		{"rotation: a click after it is not", clicked(between, disabled("rotation")), "", reason.CodeDisabled, nil},
		{"rotation: typed before it", typedAt(before, disabled("rotation")), "A", reason.AttributedExplicitCode, nil},
		{"rotation: typed after it", typedAt(between, disabled("rotation")), "", reason.CodeDisabled, nil},
		{"other: a click before it is honoured", clicked(before, disabled("other")), "A", reason.AttributedLastTouch, nil},
		{"other: a click after it is not", clicked(between, disabled("other")), "", reason.CodeDisabled, nil},
		{"fraud: a click before it is not honoured", clicked(before, disabled("fraud")), "", reason.CodeDisabled, nil},
		{"fraud: a click after it is not honoured", clicked(between, disabled("fraud")), "", reason.CodeDisabled, nil},
		{"fraud: typed before it, arriving after, is not honoured", typedAt(before, disabled("fraud")), "", reason.CodeDisabled, nil},
		{"fraud: typed after it", typedAt(between, disabled("fraud")), "", reason.CodeDisabled, nil},

		{"enabled again after rotation: a click before", clicked(before, disabled("rotation"), enabled()), "A", reason.AttributedLastTouch, nil},
		{"enabled again after rotation: a click between", clicked(between, disabled("rotation"), enabled()), "", reason.CodeDisabled, nil},
		{"enabled again after rotation: a click at the moment", clicked(on, disabled("rotation"), enabled()), "A", reason.AttributedLastTouch, nil},
		{"enabled again after rotation: a click after", clicked(after, disabled("rotation"), enabled()), "A", reason.AttributedLastTouch, nil},
		{"enabled again after fraud: the suspicion is gone", clicked(before, disabled("fraud"), enabled()), "A", reason.AttributedLastTouch, nil},
		{"enabled again after fraud: a click between", clicked(between, disabled("fraud"), enabled()), "", reason.CodeDisabled, nil},
		{"enabled again after fraud: a click after", clicked(after, disabled("fraud"), enabled()), "A", reason.AttributedLastTouch, nil},
		{"rotation, enabled, then fraud: nothing is honoured",
			clicked(before, disabled("rotation"), enabled(), period(on.Add(time.Minute), "disabled", "fraud")), "", reason.CodeDisabled, nil},
		{"fraud, enabled, then rotation: a click before is honoured",
			clicked(before, disabled("fraud"), enabled(), period(on.Add(time.Minute), "disabled", "rotation")), "A", reason.AttributedLastTouch, nil},

		{"retired: a click before it is honoured", clicked(before, retired(off)), "A", reason.AttributedLastTouch, nil},
		{"retired: a click after it is not", clicked(between, retired(off)), "", reason.CodeDisabled, nil},
		{"retired: typed after it", typedAt(between, retired(off)), "", reason.CodeDisabled, nil},
		{"rotation, then retired: a click before is honoured", clicked(before, disabled("rotation"), retired(on)), "A", reason.AttributedLastTouch, nil},
		{"fraud, then retired: still nothing is honoured", clicked(before, disabled("fraud"), retired(on)), "", reason.CodeDisabled, nil},

		{"a disabled code leaves the referee to an older click",
			signup(at, click("1", "C", clickTime), click("2", "A", between, later(disabled("rotation")))), "C", reason.AttributedLastTouch,
			[]reason.Code{reason.AttributedLastTouch, reason.CodeDisabled}},
		{"click before a rotation, code typed after it: the click counts",
			signup(at, click("1", "A", before, later(disabled("rotation"))), typed("A", at, later(disabled("rotation")))), "A", reason.AttributedLastTouch,
			[]reason.Code{reason.AttributedLastTouch, reason.CodeDisabled}},
		{"click before fraud, code typed after it: both are refused",
			signup(at, click("1", "A", before, later(disabled("fraud"))), typed("A", at, later(disabled("fraud")))), "", reason.CodeDisabled,
			[]reason.Code{reason.CodeDisabled, reason.CodeDisabled}},
	})
}

func TestCodeLimits(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	tell(t, []story{
		{"a click at the start of the code", signup(at, click("1", "A", clickTime, starts(clickTime))), "A", reason.AttributedLastTouch, nil},
		{"a click before the start of the code", signup(at, click("1", "A", clickTime, starts(clickTime.Add(instant)))), "", reason.CodeNotStarted, nil},
		{"a click at the end of the code", signup(at, click("1", "A", clickTime, expires(clickTime))), "", reason.CodeExpired, nil},
		{"a click just before the end, signed up after it", signup(at, click("1", "A", clickTime, expires(clickTime.Add(instant)))), "A", reason.AttributedLastTouch, nil},
		{"a code typed at its end", signup(at, typed("A", at, expires(at))), "", reason.CodeExpired, nil},
		{"a code typed just before its end", signup(at, typed("A", at, expires(at.Add(instant)))), "A", reason.AttributedExplicitCode, nil},
		{"a code typed before its start", signup(at, typed("A", at, starts(at.Add(instant)))), "", reason.CodeNotStarted, nil},
		{"an exhausted code, typed", signup(at, typed("A", at, exhausted)), "", reason.CodeExhausted, nil},
		{"an exhausted code, clicked", signup(at, click("1", "A", clickTime, exhausted)), "", reason.CodeExhausted, nil},
		{"expired says more than exhausted", signup(at, typed("A", at, exhausted, expires(clickTime))), "", reason.CodeExpired, nil},
		{"disabled says more than expired",
			signup(at, typed("A", at, expires(clickTime), later(disabled("other")))), "", reason.CodeDisabled, nil},
		{"a bot on an expired code is a bot", signup(at, click("1", "A", clickTime, class("bot"), expires(clickTime))), "", reason.BotTouchOnly, nil},
		{"an expired code leaves the referee to the click",
			signup(at, click("1", "C", clickTime), typed("A", at, expires(clickTime))), "C", reason.AttributedLastTouch, nil},
		{"a code that was entered here after the click is taken as it was entered",
			signup(at, click("1", "A", clickTime, enteredAt(clickTime.Add(time.Hour)))), "A", reason.AttributedLastTouch, nil},
	})
}
