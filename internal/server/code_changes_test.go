package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func TestACodeMovesOnlyAlongItsArrows(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(nil)
	id := c.code(p.ID, "alice", nil).ID
	disable := func(why client.DisabledReason) (*client.DisableCodeResult, error) {
		return c.DisableCodeWithResponse(t.Context(), id, &client.DisableCodeParams{}, client.CodeDisabling{Reason: why})
	}
	enable := func() (*client.EnableCodeResult, error) {
		return c.EnableCodeWithResponse(t.Context(), id, &client.EnableCodeParams{})
	}
	retire := func() (*client.RetireCodeResult, error) {
		return c.RetireCodeWithResponse(t.Context(), id, &client.RetireCodeParams{})
	}
	refused[*client.EnableCodeResult](t, "state_not_allowed", "")(enable())
	off := must[*client.DisableCodeResult](t)(disable("rotation"))
	if off.JSON200.State != "disabled" || off.JSON200.EffectiveState != "disabled" || *off.JSON200.DisabledReason != "rotation" || off.Headers200.ETag != `"2"` {
		t.Errorf("disabled: %s", off.Body)
	}
	refused[*client.DisableCodeResult](t, "state_not_allowed", "")(disable("fraud"))
	if on := must[*client.EnableCodeResult](t)(enable()).JSON200; on.State != "active" || on.DisabledReason != nil {
		t.Errorf("enabled: %+v", on)
	}
	must[*client.DisableCodeResult](t)(disable("other"))
	errs := atOnce(5, func(int) error {
		_, err := retire()
		return err
	})
	if count(errs, "") != 1 || count(errs, "state_not_allowed") != 4 {
		t.Errorf("the answers are %v", errs)
	}
	refused[*client.EnableCodeResult](t, "state_not_allowed", "")(enable())
	refused[*client.DisableCodeResult](t, "state_not_allowed", "")(disable("other"))
	if got := must[*client.GetCodeResult](t)(c.GetCodeWithResponse(t.Context(), id)).JSON200; got.State != "retired" || got.EffectiveState != "retired" || got.DisabledReason != nil {
		t.Errorf("retired: %+v", got)
	}
	if got := c.events(id); got != "code.created code.disabled code.enabled code.disabled code.retired" {
		t.Errorf("events: %s", got)
	}
	if n := w.number("SELECT codes FROM program_participants WHERE program_id = $1", p.ID); n != 0 {
		t.Errorf("the counter says %d", n)
	}
	refused[*client.UpdateCodeResult](t, "state_not_allowed", "")(c.UpdateCodeWithResponse(t.Context(), id, &client.UpdateCodeParams{IfMatch: `"5"`}, client.CodePatch{MaxUses: nullable.NewNullableWithValue(int64(3))}))
}

func TestTheStateOfACodeNowFollowsItsLimits(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	p := c.activeProgram(nil)
	now := time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)
	c.moveClock(now)
	code := c.code(p.ID, "alice", func(n *client.NewCode) {
		n.StartsAt.Set(now.Add(time.Minute))
		n.ExpiresAt.Set(now.Add(time.Hour))
		n.MaxUses.Set(1)
	})
	is := func(state client.EffectiveCodeState, why client.ReasonCode) {
		t.Helper()
		got := must[*client.GetCodeResult](t)(c.GetCodeWithResponse(t.Context(), code.ID)).JSON200
		if got.EffectiveState != state || got.State != "active" {
			t.Errorf("the code is %s, %s; want %s", got.State, got.EffectiveState, state)
		}
		l := c.lookUp(code.Value, nil)
		if !l.Found || l.Usable != (why == "") || (l.Reason == nil) != (why == "") || l.Reason != nil && *l.Reason != why || l.ProgramID.MustGet() != p.ID {
			t.Errorf("looked up %+v, want %q", l, why)
		}
	}
	is("not_started", "CODE_NOT_STARTED")
	c.moveClock(now.Add(time.Minute))
	is("active", "")
	must[*client.CreateSignupResult](t)(c.CreateSignupWithResponse(t.Context(), &client.CreateSignupParams{}, client.NewSignup{
		ProgramID: p.ID, RefereeExternalID: "bob", ExternalID: "s-1", Code: &code.Value,
	}))
	is("exhausted", "CODE_EXHAUSTED")

	patch := func(tag string, change client.CodePatch) (*client.UpdateCodeResult, error) {
		return c.UpdateCodeWithResponse(t.Context(), code.ID, &client.UpdateCodeParams{IfMatch: tag}, change)
	}
	res := must[*client.UpdateCodeResult](t)(patch(`"1"`, client.CodePatch{MaxUses: nullable.NewNullableWithValue(int64(5))}))
	if res.JSON200.MaxUses.MustGet() != 5 || res.JSON200.Uses != 1 || res.JSON200.ExpiresAt.IsNull() || res.Headers200.ETag != `"2"` {
		t.Errorf("changed to %s", res.Body)
	}
	refused[*client.UpdateCodeResult](t, "precondition_failed", "")(patch(`"1"`, client.CodePatch{MaxUses: nullable.NewNullNullable[int64]()}))
	refused[*client.UpdateCodeResult](t, "validation_failed", "/expires_at")(patch(`"2"`, client.CodePatch{ExpiresAt: nullable.NewNullableWithValue(now)}))
	is("active", "")
	for i := range 3 {
		must[*client.CreateSignupResult](t)(c.CreateSignupWithResponse(t.Context(), &client.CreateSignupParams{}, client.NewSignup{
			ProgramID: p.ID, RefereeExternalID: fmt.Sprint("more-", i), ExternalID: fmt.Sprint("more-", i), Code: &code.Value,
		}))
	}
	refused[*client.UpdateCodeResult](t, "conflict", "/max_uses")(patch(`"2"`, client.CodePatch{MaxUses: nullable.NewNullableWithValue(int64(3))}))
	c.moveClock(now.Add(time.Hour))
	is("expired", "CODE_EXPIRED")
	must[*client.UpdateCodeResult](t)(patch(`"2"`, client.CodePatch{ExpiresAt: nullable.NewNullNullable[time.Time]()}))
	is("active", "")
	must[*client.Program](t)(c.move(p.ID, "pause"))
	is("active", "PROGRAM_NOT_ACTIVE")
}

func TestADisabledCodeHonoursWhatItsReasonAllows(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	p := c.activeProgram(nil)
	start := time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)
	c.moveClock(start)
	for why, want := range map[client.DisabledReason]client.ReasonCode{
		"rotation": "ATTRIBUTED_LAST_TOUCH", "other": "ATTRIBUTED_LAST_TOUCH", "fraud": "CODE_DISABLED",
	} {
		code := c.code(p.ID, "alice", nil)
		click := must[*client.RecordClickResult](t)(c.RecordClickWithResponse(t.Context(), &client.RecordClickParams{}, client.NewClick{
			Code: code.Value, UserAgent: ptr("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"),
		})).JSON201
		start = start.Add(time.Minute)
		c.moveClock(start)
		must[*client.DisableCodeResult](t)(c.DisableCodeWithResponse(t.Context(), code.ID, &client.DisableCodeParams{}, client.CodeDisabling{Reason: why}))
		signup := func(who string, n client.NewSignup) client.ReasonCode {
			t.Helper()
			n.ProgramID, n.RefereeExternalID, n.ExternalID = p.ID, who+string(why), who+string(why)
			return must[*client.CreateSignupResult](t)(c.CreateSignupWithResponse(t.Context(), &client.CreateSignupParams{}, n)).JSON201.Reason
		}
		if got := signup("typed-", client.NewSignup{Code: &code.Value}); got != "CODE_DISABLED" {
			t.Errorf("typed after %s: %s", why, got)
		}
		if got := signup("clicked-", client.NewSignup{ClickIds: []uuid.UUID{click.ID}}); got != want {
			t.Errorf("clicked before %s: %s, want %s", why, got, want)
		}
	}
}

func TestALookUpTellsNothingOfCodesThatAreNotTheWorkspaces(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(o *Options) { o.MissesPerNetwork = Rate{PerSecond: 1, Burst: 8} })
	c, other := w.live(), w.as(w.newPair("Globex").LiveKey)
	p, elsewhere := c.activeProgram(nil), c.activeProgram(nil)
	mine := c.code(p.ID, "alice", func(n *client.NewCode) { n.Value = ptr("ALICE-9") })
	theirs := other.code(other.activeProgram(nil).ID, "zoe", nil)
	tested := w.test().code(w.test().activeProgram(nil).ID, "tom", nil)
	browser := w.as(must[*client.CreateAPIKeyResult](t)(c.CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, client.NewAPIKey{
		Name: "Browser", Kind: "publishable", Scopes: []client.Scope{},
	})).JSON201.Secret.MustGet())

	if l := browser.lookUp(" alice-9 ", &p.ID); !l.Found || !l.Usable || l.Reason != nil || l.ProgramID.MustGet() != p.ID {
		t.Errorf("the own code: %+v", l)
	}
	var answers []string
	for _, value := range []string{theirs.Value, tested.Value, "NO-SUCH-CODE", "cødé", strings.Repeat("x", 100)} {
		answers = append(answers, fmt.Sprint(lookUpText(t, browser, value, nil)))
	}
	answers = append(answers, fmt.Sprint(lookUpText(t, browser, mine.Value, &elsewhere.ID)))
	for _, a := range answers {
		if a != answers[0] || !strings.Contains(a, `"found":false`) || !strings.Contains(a, `"reason":"CODE_NOT_FOUND"`) {
			t.Errorf("an unknown code is answered %s, another %s", answers[0], a)
		}
	}

	for range 4 {
		_, _ = browser.LookupCodeWithResponse(t.Context(), &client.LookupCodeParams{}, client.NewCodeLookup{Value: "GUESS"})
	}
	refused[*client.LookupCodeResult](t, "rate_limited", "")(browser.LookupCodeWithResponse(t.Context(), &client.LookupCodeParams{}, client.NewCodeLookup{Value: mine.Value}))
	if l := c.lookUp("GUESS", nil); l.Found { // a server of the owner's is not a guesser
		t.Errorf("looked up %+v", l)
	}
	if n := w.number("SELECT count(*) FROM idempotency_keys WHERE operation = 'lookupCode'"); n != 0 {
		t.Errorf("%d look-ups are stored", n)
	}
}

func lookUpText(t *testing.T, c caller, value string, program *uuid.UUID) string {
	t.Helper()
	res := must[*client.LookupCodeResult](t)(c.LookupCodeWithResponse(t.Context(), &client.LookupCodeParams{}, client.NewCodeLookup{Value: value, ProgramID: program}))
	return res.HTTPResponse.Status + string(res.Body)
}
