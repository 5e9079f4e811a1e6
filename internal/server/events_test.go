package server

import (
	"testing"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

func TestTheLogIsListedAndRead(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	joined := p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	bought := p.buy("bob", "order-1", 10_000, nil)
	var all []client.Event
	for e, err := range client.All(func(cursor *string) ([]client.Event, nullableText, error) {
		page, err := p.ListEventsWithResponse(t.Context(), &client.ListEventsParams{Limit: ptr[int64](3), Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if n := p.w.number("SELECT count(*) FROM events WHERE workspace_id = $1", p.w.pair.Test.WorkspaceID); int(n) != len(all) {
		t.Errorf("%d of %d events are listed", len(all), n)
	}
	id := joined.ReferralID.MustGet()
	of := must[*client.ListEventsResult](t)(p.ListEventsWithResponse(t.Context(), &client.ListEventsParams{SubjectID: &id})).JSON200.Data
	if len(of) != 2 || of[0].Type != "referral.qualified" || of[1].Type != "referral.attributed" || of[0].SubjectType != "referral" ||
		of[0].Data["qualifying_conversion_id"] != bought.Conversion.ID.String() {
		t.Errorf("the referral's events: %+v", of)
	}
	granted := must[*client.ListEventsResult](t)(p.ListEventsWithResponse(t.Context(), &client.ListEventsParams{Type: ptr(client.EventTypeRewardGranted)})).JSON200.Data
	if len(granted) != 2 || granted[0].Data["granted"] == granted[1].Data["granted"] {
		t.Errorf("grants: %+v", granted)
	}
	one := must[*client.GetEventResult](t)(p.GetEventWithResponse(t.Context(), of[0].ID)).JSON200
	if one.Type != of[0].Type || !one.CreatedAt.Equal(of[0].CreatedAt) {
		t.Errorf("one event: %+v", one)
	}
	refused[*client.GetEventResult](t, "not_found", "")(p.w.live().GetEventWithResponse(t.Context(), of[0].ID))
	refused[*client.GetEventResult](t, "not_found", "")(p.GetEventWithResponse(t.Context(), uuid.Must(uuid.NewV7())))
	if page := must[*client.ListEventsResult](t)(p.w.live().ListEventsWithResponse(t.Context(), &client.ListEventsParams{SubjectID: &id})); len(page.JSON200.Data) != 0 {
		t.Errorf("foreign events: %s", page.Body)
	}
}

func TestFactsThatWaitAreListed(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.refund("order-1", "refund-1", 100)
	bought := p.buy("bob", "order-2", 10_000, nil)
	waiting := p.facts("waiting")
	if len(waiting) != 2 || waiting[0].Kind != "conversion" || waiting[0].FactID != bought.Conversion.ID || waiting[0].Reason != "NO_REFERRAL" ||
		waiting[0].ProgramID.MustGet() != p.program.ID || waiting[1].Kind != "reversal" || !waiting[1].ProgramID.IsNull() || !waiting[1].SettledAt.IsNull() {
		t.Errorf("waiting are %+v", waiting)
	}
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("ALICE-9") })
	page := must[*client.ListUnmatchedFactsResult](t)(p.ListUnmatchedFactsWithResponse(t.Context(), &client.ListUnmatchedFactsParams{Limit: ptr[int64](1)})).JSON200
	if len(page.Data) != 1 || !page.HasMore || page.Data[0].State != "refused" || page.Data[0].Reason != "OCCURRED_BEFORE_SIGNUP" || page.Data[0].SettledAt.IsNull() {
		t.Errorf("the first page is %+v", page)
	}
	if other := must[*client.ListUnmatchedFactsResult](t)(p.w.live().ListUnmatchedFactsWithResponse(t.Context(), &client.ListUnmatchedFactsParams{})); len(other.JSON200.Data) != 0 {
		t.Errorf("foreign facts: %s", other.Body)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	list := must[*client.ListReasonCodesResult](t)(w.live().ListReasonCodesWithResponse(t.Context())).JSON200.Data
	if len(list) != len(reason.Catalogue) {
		t.Errorf("%d reasons, want %d", len(list), len(reason.Catalogue))
	}
	for i, e := range list {
		if string(e.Code) != string(reason.Catalogue[i].Code) || !e.Code.Valid() || e.Title == "" || e.Description == "" {
			t.Errorf("reason %d is %+v", i, e)
		}
	}
}
