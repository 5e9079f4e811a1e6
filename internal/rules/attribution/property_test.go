package attribution_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/attribution"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// someTime draws one of few moments around the click, so that ties and edges are common.
func someTime(t *rapid.T, label string) time.Time {
	return clickTime.Add(rapid.SampledFrom([]time.Duration{-window, -instant, 0, 0, instant, time.Hour, day, window - instant, window}).Draw(t, label))
}

func someOf(t *rapid.T, label string, values ...string) string {
	return rapid.SampledFrom(values).Draw(t, label)
}

// maybe makes a pointer or nil.
func maybe(t *rapid.T, label string) *time.Time {
	if rapid.Bool().Draw(t, label+" set") {
		at := someTime(t, label)
		return &at
	}
	return nil
}

func someLife(t *rapid.T, states ...string) state.Timeline {
	life := state.Timeline{{At: clickTime.Add(-365 * day), State: states[0]}}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		life = append(life, state.Period{
			At: someTime(t, "change"), State: someOf(t, "state", states...), Reason: someOf(t, "why", "", "rotation", "fraud", "other"),
		})
	}
	slices.SortStableFunc(life, func(a, b state.Period) int { return a.At.Compare(b.At) })
	return life
}

func someTouch(t *rapid.T, i int) attribution.Touch {
	touch := attribution.Touch{
		Kind: rapid.SampledFrom([]attribution.TouchKind{attribution.Click, attribution.Click, attribution.Typed, attribution.Manual, attribution.Import}).Draw(t, "kind"),
		ID:   strconv.Itoa(i), At: someTime(t, "touched"),
		Classification: someOf(t, "class", "human", "human", "bot", "prefetch", "repeat"),
		Consent:        someOf(t, "consent", "unknown", "granted", "denied"),
	}
	if touch.Kind == attribution.Manual || touch.Kind == attribution.Import || rapid.IntRange(0, 5).Draw(t, "known") > 0 {
		id := someOf(t, "referrer", "A", "B", "C")
		touch.Referrer = &attribution.Referrer{
			ID: id, State: state.Participant(someOf(t, "owner", "active", "active", "suspended", "banned")),
			SameEmail: rapid.IntRange(0, 5).Draw(t, "same email") == 0, BelowReferee: rapid.IntRange(0, 5).Draw(t, "below") == 0,
		}
		touch.Code = &attribution.Code{
			ID: "code-" + id, ProgramID: someOf(t, "program", "P", "P", "P", "Q"), Timeline: someLife(t, "active", "disabled", "retired"),
			StartsAt: maybe(t, "starts"), ExpiresAt: maybe(t, "expires"), Exhausted: rapid.IntRange(0, 5).Draw(t, "exhausted") == 0,
		}
	}
	return touch
}

func someInputs(t *rapid.T) attribution.Inputs {
	in := attribution.Inputs{
		Door:      rapid.SampledFrom([]attribution.Door{attribution.DoorSignup, attribution.DoorManual, attribution.DoorReattribution}).Draw(t, "door"),
		ProgramID: "P", ProgramVersionID: "P1", OccurredAt: someTime(t, "signup"),
		Program: someLife(t, "active", "active", "paused", "ended"),
		Policy: rules.Attribution{
			Model:          rapid.SampledFrom([]rules.Model{rules.LastTouch, rules.FirstTouch}).Draw(t, "model"),
			WindowSeconds:  rapid.SampledFrom([]int64{60, 2_592_000, 31_536_000}).Draw(t, "window"),
			CodePrecedence: rapid.SampledFrom([]rules.Precedence{rules.CodeFirst, rules.ClickFirst}).Draw(t, "precedence"),
			RequireConsent: rapid.Bool().Draw(t, "require consent"),
		},
		Referee: attribution.Referee{ID: "B", CustomerSince: maybe(t, "customer")},
	}
	if rapid.IntRange(0, 5).Draw(t, "referred") == 0 {
		in.Referee.LiveReferralID = "R0"
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "touches") {
		in.Touches = append(in.Touches, someTouch(t, i))
	}
	return in
}

func TestDecisionsReplayByteForByte(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := someInputs(t)
		stored := attribution.Encode(in)
		want := attribution.Encode(attribution.Decide(in))
		for range 3 {
			got, err := attribution.Replay(stored)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("replayed %s, %v\n want %s", got, err, want)
			}
		}
		if !bytes.Equal(attribution.Encode(in), stored) {
			t.Fatal("deciding changed its inputs")
		}
	})
}

func TestDecisionsDoNotDependOnTheOrderOfTouches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := someInputs(t)
		want := attribution.Decide(in)
		shuffled := slices.Clone(in.Touches)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		in.Touches = shuffled
		got := attribution.Decide(in)
		if got.Attributed != want.Attributed || got.Reason != want.Reason || got.ReferrerID != want.ReferrerID || got.CodeID != want.CodeID {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for _, c := range got.Candidates {
			if !slices.Contains(want.Candidates, c) {
				t.Fatalf("verdict %+v is not among %+v", c, want.Candidates)
			}
		}
	})
}

// human reports whether a person made a click: flagged so, or a repeat without the click that it repeats among the touches.
func human(touches []attribution.Touch, click attribution.Touch) bool {
	repeated := slices.ContainsFunc(touches, func(t attribution.Touch) bool {
		return t.Kind == attribution.Click && t.Classification == "human" && t.Code != nil && t.Code.ID == click.Code.ID && !t.At.After(click.At)
	})
	return click.Classification == "human" || click.Classification == "repeat" && !repeated
}

// TestWhatEveryDecisionPromises holds for any inputs: nobody gets a referee against a hard rule, and everything has a reason.
func TestWhatEveryDecisionPromises(t *testing.T) {
	t.Parallel()
	known := map[reason.Code]bool{}
	for _, e := range reason.Catalogue {
		known[e.Code] = true
	}
	rapid.Check(t, func(t *rapid.T) {
		in := someInputs(t)
		got := attribution.Decide(in)
		if !known[got.Reason] || len(got.Candidates) != len(in.Touches) {
			t.Fatalf("%+v", got)
		}
		won := 0
		for i, c := range got.Candidates {
			if !known[c.Reason] {
				t.Fatalf("touch %d has the reason %q", i, c.Reason)
			}
			if !c.Won {
				continue
			}
			won++
			touch := in.Touches[i]
			r := touch.Referrer
			if !c.Eligible || c.Reason != got.Reason || r.ID != got.ReferrerID || c.CodeID != got.CodeID {
				t.Fatalf("winner %+v of %+v", c, got)
			}
			if r.ID == in.Referee.ID || r.SameEmail || r.BelowReferee || r.State != state.ParticipantActive {
				t.Fatalf("won by %+v", r)
			}
			if touch.Kind == attribution.Click && (!human(in.Touches, touch) || touch.Consent == "denied" || touch.Code.Exhausted || touch.At.After(in.OccurredAt)) {
				t.Fatalf("won by %+v", touch)
			}
		}
		if (won == 1) != got.Attributed || won > 1 || (got.ReferrerID != "") != got.Attributed {
			t.Fatalf("%d winners in %+v", won, got)
		}
		if got.Attributed && in.Referee.LiveReferralID != "" && in.Door != attribution.DoorReattribution {
			t.Fatal("a second referral")
		}
	})
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Add(attribution.Encode(signup(clickTime.Add(day), click("1", "A", clickTime), typed("C", clickTime.Add(day), unknown))))
	f.Add(attribution.Encode(with(signup(clickTime, byHand(attribution.Manual, "A", clickTime)), customerSince(clickTime))))
	f.Fuzz(func(t *testing.T, stored []byte) {
		var in attribution.Inputs
		if json.Unmarshal(stored, &in) != nil {
			if _, err := attribution.Replay(stored); err == nil {
				t.Fatal("replayed what is no decision")
			}
			return
		}
		for _, touch := range in.Touches {
			if touch.Referrer == nil && (touch.Kind == attribution.Manual || touch.Kind == attribution.Import) {
				return // a hand always names somebody
			}
		}
		first, err := attribution.Replay(stored)
		if err != nil {
			t.Fatal(err)
		}
		again, err := attribution.Replay(attribution.Encode(in))
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%s, then %s, %v", first, again, err)
		}
	})
}
