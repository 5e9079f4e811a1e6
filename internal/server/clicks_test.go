package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func TestAReportedClickIsStoredOnce(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id := idOf(time.Now())
	report := func(n *client.NewClick) {
		n.ID, n.Code, n.VisitorID, n.Consent = &id, " alice 9 ", ptr("v-1"), ptr(client.ConsentGranted)
		n.LandingURL, n.ReferrerURL = ptr("https://shop.acme.example/offer?x=1"), ptr("https://Blog.Example/post?reader=jane")
		n.Utm = &client.Utm{Source: ptr("news"), Term: ptr("jane@example.com")}
		n.UserAgent, n.IP, n.OccurredAt = ptr(firefox), ptr("192.0.2.7"), ptr(time.Now().Add(-time.Hour).Truncate(time.Microsecond))
	}
	first := p.click(report)
	if first.ID != id || first.ProgramID != p.program.ID || first.CodeID != p.alice.ID || first.ReferrerID != p.alice.ParticipantID ||
		first.Classification != "human" || first.Source != "api" || first.Consent != "granted" ||
		first.ReferrerHost.MustGet() != "blog.example" || *first.Utm.Source != "news" || first.Utm.Term != nil {
		t.Errorf("the click is %+v", first)
	}
	got := must[*client.GetClickResult](t)(p.GetClickWithResponse(t.Context(), id)).JSON200
	if got.ID != id || !got.OccurredAt.Equal(first.OccurredAt) {
		t.Errorf("read %+v", got)
	}
	at := first.OccurredAt
	for range 3 {
		again := must[*client.RecordClickResult](t)(p.report(func(n *client.NewClick) { report(n); n.OccurredAt = &at }))
		if again.JSON200 == nil || again.JSON200.ID != id || !again.JSON200.ReceivedAt.Equal(first.ReceivedAt) {
			t.Fatalf("again: %s", again.Body)
		}
	}
	if n := p.w.number("SELECT count(*) FROM clicks"); n != 1 || p.events(id) != "click.recorded" {
		t.Errorf("%d clicks, events %q", n, p.events(id))
	}
	for name, change := range map[string]func(*client.NewClick){
		"another code":     func(n *client.NewClick) { n.Code = "CAROL-3" },
		"another visitor":  func(n *client.NewClick) { n.VisitorID = ptr("v-2") },
		"no visitor":       func(n *client.NewClick) { n.VisitorID = nil },
		"another time":     func(n *client.NewClick) { n.OccurredAt = ptr(at.Add(time.Second)) },
		"another consent":  func(n *client.NewClick) { n.Consent = nil },
		"another campaign": func(n *client.NewClick) { n.Utm = nil },
		"another address":  func(n *client.NewClick) { n.IP = ptr("192.0.2.8") },
	} {
		t.Log(name)
		refused[*client.RecordClickResult](t, "conflict", "/id")(p.report(func(n *client.NewClick) { report(n); n.OccurredAt = &at; change(n) }))
	}
	p.moveClock(time.Now().AddDate(0, 2, 0))
	if late := must[*client.RecordClickResult](t)(p.report(func(n *client.NewClick) { report(n); n.OccurredAt = &at })); late.JSON200 == nil {
		t.Errorf("the same report two months later: %s", late.Body)
	}
}

func TestNothingOfAPersonIsStoredWithAClick(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.click(func(n *client.NewClick) {
		n.VisitorID, n.UserAgent, n.IP = ptr("visitor-of-the-test"), ptr(firefox), ptr("192.0.2.77")
		n.ReferrerURL = ptr("https://blog.example/jane@example.com")
	})
	for _, secret := range []string{"visitor-of-the-test", "Firefox", "192.0.2.77", "jane"} {
		n := p.w.number(`SELECT (SELECT count(*) FROM clicks WHERE clicks::text LIKE $1) + (SELECT count(*) FROM events WHERE events::text LIKE $1)
			+ (SELECT count(*) FROM idempotency_keys WHERE convert_from(body, 'UTF8') LIKE $1)`, "%"+secret+"%")
		if n != 0 {
			t.Errorf("%s is stored %d times", secret, n)
		}
	}
}

func TestAnIdOfAReporterMustTellItsTime(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	with := func(id uuid.UUID) (*client.RecordClickResult, error) {
		return p.report(func(n *client.NewClick) { n.ID = &id })
	}
	now := time.Now()
	for _, at := range []time.Time{now.Add(-31 * 24 * time.Hour), now.Add(10 * time.Minute), now.AddDate(1, 0, 0)} {
		refused[*client.RecordClickResult](t, "validation_failed", "/id")(with(idOf(at)))
	}
	for _, at := range []time.Time{now.Add(-29 * 24 * time.Hour), now, now.Add(4 * time.Minute)} {
		must[*client.RecordClickResult](t)(with(idOf(at)))
	}
	moved := now.AddDate(0, 3, 0)
	p.moveClock(moved)
	must[*client.RecordClickResult](t)(with(idOf(now)))
	must[*client.RecordClickResult](t)(with(idOf(moved)))
	refused[*client.RecordClickResult](t, "validation_failed", "/id")(with(idOf(now.AddDate(0, 1, 15))))
	// The contract refuses what is no version 7 before anybody looks at its time.
	res, body := p.raw(http.MethodPost, "/v1/clicks", `{"code":"ALICE-9","id":"`+uuid.NewString()+`"}`)
	if res.StatusCode != 422 || !strings.Contains(body, `"/id"`) {
		t.Errorf("a version 4: %d %s", res.StatusCode, body)
	}
}

func TestAClickIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	other := p.w.live().activeProgram(nil)
	foreign := p.w.live().code(other.ID, "mallory", func(n *client.NewCode) { n.Value = ptr("LIVE-1") })
	second := p.activeProgram(nil)
	for name, c := range map[string]struct {
		change  func(*client.NewClick)
		code    client.ProblemCode
		pointer string
	}{
		"a code that does not exist":    {func(n *client.NewClick) { n.Code = "NOBODY-1" }, "unknown_reference", "/code"},
		"a code of the other workspace": {func(n *client.NewClick) { n.Code = foreign.Value }, "unknown_reference", "/code"},
		"a code of another program":     {func(n *client.NewClick) { n.ProgramID = &second.ID }, "unknown_reference", "/code"},
		"a foreign program":             {func(n *client.NewClick) { n.ProgramID = &other.ID }, "unknown_reference", "/code"},
		"too long ago":                  {func(n *client.NewClick) { n.OccurredAt = ptr(time.Now().AddDate(0, -2, 0)) }, "occurred_at_out_of_range", "/occurred_at"},
		"in the future":                 {func(n *client.NewClick) { n.OccurredAt = ptr(time.Now().Add(time.Hour)) }, "occurred_at_out_of_range", "/occurred_at"},
		"a page elsewhere":              {func(n *client.NewClick) { n.LandingURL = ptr("https://evil.example/welcome") }, "destination_not_allowed", "/landing_url"},
		"a page that is none":           {func(n *client.NewClick) { n.LandingURL = ptr("javascript:alert(1)//") }, "destination_not_allowed", "/landing_url"},
		"an address that is none":       {func(n *client.NewClick) { n.IP = ptr("1.2.3.4.5") }, "validation_failed", "/ip"},
	} {
		t.Log(name)
		refused[*client.RecordClickResult](t, c.code, c.pointer)(p.report(c.change))
	}
	if n := p.w.number("SELECT count(*) FROM clicks"); n != 0 {
		t.Errorf("%d clicks were stored", n)
	}
	refused[*client.GetClickResult](t, "not_found", "")(p.GetClickWithResponse(t.Context(), idOf(time.Now())))
	stored := p.click(nil)
	refused[*client.GetClickResult](t, "not_found", "")(p.w.live().GetClickWithResponse(t.Context(), stored.ID))
}

func TestABrowserReportsItselfAndNobodyElse(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	key := must[*client.CreateAPIKeyResult](t)(p.CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, client.NewAPIKey{Name: "page", Kind: "publishable", Scopes: client.Scopes{}}))
	browser := p.w.as(key.JSON201.Secret.MustGet())
	refused[*client.RecordClickResult](t, "forbidden", "")(browser.report(func(n *client.NewClick) { n.IP = ptr("192.0.2.1") }))
	program := browser.click(func(n *client.NewClick) { n.VisitorID = ptr("v-1") })
	if program.Classification != "bot" { // the test's own HTTP client says that it is one
		t.Errorf("a program without a browser's agent is %s", program.Classification)
	}
	person := browser.click(func(n *client.NewClick) { n.VisitorID, n.UserAgent = ptr("v-1"), ptr(firefox) })
	if person.Classification != "human" {
		t.Errorf("a person is %s", person.Classification)
	}
	refused[*client.GetClickResult](t, "forbidden", "")(browser.GetClickWithResponse(t.Context(), person.ID))
	refused[*client.ListClicksResult](t, "forbidden", "")(browser.ListClicksWithResponse(t.Context(), &client.ListClicksParams{}))
	batch := client.ClickBatch{Clicks: []client.NewClick{{Code: "ALICE-9"}}}
	refused[*client.RecordClicksResult](t, "forbidden", "")(browser.RecordClicksWithResponse(t.Context(), &client.RecordClicksParams{}, batch))
	unknown := func(n *client.NewClick) { n.Code = "NOBODY-1" }
	for range 150 {
		if _, err := browser.report(unknown); count([]error{err}, "rate_limited") == 1 {
			refused[*client.RecordClickResult](t, "rate_limited", "")(browser.report(nil))
			return
		}
	}
	t.Error("a browser may guess codes as long as it likes")
}

func TestClicksAreOfAClass(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	at := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name   string
		change func(*client.NewClick)
		want   client.ClickClassification
	}{
		{"nothing is known", func(*client.NewClick) {}, "human"},
		{"nothing is known again", func(*client.NewClick) {}, "human"},
		{"a robot", func(n *client.NewClick) {
			n.UserAgent = ptr("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
		}, "bot"},
		{"a visitor", func(n *client.NewClick) { n.VisitorID, n.OccurredAt = ptr("v-1"), &at }, "human"},
		{"the same, 9 seconds later", func(n *client.NewClick) { n.VisitorID, n.OccurredAt = ptr("v-1"), ptr(at.Add(9*time.Second)) }, "repeat"},
		{"the same, another code", func(n *client.NewClick) {
			n.Code, n.VisitorID, n.OccurredAt = "CAROL-3", ptr("v-1"), ptr(at.Add(9*time.Second))
		}, "human"},
		{"the same, much later", func(n *client.NewClick) { n.VisitorID, n.OccurredAt = ptr("v-1"), ptr(at.Add(time.Minute)) }, "human"},
		{"another visitor", func(n *client.NewClick) { n.VisitorID, n.OccurredAt = ptr("v-2"), &at }, "human"},
	} {
		if got := p.click(c.change).Classification; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestClicksAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	var want []uuid.UUID
	for i := range 5 {
		want = append([]uuid.UUID{p.click(func(n *client.NewClick) {
			if i%2 == 1 {
				n.Code = "CAROL-3"
			}
		}).ID}, want...)
	}
	var got []uuid.UUID
	for c, err := range client.All(func(cursor *string) ([]client.Click, nullableText, error) {
		page, err := p.ListClicksWithResponse(t.Context(), &client.ListClicksParams{Limit: ptr[int64](2), Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	carols := must[*client.ListClicksResult](t)(p.ListClicksWithResponse(t.Context(), &client.ListClicksParams{CodeID: &p.carol.ID, Limit: ptr[int64](1)}))
	if len(carols.JSON200.Data) != 1 || carols.JSON200.Data[0].CodeID != p.carol.ID || !carols.JSON200.HasMore {
		t.Errorf("Carol's are %s", carols.Body)
	}
	refused[*client.ListClicksResult](t, "malformed_request", "")(p.ListClicksWithResponse(t.Context(), &client.ListClicksParams{Cursor: ptr(carols.JSON200.NextCursor.MustGet())}))
	none := must[*client.ListClicksResult](t)(p.ListClicksWithResponse(t.Context(), &client.ListClicksParams{ProgramID: ptr(uuid.New())}))
	if len(none.JSON200.Data) != 0 || none.JSON200.HasMore {
		t.Errorf("no program's are %s", none.Body)
	}
}

func TestEachClickOfABatchSucceedsOrFailsOnItsOwn(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id, taken := idOf(time.Now()), p.click(func(n *client.NewClick) { n.ID = ptr(idOf(time.Now())) }).ID
	at := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	batch := client.ClickBatch{Clicks: []client.NewClick{
		{Code: "ALICE-9", VisitorID: ptr("v-1"), OccurredAt: &at},
		{Code: "NOBODY-1"},
		{Code: "alice9", VisitorID: ptr("v-1"), OccurredAt: ptr(at.Add(time.Second))},
		{Code: "CAROL-3", ID: &id},
		{Code: "CAROL-3", ID: &id},
		{Code: "ALICE-9", ID: &id},
		{Code: "ALICE-9", ID: &taken},
		{Code: "ALICE-9", ID: ptr(idOf(time.Now().AddDate(0, 0, -40)))},
		{Code: "ALICE-9", IP: ptr("::::")},
		{Code: "ALICE-9", LandingURL: ptr("https://evil.example/")},
		{Code: "ALICE-9", ID: ptr(idOf(time.Now().AddDate(0, 0, -20)))},
	}}
	params := &client.RecordClicksParams{IdempotencyKey: "batch-1"}
	res := must[*client.RecordClicksResult](t)(p.RecordClicksWithResponse(t.Context(), params, batch))
	want := []string{"human", "unknown_reference /clicks/1/code", "repeat", "human", "human", "conflict /clicks/5/id", "human",
		"validation_failed /clicks/7/id", "validation_failed /clicks/8/ip", "destination_not_allowed /clicks/9/landing_url", "human"}
	for i, o := range res.JSON200.Data {
		got := ""
		switch {
		case o.Click != nil:
			got = string(o.Click.Classification)
		case o.Problem != nil:
			got = string(o.Problem.Code) + " " + o.Problem.Errors[0].Pointer
		}
		if got != want[i] || o.Index != int64(i) || (o.Click == nil) == (o.Problem == nil) {
			t.Errorf("item %d: %s, want %s", i, got, want[i])
		}
	}
	if d := res.JSON200.Data; d[3].Click.ID != id || d[4].Click.ID != id || d[6].Click.ID != taken || d[0].Click.Source != "batch" {
		t.Errorf("the clicks are %s", res.Body)
	}
	if n := p.w.number("SELECT count(*) FROM clicks"); n != 5 {
		t.Errorf("%d clicks are stored", n)
	}
	if n := p.w.number(`SELECT count(*) FROM clicks JOIN click_batches AS m ON m.id = batch_id AND clicks.id BETWEEN first_click_id AND last_click_id`); n != 5 {
		t.Errorf("%d clicks are under a marker", n)
	}
	again := must[*client.RecordClicksResult](t)(p.RecordClicksWithResponse(t.Context(), params, batch))
	if string(again.Body) != string(res.Body) || p.w.number("SELECT count(*) FROM clicks") != 5 {
		t.Errorf("the batch again is %s", again.Body)
	}
}

func TestOneReportOfManyAtOnceIsStored(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	id := idOf(time.Now())
	made := make([]bool, 8)
	errs := atOnce(len(made), func(i int) error {
		if i%2 == 0 {
			res, err := p.report(func(n *client.NewClick) { n.ID = &id })
			made[i] = err == nil && res.JSON201 != nil
			return err
		}
		res, err := p.RecordClicksWithResponse(t.Context(), &client.RecordClicksParams{}, client.ClickBatch{Clicks: []client.NewClick{{Code: "ALICE-9", ID: &id}}})
		if err == nil && res.JSON200.Data[0].Problem != nil {
			return fmt.Errorf("%+v", res.JSON200.Data[0].Problem)
		}
		return err
	})
	if count(errs, "") != len(errs) || p.w.number("SELECT count(*) FROM clicks") != 1 || p.events(id) != "click.recorded" {
		t.Errorf("%v, made %v, %d clicks, events %s", errs, made, p.w.number("SELECT count(*) FROM clicks"), p.events(id))
	}
}

func TestAFullBatchIsStored(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	batch := client.ClickBatch{}
	for i := range 500 {
		id := idOf(time.Now().Add(time.Duration(-i) * time.Hour))
		batch.Clicks = append(batch.Clicks, client.NewClick{
			ID: &id, Code: "ALICE-9", VisitorID: ptr(fmt.Sprint("visitor-", i)), OccurredAt: ptr(time.Now().Add(time.Duration(-i) * time.Hour)),
			UserAgent: ptr(firefox), IP: ptr("2001:db8::1"), Utm: &client.Utm{Campaign: ptr(strings.Repeat("é", 200))},
		})
	}
	res := must[*client.RecordClicksResult](t)(p.RecordClicksWithResponse(t.Context(), &client.RecordClicksParams{}, batch))
	for i, o := range res.JSON200.Data {
		if o.Click == nil || o.Click.ID != *batch.Clicks[i].ID {
			t.Fatalf("item %d: %+v", i, o)
		}
	}
	if s := p.counted(day(-30), day(1)).Totals; s.Clicks != 500 || s.UniqueVisitors != 500 {
		t.Errorf("counted %+v", s)
	}
}

func TestOnlyTheNameOfAReferringHostIsKept(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	for page, want := range map[string]string{
		"https://Blog.Example:8443/post?x=1":        "blog.example",
		"android-app://com.google.android.gm/inbox": "com.google.android.gm",
		"https://user:secret@blog.example/":         "blog.example",
		"https://my_host.example/":                  "",
		"https://[2001:db8::1]/":                    "",
		"https://-x.example/":                       "",
		"javascript:alert(1)":                       "",
		"https://%00.example/":                      "",
	} {
		got := p.click(func(n *client.NewClick) { n.ReferrerURL = &page }).ReferrerHost
		if value, _ := got.Get(); value != want {
			t.Errorf("%s: %q, want %q", page, value, want)
		}
	}
}
