package server

import (
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// TestAParticipantIsInAGroupFromTheMomentOnThatSaysSo, and its log and the list of its group tell.
func TestAParticipantIsInAGroupFromTheMomentOnThatSaysSo(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	upsert := func(who string, group nullable.Nullable[string]) client.Participant {
		t.Helper()
		res := must[*client.UpsertParticipantResult](t)(c.UpsertParticipantWithResponse(t.Context(), &client.UpsertParticipantParams{ExternalID: who},
			client.ParticipantChanges{Group: group}))
		if res.JSON201 != nil {
			return *res.JSON201
		}
		return *res.JSON200
	}
	in, none := nullable.NewNullableWithValue[string], nullable.NewNullNullable[string]()
	alice := *must[*client.CreateParticipantResult](t)(c.CreateParticipantWithResponse(t.Context(), &client.CreateParticipantParams{},
		client.NewParticipant{ExternalID: "alice", Group: in("vip")})).JSON201
	bob := c.participant("bob")
	if alice.Group.MustGet() != "vip" || !bob.Group.IsNull() {
		t.Fatalf("alice is in %v, bob in %v", alice.Group, bob.Group)
	}
	start := time.Now().UTC().Truncate(time.Second)
	c.moveClock(start.Add(time.Hour))
	if p := upsert("bob", in("partner")); p.Group.MustGet() != "partner" || p.Version != 2 {
		t.Errorf("bob is %+v", p)
	}
	if p := upsert("bob", in("partner")); p.Version != 2 {
		t.Errorf("the same again made bob %+v", p)
	}
	c.moveClock(start.Add(2 * time.Hour))
	if p := upsert("bob", none); !p.Group.IsNull() || p.Version != 3 {
		t.Errorf("bob is %+v", p)
	}
	if p := upsert("bob", nullable.Nullable[string]{}); p.Version != 3 {
		t.Errorf("nothing made bob %+v", p)
	}
	changed := must[*client.UpdateParticipantResult](t)(c.UpdateParticipantWithResponse(t.Context(), alice.ID, &client.UpdateParticipantParams{IfMatch: `"1"`},
		client.ParticipantChanges{Group: in("partner")})).JSON200
	if changed.Group.MustGet() != "partner" {
		t.Errorf("alice is %+v", changed)
	}

	timeline := w.text(`SELECT group_timeline FROM participants WHERE id = $1`, bob.ID)
	if n := strings.Count(timeline, `"at"`); n != 3 || strings.Count(timeline, "partner") != 1 {
		t.Errorf("the timeline of bob is %s", timeline)
	}
	if got := w.text(`SELECT string_agg(data->>'group', ' ' ORDER BY id) FROM events WHERE subject_id = $1`, bob.ID); got != "partner default" {
		t.Errorf("the log of bob says %s", got)
	}
	if got := w.text(`SELECT string_agg(data->>'group', ' ' ORDER BY id) FROM events WHERE subject_id = $1`, alice.ID); got != "vip partner" {
		t.Errorf("the log of alice says %s", got)
	}
	for group, want := range map[string]string{"partner": "alice", "default": "bob", "vip": ""} {
		page := must[*client.ListParticipantsResult](t)(c.ListParticipantsWithResponse(t.Context(), &client.ListParticipantsParams{Group: &group})).JSON200
		var names []string
		for _, p := range page.Data {
			names = append(names, p.ExternalID)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("in %s are %q, want %q", group, got, want)
		}
	}

	refused[*client.CreateParticipantResult](t, "validation_failed", "/group")(c.CreateParticipantWithResponse(t.Context(),
		&client.CreateParticipantParams{}, client.NewParticipant{ExternalID: "carol", Group: in("default")}))
	refused[*client.UpdateParticipantResult](t, "validation_failed", "/group")(c.UpdateParticipantWithResponse(t.Context(), bob.ID,
		&client.UpdateParticipantParams{IfMatch: `"3"`}, client.ParticipantChanges{Group: in("default")}))
	refused[*client.UpsertParticipantResult](t, "validation_failed", "/group")(c.UpsertParticipantWithResponse(t.Context(),
		&client.UpsertParticipantParams{ExternalID: "bob"}, client.ParticipantChanges{Group: in("default")}))
}
