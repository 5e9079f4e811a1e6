package server

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func (c caller) createCode(n client.NewCode) (*client.CreateCodeResult, error) {
	return c.CreateCodeWithResponse(c.w.Context(), &client.CreateCodeParams{}, n)
}

func (c caller) lookUp(value string, program *uuid.UUID) client.CodeLookup {
	c.w.Helper()
	return *must[*client.LookupCodeResult](c.w)(c.LookupCodeWithResponse(c.w.Context(), &client.LookupCodeParams{},
		client.NewCodeLookup{Value: value, ProgramID: program})).JSON200
}

func TestACodeIsGeneratedAndHasALinkOfItsWorkspace(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(nil)
	res := must[*client.CreateCodeResult](t)(c.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"}))
	code := res.JSON201
	if !regexp.MustCompile(`^[2-9B-DF-HJ-NP-TV-XZ]{4}-[2-9B-DF-HJ-NP-TV-XZ]{4}-[2-9B-DF-HJ-NP-TV-XZ]{3}$`).MatchString(code.Value) ||
		code.Link != "https://refer.example/r/"+w.pair.Live.Slug+"/"+code.Value || code.State != "active" || code.EffectiveState != "active" ||
		code.DisabledReason != nil || code.Uses != 0 || !code.MaxUses.IsNull() || res.Headers201.ETag != `"1"` || res.Headers201.Location != "/v1/codes/"+code.ID.String() {
		t.Errorf("created %s", res.Body)
	}
	alice := c.named("alice")
	if alice.ID != code.ParticipantID || c.events(alice.ID) != "participant.created" || c.events(code.ID) != "code.created" {
		t.Errorf("the owner is %+v, events %q %q", alice, c.events(alice.ID), c.events(code.ID))
	}
	if got := must[*client.GetCodeResult](t)(c.GetCodeWithResponse(t.Context(), code.ID)); fmt.Sprint(*got.JSON200) != fmt.Sprint(*code) {
		t.Errorf("read %+v, created %+v", got.JSON200, code)
	}

	pair := must[*client.CreateWorkspaceResult](t)(w.as(operatorToken).CreateWorkspaceWithResponse(t.Context(), &client.CreateWorkspaceParams{},
		client.NewWorkspace{Name: "Globex", LinkHost: ptr("go.globex.example")})).JSON201
	globex := w.as(pair.LiveKey.MustGet())
	own := globex.code(globex.activeProgram(nil).ID, "alice", func(n *client.NewCode) { n.Value = ptr(" Alice  9 ") })
	if own.Value != "Alice  9" || own.Link != "https://go.globex.example/r/Alice-9" {
		t.Errorf("with a host of its own: %q %q", own.Value, own.Link)
	}
}

func TestAVanityCodeIsUniqueByItsFold(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p, second := c.activeProgram(nil), c.activeProgram(nil)
	vanity := func(c caller, program uuid.UUID, who, value string) (*client.CreateCodeResult, error) {
		return c.createCode(client.NewCode{ProgramID: program, ParticipantExternalID: who, Value: &value})
	}
	must[*client.CreateCodeResult](t)(vanity(c, p.ID, "alice", "ALICE-9"))
	for _, value := range []string{"alice-9", "ALICE9", " a l i c e - 9 "} {
		refused[*client.CreateCodeResult](t, "code_taken", "")(vanity(c, p.ID, "carol", value))
		refused[*client.CreateCodeResult](t, "code_taken", "")(vanity(c, second.ID, "alice", value))
	}
	other := w.as(w.newPair("Globex").LiveKey)
	must[*client.CreateCodeResult](t)(vanity(other, other.activeProgram(nil).ID, "zoe", "ALICE-9")) // nobody learns of another workspace

	errs := atOnce(8, func(i int) error {
		_, err := vanity(c, p.ID, fmt.Sprint("racer-", i), "FIRST-ONE")
		return err
	})
	if count(errs, "") != 1 || count(errs, "code_taken") != 7 {
		t.Errorf("the answers are %v", errs)
	}
	if n := w.number(`SELECT count(*) FROM participants WHERE external_id = 'carol' OR external_id LIKE 'racer-%'`); n != 1 {
		t.Errorf("%d participants stayed for codes that were refused", n-1)
	}
	for _, value := range []string{"---", "a-b", "asshole 7"} {
		refused[*client.CreateCodeResult](t, "validation_failed", "/value")(vanity(c, p.ID, "alice", value))
	}
}

func TestTheLimitOfCodesIsExactAlsoAtOnce(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(func(n *client.NewProgram) { n.Rules.CodesPerParticipant = ptr(int64(5)) })
	var codes []client.Code
	for range 4 {
		codes = append(codes, c.code(p.ID, "alice", nil))
	}
	errs := atOnce(6, func(int) error {
		_, err := c.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"})
		return err
	})
	if count(errs, "") != 1 || count(errs, "code_limit") != 5 {
		t.Errorf("the answers are %v", errs)
	}
	alice := c.named("alice").ID
	if n := w.number("SELECT count(*) FROM codes WHERE participant_id = $1", alice); n != 5 {
		t.Errorf("%d codes", n)
	}
	c.code(p.ID, "carol", nil)                    // her own limit
	c.code(c.activeProgram(nil).ID, "alice", nil) // another program's limit

	// A disabled code still counts, a retired one does not.
	must[*client.DisableCodeResult](t)(c.DisableCodeWithResponse(t.Context(), codes[0].ID, &client.DisableCodeParams{}, client.CodeDisabling{Reason: "other"}))
	refused[*client.CreateCodeResult](t, "code_limit", "")(c.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"}))
	for _, code := range codes[:2] {
		must[*client.RetireCodeResult](t)(c.RetireCodeWithResponse(t.Context(), code.ID, &client.RetireCodeParams{}))
	}
	c.code(p.ID, "alice", nil)

	// Newer rules with a smaller limit take nothing away and give nothing more.
	must[*client.PublishProgramVersionResult](t)(c.PublishProgramVersionWithResponse(t.Context(), p.ID, &client.PublishProgramVersionParams{},
		client.NewProgramVersion{Rules: client.NewRules{CodesPerParticipant: ptr(int64(2))}}))
	refused[*client.CreateCodeResult](t, "code_limit", "")(c.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"}))
	if n := w.number("SELECT codes FROM program_participants WHERE program_id = $1 AND participant_id = $2", p.ID, alice); n != 4 {
		t.Errorf("the counter says %d", n)
	}
}

func TestManyCodesEachSucceedOrFailOnTheirOwn(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(func(n *client.NewProgram) { n.Rules.CodesPerParticipant = ptr(int64(2)) })
	c.code(p.ID, "zoe", func(n *client.NewCode) { n.Value = ptr("TAKEN") })
	body := client.CodeBatch{ProgramID: p.ID, Items: []client.CodeBatchItem{
		{ParticipantExternalID: "alice", Value: ptr("ALICE-9")},
		{ParticipantExternalID: "carol", Value: ptr("alice 9")},
		{ParticipantExternalID: "alice", Value: ptr("taken")},
		{ParticipantExternalID: "alice"},
		{ParticipantExternalID: "alice"},
		{ParticipantExternalID: "bob", Value: ptr("- -")},
		{ParticipantExternalID: "bob"},
	}}
	params := &client.CreateCodesParams{IdempotencyKey: "batch-1"}
	res := must[*client.CreateCodesResult](t)(c.CreateCodesWithResponse(t.Context(), params, body))
	want := []client.ProblemCode{"", "code_taken", "code_taken", "", "code_limit", "validation_failed", ""}
	for i, item := range res.JSON200.Data {
		var got client.ProblemCode
		if item.Problem != nil {
			got = item.Problem.Code
		}
		if item.Index != int64(i) || got != want[i] || (item.Code == nil) == (want[i] == "") {
			t.Errorf("item %d is %+v, want %q", i, item, want[i])
		}
	}
	if faults := res.JSON200.Data[5].Problem.Errors; len(faults) != 1 || faults[0].Pointer != "/items/5/value" {
		t.Errorf("the fault is at %+v", faults)
	}
	again := must[*client.CreateCodesResult](t)(c.CreateCodesWithResponse(t.Context(), params, body))
	if string(again.Body) != string(res.Body) || again.HTTPResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the replay is %s", again.Body)
	}
	if n := w.number("SELECT count(*) FROM codes"); n != 4 {
		t.Errorf("%d codes", n)
	}
	if n := w.number("SELECT sum(codes) FROM program_participants"); n != 4 {
		t.Errorf("the counters say %d", n)
	}
	body.ProgramID = uuid.Must(uuid.NewV7())
	refused[*client.CreateCodesResult](t, "unknown_reference", "/program_id")(c.CreateCodesWithResponse(t.Context(), &client.CreateCodesParams{}, body))
}

func TestBatchesThatWantTheSameCodesShareThem(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(nil)
	got := make([]int, 4)
	errs := atOnce(4, func(i int) error {
		body := client.CodeBatch{ProgramID: p.ID}
		for k := range 20 {
			n := k
			if i%2 == 1 {
				n = 19 - k // the other way round
			}
			body.Items = append(body.Items, client.CodeBatchItem{ParticipantExternalID: fmt.Sprintf("user-%d-%d", i, n), Value: ptr(fmt.Sprintf("SAME-%02d", n))})
		}
		res, err := c.CreateCodesWithResponse(t.Context(), &client.CreateCodesParams{}, body)
		if err != nil {
			return err
		}
		for _, item := range res.JSON200.Data {
			if item.Code != nil {
				got[i]++
			}
		}
		return nil
	})
	if count(errs, "") != 4 || got[0]+got[1]+got[2]+got[3] != 20 {
		t.Errorf("errors %v, codes %v", errs, got)
	}
}

func TestACodeIsNotMadeWhereItCouldNotBeUsed(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).live()
	p := c.activeProgram(nil)
	now := time.Now()
	refused[*client.CreateCodeResult](t, "validation_failed", "/expires_at")(c.createCode(client.NewCode{
		ProgramID: p.ID, ParticipantExternalID: "alice", StartsAt: nullable.NewNullableWithValue(now), ExpiresAt: nullable.NewNullableWithValue(now),
	}))
	refused[*client.CreateCodeResult](t, "unknown_reference", "/program_id")(c.createCode(client.NewCode{ProgramID: uuid.Must(uuid.NewV7()), ParticipantExternalID: "alice"}))
	must[*client.Program](t)(c.move(p.ID, "end"))
	refused[*client.CreateCodeResult](t, "state_not_allowed", "")(c.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"}))
	draft := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{})).JSON201
	c.code(draft.ID, "alice", nil) // prepared before the program begins
}

func TestCodesAreListedAndOnlyTheOwn(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p, second := c.activeProgram(nil), c.activeProgram(nil)
	first := c.code(p.ID, "alice", nil)
	c.code(p.ID, "alice", nil)
	c.code(second.ID, "alice", nil)
	carol := c.code(p.ID, "carol", nil)
	must[*client.RetireCodeResult](t)(c.RetireCodeWithResponse(t.Context(), carol.ID, &client.RetireCodeParams{}))
	list := func(c caller, params client.ListCodesParams) int {
		t.Helper()
		n := 0
		for _, err := range client.All(func(cursor *string) ([]client.Code, nextCursor, error) {
			params.Limit, params.Cursor = ptr(int64(2)), cursor
			page, err := c.ListCodesWithResponse(t.Context(), &params)
			if err != nil {
				return nil, nil, err
			}
			return page.JSON200.Data, page.JSON200.NextCursor, nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	retired := client.CodeStateRetired
	for want, params := range map[int]client.ListCodesParams{
		4: {}, 3: {ProgramID: &p.ID}, 2: {ProgramID: &p.ID, ParticipantID: &first.ParticipantID}, 1: {State: &retired}, 0: {State: &retired, ProgramID: &second.ID},
	} {
		if got := list(c, params); got != want {
			t.Errorf("%+v lists %d codes, want %d", params, got, want)
		}
	}
	for _, other := range []caller{w.test(), w.as(w.newPair("Globex").LiveKey)} {
		if got := list(other, client.ListCodesParams{ProgramID: &p.ID}); got != 0 {
			t.Errorf("another workspace lists %d codes", got)
		}
		for _, id := range []uuid.UUID{first.ID, uuid.Must(uuid.NewV7())} {
			refused[*client.GetCodeResult](t, "not_found", "")(other.GetCodeWithResponse(t.Context(), id))
			refused[*client.UpdateCodeResult](t, "not_found", "")(other.UpdateCodeWithResponse(t.Context(), id, &client.UpdateCodeParams{IfMatch: `"1"`}, client.CodePatch{MaxUses: nullable.NewNullableWithValue(int64(1))}))
			refused[*client.DisableCodeResult](t, "not_found", "")(other.DisableCodeWithResponse(t.Context(), id, &client.DisableCodeParams{}, client.CodeDisabling{Reason: "other"}))
			refused[*client.EnableCodeResult](t, "not_found", "")(other.EnableCodeWithResponse(t.Context(), id, &client.EnableCodeParams{}))
			refused[*client.RetireCodeResult](t, "not_found", "")(other.RetireCodeWithResponse(t.Context(), id, &client.RetireCodeParams{}))
		}
		refused[*client.CreateCodeResult](t, "unknown_reference", "/program_id")(other.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"}))
	}
}
