package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func (c caller) createProgram(n client.NewProgram) (*client.CreateProgramResult, error) {
	if n.Name == "" {
		n.Name = "Friends"
	}
	if n.Currency == "" {
		n.Currency = "USD"
	}
	if n.LandingURL == "" {
		n.LandingURL = "https://www.acme.example/welcome"
	}
	return c.CreateProgramWithResponse(c.w.Context(), &client.CreateProgramParams{}, n)
}

func (c caller) move(id uuid.UUID, how string) (*client.Program, error) {
	ctx := c.w.Context()
	switch how {
	case "activate":
		res, err := c.ActivateProgramWithResponse(ctx, id, &client.ActivateProgramParams{})
		if err != nil {
			return nil, err
		}
		return res.JSON200, nil
	case "pause":
		res, err := c.PauseProgramWithResponse(ctx, id, &client.PauseProgramParams{})
		if err != nil {
			return nil, err
		}
		return res.JSON200, nil
	case "end":
		res, err := c.EndProgramWithResponse(ctx, id, &client.EndProgramParams{})
		if err != nil {
			return nil, err
		}
		return res.JSON200, nil
	}
	res, err := c.ArchiveProgramWithResponse(ctx, id, &client.ArchiveProgramParams{})
	if err != nil {
		return nil, err
	}
	return res.JSON200, nil
}

func TestAProgramIsADraftUntilItHasRulesAndIsActivated(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	res := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{AllowedHosts: &[]string{"shop.acme.example"}}))
	p := res.JSON201
	if p.State != "draft" || !p.CurrentVersion.IsNull() || !p.ActivatedAt.IsNull() || p.TimeZone != "UTC" || p.HonorPendingSeconds != 2592000 ||
		!slices.Equal(p.AllowedHosts, []string{"shop.acme.example", "www.acme.example"}) ||
		res.Headers201.Location != "/v1/programs/"+p.ID.String() || res.Headers201.ETag != `"1"` {
		t.Errorf("the program is %s", res.Body)
	}
	refused[*client.Program](t, "state_not_allowed", "")(c.move(p.ID, "activate"))

	published := must[*client.PublishProgramVersionResult](t)(c.PublishProgramVersionWithResponse(t.Context(), p.ID,
		&client.PublishProgramVersionParams{}, client.NewProgramVersion{}))
	if v := published.JSON201; v.Number != 1 || published.Headers201.Location != fmt.Sprintf("/v1/programs/%s/versions/%s", p.ID, v.ID) {
		t.Errorf("the version is %s", published.Body)
	}
	active := must[*client.Program](t)(c.move(p.ID, "activate"))
	if active.State != "active" || active.ActivatedAt.IsNull() || active.CurrentVersion.MustGet().Number != 1 {
		t.Errorf("the program is %+v", active)
	}
	if got := c.events(p.ID); got != "program.created program.activated" {
		t.Errorf("events: %s", got)
	}
	public := must[*client.GetPublicProgramResult](t)(c.GetPublicProgramWithResponse(t.Context(), p.ID)).JSON200
	if public.ID != p.ID || public.State != "active" || public.LandingURL != p.LandingURL {
		t.Errorf("in public the program is %+v", public)
	}
}

func TestAProgramMovesOnlyAlongItsArrows(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	id := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{Rules: &client.NewRules{}})).JSON201.ID
	for _, step := range []struct {
		how   string
		state client.ProgramState // empty: refused
	}{
		{"pause", ""}, {"end", ""}, {"archive", ""}, {"activate", "active"}, {"activate", ""}, {"archive", ""}, {"pause", "paused"},
		{"pause", ""}, {"activate", "active"}, {"pause", "paused"}, {"end", "ended"}, {"end", ""}, {"activate", ""}, {"pause", ""},
		{"archive", "archived"}, {"archive", ""}, {"activate", ""},
	} {
		if step.state == "" {
			refused[*client.Program](t, "state_not_allowed", "")(c.move(id, step.how))
			continue
		}
		p := must[*client.Program](t)(c.move(id, step.how))
		if p.State != step.state || p.EndedAt.IsNull() == (p.State == "ended" || p.State == "archived") {
			t.Errorf("after %s: %+v", step.how, p)
		}
	}
	want := "program.created program.activated program.paused program.resumed program.paused program.ended program.archived"
	if got := c.events(id); got != want {
		t.Errorf("events: %s", got)
	}
	if n := w.number(`SELECT jsonb_array_length(timeline) FROM programs WHERE id = $1`, id); n != 6 {
		t.Errorf("the timeline has %d periods, want 6", n)
	}
}

func TestOneOfManyActivationsWins(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	id := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{Rules: &client.NewRules{}})).JSON201.ID
	errs := atOnce(6, func(int) error {
		_, err := c.move(id, "activate")
		return err
	})
	if count(errs, "") != 1 || count(errs, "state_not_allowed") != 5 {
		t.Errorf("the answers are %v", errs)
	}
}

func TestLinksLeadOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	must[*client.CreateWorkspaceResult](t)(w.as(operatorToken).CreateWorkspaceWithResponse(t.Context(), &client.CreateWorkspaceParams{},
		client.NewWorkspace{Name: "Globex", LinkHost: ptr("go.globex.example")}))
	c := w.live()
	for _, landing := range []string{
		"javascript:alert(1)", "data:text/html,x", "intent://x", "ftp://www.acme.example/", "http://www.acme.example/",
		"https://user:secret@www.acme.example/", "https://www.acme.example/#top", "https://127.0.0.1/", "https://10.0.0.8/", "https://[::1]/",
		"https://2130706433/", "https://0x7f.1/", "https://router.local/", "https://intranet/", `https://www.acme.example\@evil.example/`,
		"https://refer.example/r/X", "https://REFER.example:443/", "https://go.globex.example/r/Y", "//evil.example/", "https:evil.example",
	} {
		refused[*client.CreateProgramResult](t, "destination_not_allowed", "/landing_url")(c.createProgram(client.NewProgram{LandingURL: landing}))
	}
	refused[*client.CreateProgramResult](t, "destination_not_allowed", "/allowed_hosts/1")(c.createProgram(client.NewProgram{
		AllowedHosts: &[]string{"shop.acme.example", "refer.example"},
	}))
	for _, landing := range []string{"https://www.acme.example", "https://Shop.Acme.example:8443/a?b=c", "http://localhost:3000/"} {
		must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{LandingURL: landing}))
	}
	many := []string{}
	for i := range 20 {
		many = append(many, fmt.Sprintf("h%d.acme.example", i))
	}
	refused[*client.CreateProgramResult](t, "destination_not_allowed", "/allowed_hosts")(c.createProgram(client.NewProgram{AllowedHosts: &many}))
	must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{AllowedHosts: ptr(many[:19])}))
}

func TestAProgramNeedsAKnownTimeZone(t *testing.T) {
	t.Parallel()
	c := startWorld(t, nil).live()
	for _, zone := range []string{"Mars/Olympus", "Local", "europe/berlin", "/etc/localtime"} {
		refused[*client.CreateProgramResult](t, "validation_failed", "/time_zone")(c.createProgram(client.NewProgram{TimeZone: ptr(zone)}))
	}
	for _, zone := range []string{"Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+12"} {
		if p := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{TimeZone: ptr(zone)})).JSON201; p.TimeZone != zone {
			t.Errorf("the zone is %q, want %q", p.TimeZone, zone)
		}
	}
}

func TestAChangeOfAProgramNeedsItsLatestVersion(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{})).JSON201
	patch := func(tag string, change client.ProgramPatch) (*client.UpdateProgramResult, error) {
		return c.UpdateProgramWithResponse(t.Context(), p.ID, &client.UpdateProgramParams{IfMatch: tag}, change)
	}
	res := must[*client.UpdateProgramResult](t)(patch(`"1"`, client.ProgramPatch{Name: ptr("Colleagues"), LandingURL: ptr("https://acme.example/")}))
	if got := res.JSON200; got.Name != "Colleagues" || !slices.Equal(got.AllowedHosts, []string{"acme.example"}) || res.Headers200.ETag != `"2"` || got.Currency != "USD" {
		t.Errorf("changed to %s", res.Body)
	}
	refused[*client.UpdateProgramResult](t, "precondition_failed", "")(patch(`"1"`, client.ProgramPatch{Name: ptr("Late")}))
	if res := must[*client.UpdateProgramResult](t)(patch(`"2"`, client.ProgramPatch{Name: ptr("Colleagues")})); res.Headers200.ETag != `"2"` {
		t.Errorf("a change of nothing gives version %s", res.Headers200.ETag)
	}
	refused[*client.UpdateProgramResult](t, "destination_not_allowed", "/landing_url")(patch(`"2"`, client.ProgramPatch{LandingURL: ptr("https://refer.example/")}))
	errs := atOnce(5, func(i int) error {
		_, err := patch(`"2"`, client.ProgramPatch{Name: ptr(fmt.Sprint("Racer ", i))})
		return err
	})
	if count(errs, "") != 1 || count(errs, "precondition_failed") != 4 {
		t.Errorf("the answers are %v", errs)
	}
	got := must[*client.GetProgramResult](t)(c.GetProgramWithResponse(t.Context(), p.ID))
	if got.Headers200.ETag != `"3"` || got.JSON200.Version != 3 {
		t.Errorf("the program is %s", got.Body)
	}
	if got := c.events(p.ID); got != "program.created program.updated program.updated" {
		t.Errorf("events: %s", got)
	}
}

func TestProgramsAreListedByStateNewestFirst(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	var want []uuid.UUID
	for range 3 {
		want = append([]uuid.UUID{c.activeProgram(nil).ID}, want...)
	}
	must[*client.CreateProgramResult](t)(c.createProgram(client.NewProgram{}))
	state := client.ProgramStateActive
	var got []uuid.UUID
	for p, err := range client.All(func(cursor *string) ([]client.Program, nextCursor, error) {
		page, err := c.ListProgramsWithResponse(t.Context(), &client.ListProgramsParams{State: &state, Limit: ptr(int64(2)), Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Data, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if p.CurrentVersion.MustGet().Number != 1 {
			t.Errorf("listed %+v", p)
		}
		got = append(got, p.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

func TestProgramsOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	mine, other := w.live(), w.as(w.newPair("Globex").LiveKey)
	p := mine.activeProgram(nil)
	version := p.CurrentVersion.MustGet().ID
	foreign := other.activeProgram(nil)
	for _, id := range []uuid.UUID{p.ID, uuid.Must(uuid.NewV7())} {
		for _, c := range []caller{other, w.test()} {
			refused[*client.GetProgramResult](t, "not_found", "")(c.GetProgramWithResponse(t.Context(), id))
			refused[*client.GetPublicProgramResult](t, "not_found", "")(c.GetPublicProgramWithResponse(t.Context(), id))
			refused[*client.Program](t, "not_found", "")(c.move(id, "pause"))
			refused[*client.UpdateProgramResult](t, "not_found", "")(c.UpdateProgramWithResponse(t.Context(), id, &client.UpdateProgramParams{IfMatch: `"1"`}, client.ProgramPatch{Name: ptr("x")}))
			refused[*client.PublishProgramVersionResult](t, "not_found", "")(c.PublishProgramVersionWithResponse(t.Context(), id, &client.PublishProgramVersionParams{}, client.NewProgramVersion{}))
			refused[*client.ValidateRulesResult](t, "not_found", "")(c.ValidateRulesWithResponse(t.Context(), id, &client.ValidateRulesParams{}, client.NewProgramVersion{}))
			refused[*client.ListProgramVersionsResult](t, "not_found", "")(c.ListProgramVersionsWithResponse(t.Context(), id, &client.ListProgramVersionsParams{}))
			refused[*client.GetProgramVersionResult](t, "not_found", "")(c.GetProgramVersionWithResponse(t.Context(), id, version))
		}
	}
	refused[*client.GetProgramVersionResult](t, "not_found", "")(other.GetProgramVersionWithResponse(t.Context(), foreign.ID, version))
}

func TestABrowserReadsOnlyThePublicPartOfAProgram(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.activeProgram(nil)
	browser := w.as(must[*client.CreateAPIKeyResult](t)(c.CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, client.NewAPIKey{
		Name: "Browser", Kind: "publishable", Scopes: []client.Scope{},
	})).JSON201.Secret.MustGet())
	must[*client.GetPublicProgramResult](t)(browser.GetPublicProgramWithResponse(t.Context(), p.ID))
	refused[*client.GetProgramResult](t, "forbidden", "")(browser.GetProgramWithResponse(t.Context(), p.ID))
	refused[*client.Program](t, "forbidden", "")(browser.move(p.ID, "pause"))
}

func TestAFactCountsByTheStateOfTheProgramAtItsTime(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	p := c.activeProgram(nil)
	code := c.code(p.ID, "alice", nil)
	signup := func(who string, at time.Time) client.ReasonCode {
		t.Helper()
		res := must[*client.CreateSignupResult](t)(c.CreateSignupWithResponse(t.Context(), &client.CreateSignupParams{}, client.NewSignup{
			ProgramID: p.ID, RefereeExternalID: who, ExternalID: who, Code: &code.Value, OccurredAt: &at,
		}))
		return res.JSON201.Reason
	}
	start := time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)
	c.moveClock(start)
	must[*client.Program](t)(c.move(p.ID, "pause"))
	c.moveClock(start.Add(time.Hour))
	must[*client.Program](t)(c.move(p.ID, "activate"))
	c.moveClock(start.Add(2 * time.Hour))
	must[*client.Program](t)(c.move(p.ID, "end"))
	for who, step := range map[string]struct {
		at   time.Time
		want client.ReasonCode
	}{
		"before":  {start.Add(-time.Microsecond), "ATTRIBUTED_EXPLICIT_CODE"},
		"paused":  {start, "PROGRAM_NOT_ACTIVE"},
		"still":   {start.Add(time.Hour - time.Microsecond), "PROGRAM_NOT_ACTIVE"},
		"resumed": {start.Add(time.Hour), "ATTRIBUTED_EXPLICIT_CODE"},
		"ended":   {start.Add(2 * time.Hour), "PROGRAM_NOT_ACTIVE"},
	} {
		if got := signup(who, step.at); got != step.want {
			t.Errorf("%s: %s, want %s", who, got, step.want)
		}
	}
}
