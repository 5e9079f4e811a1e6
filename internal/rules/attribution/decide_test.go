package attribution_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// story is one decision: who gets the referee (nobody when referrer is empty), and why.
type story struct {
	name     string
	in       attribution.Inputs
	referrer string
	why      reason.Code
	touches  []reason.Code // of every touch, in their order; nil does not look
}

func tell(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got := attribution.Decide(s.in)
			if got.Reason != s.why || got.ReferrerID != s.referrer || got.Attributed != (s.referrer != "") {
				t.Errorf("got %q for %s, want %q for %s", got.ReferrerID, got.Reason, s.referrer, s.why)
			}
			for i, want := range s.touches {
				if got.Candidates[i].Reason != want {
					t.Errorf("touch %d: got %s, want %s", i, got.Candidates[i].Reason, want)
				}
			}
		})
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	at := clickTime.Add
	tell(t, []story{
		{"a signup an hour after the click goes to its referrer",
			signup(at(time.Hour), click("1", "A", clickTime)), "A", reason.AttributedLastTouch, nil},
		{"a signup at the very moment of the click is inside",
			signup(clickTime, click("1", "A", clickTime)), "A", reason.AttributedLastTouch, nil},
		{"2,591,999.999 seconds after the click are inside",
			signup(at(window-time.Millisecond), click("1", "A", clickTime)), "A", reason.AttributedLastTouch, nil},
		{"the last microsecond is inside",
			signup(at(window-instant), click("1", "A", clickTime)), "A", reason.AttributedLastTouch, nil},
		{"2,592,000 seconds after the click are outside",
			signup(at(window), click("1", "A", clickTime)), "", reason.WindowExpired, []reason.Code{reason.WindowExpired}},
		{"a microsecond past the window is outside",
			signup(at(window+instant), click("1", "A", clickTime)), "", reason.WindowExpired, nil},
		{"a click after the signup is outside",
			signup(clickTime, click("1", "A", at(instant))), "", reason.WindowExpired, nil},
		{"a window of a minute ends after a minute",
			with(signup(at(time.Minute), click("1", "A", clickTime)), windowOf(60)), "", reason.WindowExpired, nil},
		{"a window of a minute holds its last microsecond",
			with(signup(at(time.Minute-instant), click("1", "A", clickTime)), windowOf(60)), "A", reason.AttributedLastTouch, nil},
		{"the longest window of the contract holds a whole year",
			with(signup(at(365*day-instant), click("1", "A", clickTime)), windowOf(31_536_000)), "A", reason.AttributedLastTouch, nil},
		{"an older click outside the window does not take the place of a newer one inside",
			with(signup(at(window+time.Hour), click("1", "A", clickTime), click("2", "C", at(2*time.Hour))), firstTouch),
			"C", reason.AttributedFirstTouch, []reason.Code{reason.WindowExpired, reason.AttributedFirstTouch}},
		{"a typed code has no window",
			with(signup(at(window), typed("A", at(window))), windowOf(60)), "A", reason.AttributedExplicitCode, nil},
	})
}

func TestModel(t *testing.T) {
	t.Parallel()
	a, c := click("1", "A", clickTime), click("2", "C", clickTime.Add(5*day))
	d := click("3", "D", clickTime.Add(3*day))
	at := clickTime.Add(6 * day)
	tell(t, []story{
		{"the last touch wins, and the first is kept with its reason",
			signup(at, a, c), "C", reason.AttributedLastTouch, []reason.Code{reason.Superseded, reason.AttributedLastTouch}},
		{"the first touch wins, and the last is kept with its reason",
			with(signup(at, a, c), firstTouch), "A", reason.AttributedFirstTouch, []reason.Code{reason.AttributedFirstTouch, reason.Superseded}},
		{"the order in which touches are listed does not matter to the last touch",
			signup(at, c, d, a), "C", reason.AttributedLastTouch, nil},
		{"the order in which touches are listed does not matter to the first touch",
			with(signup(at, c, d, a), firstTouch), "A", reason.AttributedFirstTouch, nil},
		{"two last touches at one instant: the smaller id wins",
			signup(at, click("2", "C", clickTime), click("1", "A", clickTime)), "A", reason.AttributedLastTouch,
			[]reason.Code{reason.Superseded, reason.AttributedLastTouch}},
		{"two first touches at one instant: the smaller id wins",
			with(signup(at, click("2", "C", clickTime), click("1", "A", clickTime)), firstTouch), "A", reason.AttributedFirstTouch, nil},
		{"a microsecond decides",
			signup(at, click("1", "A", clickTime), click("2", "C", clickTime.Add(-instant))), "A", reason.AttributedLastTouch, nil},
		{"without any touch there is nobody", signup(at), "", reason.NoTouch, nil},
	})
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	c := click("1", "C", clickTime)
	tell(t, []story{
		{"a typed code outranks a click",
			signup(at, c, typed("A", at)), "A", reason.AttributedExplicitCode, []reason.Code{reason.Superseded, reason.AttributedExplicitCode}},
		{"a typed code outranks a click under first touch too",
			with(signup(at, c, typed("A", at)), firstTouch), "A", reason.AttributedExplicitCode, nil},
		{"a click outranks a typed code when the policy says so",
			with(signup(at, c, typed("A", at)), clickFirst), "C", reason.AttributedLastTouch, []reason.Code{reason.AttributedLastTouch, reason.Superseded}},
		{"among clicks that outrank the code, the model decides",
			with(signup(at, c, click("2", "D", clickTime.Add(time.Hour)), typed("A", at)), clickFirst, firstTouch), "C", reason.AttributedFirstTouch, nil},
		{"a typed code wins where clicks come first but none is eligible",
			with(signup(at, click("1", "C", clickTime, class("bot")), typed("A", at)), clickFirst), "A", reason.AttributedExplicitCode, nil},
		{"an unknown typed code leaves the referee to the click",
			signup(at, c, typed("A", at, unknown)), "C", reason.AttributedLastTouch, []reason.Code{reason.AttributedLastTouch, reason.CodeNotFound}},
		{"an exhausted typed code leaves the referee to the click",
			signup(at, c, typed("A", at, exhausted)), "C", reason.AttributedLastTouch, nil},
		{"code and click of one referrer: the code is the reason",
			signup(at, click("1", "A", clickTime), typed("A", at)), "A", reason.AttributedExplicitCode, nil},
		{"who was named by hand outranks everything",
			with(signup(at, c, typed("A", at), byHand(attribution.Manual, "D", at)), clickFirst), "D", reason.AttributedManual, nil},
		{"an import is as good as a hand",
			with(signup(at, byHand(attribution.Import, "D", at)), door(attribution.DoorImport)), "D", reason.AttributedManual, nil},
	})
}

func TestClicksThatMayNotCount(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	early := clickTime.Add(-2 * window)
	bot, prefetch, repeat := class("bot"), class("prefetch"), class("repeat")
	tell(t, []story{
		{"a bot is no touch", signup(at, click("1", "A", clickTime, bot)), "", reason.BotTouchOnly, nil},
		{"a prefetch is no touch", signup(at, click("1", "A", clickTime, prefetch)), "", reason.BotTouchOnly, nil},
		{"a later bot does not beat a person",
			signup(at, click("1", "A", clickTime), click("2", "C", clickTime.Add(time.Hour), bot)), "A", reason.AttributedLastTouch,
			[]reason.Code{reason.AttributedLastTouch, reason.BotTouchOnly}},
		{"a repeat does not make a touch younger",
			signup(at, click("1", "A", clickTime), click("2", "C", clickTime.Add(time.Minute)), click("3", "A", clickTime.Add(time.Hour), repeat)),
			"C", reason.AttributedLastTouch, []reason.Code{reason.Superseded, reason.AttributedLastTouch, reason.DuplicateTouch}},
		{"a repeat does not carry a click over the end of its window",
			signup(clickTime.Add(window), click("1", "A", clickTime), click("2", "A", clickTime.Add(time.Minute), repeat)), "", reason.WindowExpired, nil},
		{"a person's click explains better than a bot's",
			signup(at, click("1", "A", early), click("2", "C", clickTime, bot)), "", reason.WindowExpired, nil},
		{"a repeat alone stands for the click that it repeats", signup(at, click("1", "A", clickTime, repeat)), "A", reason.AttributedLastTouch, nil},
		{"a click that is not stored is as good as none",
			signup(at, click("1", "A", at, unknown)), "", reason.NoTouch, []reason.Code{reason.ClickNotFound}},
		{"a click that is not stored does not hide why a stored one may not count",
			signup(at, click("1", "A", early), click("2", "", at, unknown)), "", reason.WindowExpired,
			[]reason.Code{reason.WindowExpired, reason.ClickNotFound}},
		{"a click that is not stored does not hide a bot",
			signup(at, click("1", "A", clickTime, bot), click("2", "", at, unknown)), "", reason.BotTouchOnly, nil},
		{"a click through a link of another program is as good as none",
			signup(at, click("1", "A", clickTime, elsewhere)), "", reason.NoTouch, []reason.Code{reason.CodeNotFound}},
		{"a click of another program does not hide why one of this program may not count",
			signup(at, click("1", "A", early), click("2", "C", clickTime, elsewhere)), "", reason.WindowExpired, nil},
		{"a typed code of another program is not found", signup(at, typed("A", at, elsewhere)), "", reason.CodeNotFound, nil},
		{"an unknown typed code is not found", signup(at, typed("A", at, unknown)), "", reason.CodeNotFound, nil},
		{"a foreign code looks like one that does not exist",
			signup(at, click("1", "A", clickTime, bot), typed("A", at, unknown)), "", reason.CodeNotFound, nil},
	})
}

func TestConsent(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	tell(t, []story{
		{"a click without a word on consent counts where none is required",
			signup(at, click("1", "A", clickTime, consent("unknown"))), "A", reason.AttributedLastTouch, nil},
		{"a denied click never counts", signup(at, click("1", "A", clickTime, consent("denied"))), "", reason.ConsentMissing, nil},
		{"a click without a word on consent does not count where it is required",
			with(signup(at, click("1", "A", clickTime, consent("unknown"))), needsConsent), "", reason.ConsentMissing, nil},
		{"an empty consent is no consent",
			with(signup(at, click("1", "A", clickTime, consent(""))), needsConsent), "", reason.ConsentMissing, nil},
		{"a granted click counts where consent is required",
			with(signup(at, click("1", "A", clickTime, consent("granted"))), needsConsent), "A", reason.AttributedLastTouch, nil},
		{"the older click with consent wins over the newer one without",
			with(signup(at, click("1", "A", clickTime, consent("granted")), click("2", "C", clickTime.Add(time.Hour))), needsConsent),
			"A", reason.AttributedLastTouch, []reason.Code{reason.AttributedLastTouch, reason.ConsentMissing}},
		{"a typed code is consent enough", with(signup(at, typed("A", at)), needsConsent), "A", reason.AttributedExplicitCode, nil},
	})
}

func TestReferee(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	a := click("1", "A", clickTime)
	tell(t, []story{
		{"a customer from before the click is refused, and the touch says why",
			with(signup(at, a), customerSince(clickTime.Add(-instant))), "", reason.ExistingCustomer, []reason.Code{reason.ExistingCustomer}},
		{"a customer from the moment of the click on is new",
			with(signup(at, a), customerSince(clickTime)), "A", reason.AttributedLastTouch, nil},
		{"a customer since the click is new", with(signup(at, a), customerSince(clickTime.Add(time.Hour))), "A", reason.AttributedLastTouch, nil},
		{"for a typed code, a customer from before the signup is refused",
			with(signup(at, typed("A", at)), customerSince(at.Add(-instant))), "", reason.ExistingCustomer, nil},
		{"for a typed code, a customer from the signup on is new",
			with(signup(at, typed("A", at)), customerSince(at)), "A", reason.AttributedExplicitCode, nil},
		{"an existing customer is refused, not passed on to an older click",
			with(signup(at, a, click("2", "C", clickTime.Add(2*time.Hour))), customerSince(clickTime.Add(time.Hour))), "", reason.ExistingCustomer,
			[]reason.Code{reason.Superseded, reason.ExistingCustomer}},
		{"an own code is a self-referral", signup(at, typed("B", at)), "", reason.SelfReferral, []reason.Code{reason.SelfReferral}},
		{"an own link is a self-referral", signup(at, click("1", "B", clickTime)), "", reason.SelfReferral, nil},
		{"a self-referral is refused, not passed on to the next touch",
			signup(at, a, typed("B", at)), "", reason.SelfReferral, []reason.Code{reason.Superseded, reason.SelfReferral}},
		{"an own click that another touch beats does no harm",
			signup(at, click("1", "B", clickTime), click("2", "A", clickTime.Add(time.Hour))), "A", reason.AttributedLastTouch, nil},
		{"naming oneself by hand is a self-referral",
			with(signup(at, byHand(attribution.Manual, "B", at)), door(attribution.DoorManual)), "", reason.SelfReferral, nil},
		{"a second person of one mailbox is a self-referral", signup(at, click("1", "A", clickTime, sameEmail)), "", reason.SelfReferralAlias, nil},
		{"the same id says more than the same mailbox", signup(at, click("1", "B", clickTime, sameEmail)), "", reason.SelfReferral, nil},
		{"who has a live referral keeps it",
			with(signup(at, a), alreadyReferred), "", reason.AlreadyAttributed, []reason.Code{reason.AlreadyAttributed}},
		{"who has a live referral keeps it against a hand",
			with(signup(at, byHand(attribution.Manual, "A", at)), alreadyReferred, door(attribution.DoorManual)), "", reason.AlreadyAttributed, nil},
		{"who has a live referral keeps it against an import",
			with(signup(at, byHand(attribution.Import, "A", at)), alreadyReferred, door(attribution.DoorImport)), "", reason.AlreadyAttributed, nil},
		{"who has a live referral keeps it against a late claim",
			with(signup(at, a), alreadyReferred, door(attribution.DoorLateClaim)), "", reason.AlreadyAttributed, nil},
		{"a reattribution replaces a live referral",
			with(signup(at, byHand(attribution.Manual, "A", at)), alreadyReferred, door(attribution.DoorReattribution)), "A", reason.AttributedManual, nil},
		{"a reattribution to oneself is still a self-referral",
			with(signup(at, byHand(attribution.Manual, "B", at)), alreadyReferred, door(attribution.DoorReattribution)), "", reason.SelfReferral, nil},
	})
}

func TestReferrer(t *testing.T) {
	t.Parallel()
	at := clickTime.Add(day)
	tell(t, []story{
		{"a banned referrer gets nobody", signup(at, click("1", "A", clickTime, owner(state.ParticipantBanned))), "", reason.ReferrerIneligible, nil},
		{"a suspended referrer gets nobody", signup(at, typed("A", at, owner(state.ParticipantSuspended))), "", reason.ReferrerIneligible, nil},
		{"a banned referrer gets nobody by hand",
			with(signup(at, byHand(attribution.Manual, "A", at, owner(state.ParticipantBanned))), door(attribution.DoorManual)), "", reason.ReferrerIneligible, nil},
		{"a referee is not passed on from a banned referrer",
			signup(at, click("1", "C", clickTime), click("2", "A", clickTime.Add(time.Hour), owner(state.ParticipantBanned))), "", reason.ReferrerIneligible, nil},
		{"a banned referrer that another touch beats does no harm",
			signup(at, click("1", "A", clickTime, owner(state.ParticipantBanned)), click("2", "C", clickTime.Add(time.Hour))), "C", reason.AttributedLastTouch, nil},
		{"a referrer whom the referee brought gets nobody: no cycles",
			signup(at, click("1", "A", clickTime, belowReferee)), "", reason.ReferrerIneligible, nil},
		{"a cycle is refused by hand too",
			with(signup(at, byHand(attribution.Manual, "A", at, belowReferee)), door(attribution.DoorReattribution)), "", reason.ReferrerIneligible, nil},
	})
}

func TestProgram(t *testing.T) {
	t.Parallel()
	on := period(clickTime.Add(-day), "active", "")
	at := clickTime.Add(day)
	a := click("1", "A", clickTime)
	by := func(when time.Time, periods ...state.Period) attribution.Inputs {
		return with(signup(when, a), program(periods...))
	}
	tell(t, []story{
		{"a draft attributes nobody", by(at, period(clickTime, "draft", "")), "", reason.ProgramNotActive, []reason.Code{reason.ProgramNotActive}},
		{"a program without a past attributes nobody", by(at), "", reason.ProgramNotActive, nil},
		{"a program attributes from the moment of its activation on",
			by(at, period(clickTime, "draft", ""), period(at, "active", "")), "A", reason.AttributedLastTouch, nil},
		{"a program attributes nothing before its activation",
			by(at, period(clickTime, "draft", ""), period(at.Add(instant), "active", "")), "", reason.ProgramNotActive, nil},
		{"a signup just before the pause counts", by(at, on, period(at.Add(instant), "paused", "")), "A", reason.AttributedLastTouch, nil},
		{"a signup at the moment of the pause does not", by(at, on, period(at, "paused", "")), "", reason.ProgramNotActive, nil},
		{"a signup after the pause ended counts, with a click from within it",
			by(at, on, period(clickTime.Add(-time.Hour), "paused", ""), period(at.Add(-time.Hour), "active", "")), "A", reason.AttributedLastTouch, nil},
		{"a signup that occurred before the end counts, though it arrives after",
			by(at, on, period(at.Add(instant), "ended", "")), "A", reason.AttributedLastTouch, nil},
		{"a signup at the end is refused", by(at, on, period(at, "ended", "")), "", reason.ProgramNotActive, nil},
		{"an archived program attributes nobody",
			by(at, on, period(clickTime, "ended", ""), period(clickTime.Add(time.Hour), "archived", "")), "", reason.ProgramNotActive, nil},
		{"an inactive program is refused before a second referral is",
			with(by(at, on, period(at, "ended", "")), alreadyReferred), "", reason.ProgramNotActive, nil},
	})
}
