package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func (c caller) participant(externalID string) client.Participant {
	c.w.Helper()
	return *must[*client.CreateParticipantResult](c.w)(c.CreateParticipantWithResponse(c.w.Context(), &client.CreateParticipantParams{},
		client.NewParticipant{ExternalID: externalID})).JSON201
}

func (c caller) named(externalID string) client.Participant {
	c.w.Helper()
	page := must[*client.ListParticipantsResult](c.w)(c.ListParticipantsWithResponse(c.w.Context(), &client.ListParticipantsParams{ExternalID: &externalID})).JSON200
	if len(page.Data) != 1 {
		c.w.Fatalf("%d participants are called %s", len(page.Data), externalID)
	}
	return page.Data[0]
}

func TestAParticipantIsCreatedOnce(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	since := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	body := client.NewParticipant{
		ExternalID: "user/1 ä", Email: nullable.NewNullableWithValue("Jane.Doe@Gmail.com"), DisplayName: nullable.NewNullableWithValue(" Jane\u202e "),
		CustomerSince: nullable.NewNullableWithValue(since), Metadata: &client.Metadata{"plan": "pro"},
	}
	res := must[*client.CreateParticipantResult](t)(c.CreateParticipantWithResponse(t.Context(), &client.CreateParticipantParams{}, body))
	p := res.JSON201
	if p.ExternalID != "user/1 ä" || !p.HasEmail || p.DisplayName.MustGet() != "Jane" || p.State != "active" || p.Metadata["plan"] != "pro" ||
		!p.CustomerSince.MustGet().Equal(since.Truncate(time.Microsecond)) || res.Headers201.ETag != `"1"` || res.Headers201.Location != "/v1/participants/"+p.ID.String() {
		t.Errorf("created %s", res.Body)
	}
	if got := must[*client.GetParticipantResult](t)(c.GetParticipantWithResponse(t.Context(), p.ID)); fmt.Sprint(*got.JSON200) != fmt.Sprint(*p) {
		t.Errorf("read %+v, created %+v", got.JSON200, p)
	}
	refused[*client.CreateParticipantResult](t, "participant_exists", "/external_id")(c.CreateParticipantWithResponse(t.Context(), &client.CreateParticipantParams{}, body))
	w.test().participant("user/1 ä") // another workspace, another person

	errs := atOnce(6, func(int) error {
		_, err := c.CreateParticipantWithResponse(t.Context(), &client.CreateParticipantParams{}, client.NewParticipant{ExternalID: "racer"})
		return err
	})
	if count(errs, "") != 1 || count(errs, "participant_exists") != 5 {
		t.Errorf("the answers are %v", errs)
	}
	if n := w.number(`SELECT count(*) FROM participants WHERE participants::text ILIKE '%jane.doe%' OR participants::text ILIKE '%gmail%'`); n != 0 {
		t.Error("the address is stored")
	}
}

func TestAnUpsertMakesAParticipantAndThenChangesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	upsert := func(b client.ParticipantChanges) *client.UpsertParticipantResult {
		t.Helper()
		return must[*client.UpsertParticipantResult](t)(c.UpsertParticipantWithResponse(t.Context(), &client.UpsertParticipantParams{ExternalID: "user/1 ä"}, b))
	}
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	full := client.ParticipantChanges{
		Email: nullable.NewNullableWithValue("jane@acme.example"), DisplayName: nullable.NewNullableWithValue("Jane"),
		CustomerSince: nullable.NewNullableWithValue(since), Metadata: &client.Metadata{"b": "2", "a": "1"},
	}
	first := upsert(full)
	if first.JSON201 == nil || first.Headers201.ETag != `"1"` || first.Headers201.Location != "/v1/participants/"+first.JSON201.ID.String() {
		t.Fatalf("the first answers %s %s", first.HTTPResponse.Status, first.Body)
	}
	for _, b := range []client.ParticipantChanges{full, {}, {Email: nullable.NewNullableWithValue("JANE@acme.example")}} {
		if again := upsert(b); again.JSON200 == nil || again.Headers200.ETag != `"1"` {
			t.Errorf("the same again answers %s %s", again.HTTPResponse.Status, again.Body)
		}
	}
	changed := upsert(client.ParticipantChanges{
		Email: nullable.NewNullNullable[string](), CustomerSince: nullable.NewNullNullable[time.Time](), Metadata: &client.Metadata{"c": "3"},
	}).JSON200
	if changed.Version != 2 || changed.HasEmail || !changed.CustomerSince.IsNull() || changed.DisplayName.MustGet() != "Jane" || len(changed.Metadata) != 1 {
		t.Errorf("changed to %+v", changed)
	}
	if got := c.events(changed.ID); got != "participant.created participant.updated" {
		t.Errorf("events: %s", got)
	}
	made := 0
	for _, err := range atOnce(6, func(int) error {
		res, err := c.UpsertParticipantWithResponse(t.Context(), &client.UpsertParticipantParams{ExternalID: "racer"}, full)
		if err == nil && res.JSON201 != nil {
			return nil
		}
		return fmt.Errorf("not made: %w", err)
	}) {
		if err == nil {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d of the upserts made the participant", made)
	}
}

func TestAChangeOfAParticipantNeedsItsLatestVersion(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).live()
	p := c.participant("jane")
	patch := func(tag string, b client.ParticipantChanges) (*client.UpdateParticipantResult, error) {
		return c.UpdateParticipantWithResponse(t.Context(), p.ID, &client.UpdateParticipantParams{IfMatch: tag}, b)
	}
	name := client.ParticipantChanges{DisplayName: nullable.NewNullableWithValue("Jane")}
	if res := must[*client.UpdateParticipantResult](t)(patch(`"1"`, name)); res.Headers200.ETag != `"2"` || res.JSON200.DisplayName.MustGet() != "Jane" {
		t.Errorf("changed to %s", res.Body)
	}
	refused[*client.UpdateParticipantResult](t, "precondition_failed", "")(patch(`"1"`, name))
	if res := must[*client.UpdateParticipantResult](t)(patch(`"2"`, name)); res.Headers200.ETag != `"2"` {
		t.Errorf("a change of nothing gives %s", res.Headers200.ETag)
	}
	errs := atOnce(5, func(i int) error {
		_, err := patch(`"2"`, client.ParticipantChanges{DisplayName: nullable.NewNullableWithValue(fmt.Sprint("Racer ", i))})
		return err
	})
	if count(errs, "") != 1 || count(errs, "precondition_failed") != 4 {
		t.Errorf("the answers are %v", errs)
	}
}

func TestASuspendedParticipantRefersNobodyUntilItIsReinstated(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(nil)
	code := c.code(p.ID, "alice", nil)
	alice := c.named("alice").ID
	because := client.ActionReason{Reason: "asked by support\nticket 7"}
	signup := func(who string) client.ReasonCode {
		t.Helper()
		return must[*client.CreateSignupResult](t)(c.CreateSignupWithResponse(t.Context(), &client.CreateSignupParams{}, client.NewSignup{
			ProgramID: p.ID, RefereeExternalID: who, ExternalID: who, Code: &code.Value,
		})).JSON201.Reason
	}
	res := must[*client.SuspendParticipantResult](t)(c.SuspendParticipantWithResponse(t.Context(), alice, &client.SuspendParticipantParams{}, because))
	if res.JSON200.State != "suspended" || res.Headers200.ETag != `"2"` {
		t.Errorf("suspended: %s", res.Body)
	}
	refused[*client.SuspendParticipantResult](t, "state_not_allowed", "")(c.SuspendParticipantWithResponse(t.Context(), alice, &client.SuspendParticipantParams{}, because))
	if got := signup("bob"); got != "REFERRER_INELIGIBLE" {
		t.Errorf("a signup with the code of a suspended participant: %s", got)
	}
	refused[*client.CreateCodeResult](t, "state_not_allowed", "")(c.CreateCodeWithResponse(t.Context(), &client.CreateCodeParams{}, client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"}))
	back := must[*client.ReinstateParticipantResult](t)(c.ReinstateParticipantWithResponse(t.Context(), alice, &client.ReinstateParticipantParams{}, because))
	if back.JSON200.State != "active" {
		t.Errorf("reinstated: %s", back.Body)
	}
	refused[*client.ReinstateParticipantResult](t, "state_not_allowed", "")(c.ReinstateParticipantWithResponse(t.Context(), alice, &client.ReinstateParticipantParams{}, because))
	if got := signup("carol"); got != "ATTRIBUTED_EXPLICIT_CODE" {
		t.Errorf("a signup after that: %s", got)
	}
	if got := c.events(alice); got != "participant.created participant.suspended participant.reinstated" {
		t.Errorf("events: %s", got)
	}
	if n := w.number(`SELECT count(*) FROM events WHERE subject_id = $1 AND note = $2`, alice, because.Reason); n != 2 {
		t.Errorf("%d events keep the reason", n)
	}
}

func TestParticipantsOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	p := w.live().participant("jane")
	because := client.ActionReason{Reason: "x"}
	for _, c := range []caller{w.test(), w.as(w.newPair("Globex").LiveKey)} {
		for _, id := range []uuid.UUID{p.ID, uuid.Must(uuid.NewV7())} {
			refused[*client.GetParticipantResult](t, "not_found", "")(c.GetParticipantWithResponse(t.Context(), id))
			refused[*client.UpdateParticipantResult](t, "not_found", "")(c.UpdateParticipantWithResponse(t.Context(), id, &client.UpdateParticipantParams{IfMatch: `"1"`}, client.ParticipantChanges{}))
			refused[*client.SuspendParticipantResult](t, "not_found", "")(c.SuspendParticipantWithResponse(t.Context(), id, &client.SuspendParticipantParams{}, because))
			refused[*client.ReinstateParticipantResult](t, "not_found", "")(c.ReinstateParticipantWithResponse(t.Context(), id, &client.ReinstateParticipantParams{}, because))
			refused[*client.BanParticipantResult](t, "not_found", "")(c.BanParticipantWithResponse(t.Context(), id, &client.BanParticipantParams{}, because))
		}
		page := must[*client.ListParticipantsResult](t)(c.ListParticipantsWithResponse(t.Context(), &client.ListParticipantsParams{ExternalID: ptr("jane")})).JSON200
		if len(page.Data) != 0 || page.HasMore {
			t.Errorf("another workspace lists %+v", page.Data)
		}
	}
}

func TestParticipantsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).live()
	var want []string
	for i := range 5 {
		want = append([]string{c.participant(fmt.Sprint("user-", i)).ExternalID}, want...)
	}
	var got []string
	for p, err := range client.All(func(cursor *string) ([]client.Participant, nextCursor, error) {
		page, err := c.ListParticipantsWithResponse(t.Context(), &client.ListParticipantsParams{Limit: ptr(int64(2)), Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.ExternalID)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}
