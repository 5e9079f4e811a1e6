package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/gen/client"
)

func TestAnOperatorCreatesAPairOfWorkspacesWithKeysThatMayDoEverything(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	operator := w.as(operatorToken)
	res := must[*client.CreateWorkspaceResult](t)(operator.CreateWorkspaceWithResponse(t.Context(), &client.CreateWorkspaceParams{},
		client.NewWorkspace{Name: "  Globex ", LinkHost: ptr("go.globex.example")}))
	pair := res.JSON201
	if res.Headers201.Location != "/v1/workspace" || pair.SecretAlreadyShown {
		t.Errorf("location %q, already shown %v", res.Headers201.Location, pair.SecretAlreadyShown)
	}
	live, test := pair.Live, pair.Test
	if live.Mode != "live" || test.Mode != "test" || live.PairedWorkspaceID != test.ID || test.PairedWorkspaceID != live.ID ||
		live.Name != "Globex" || live.LinkHost.MustGet() != "go.globex.example" || !test.LinkHost.IsNull() || live.Slug == test.Slug {
		t.Errorf("the pair is %+v", pair)
	}
	for key, want := range map[string]client.Workspace{pair.LiveKey.MustGet(): live, pair.TestKey.MustGet(): test} {
		c := w.as(key)
		got := must[*client.GetWorkspaceResult](t)(c.GetWorkspaceWithResponse(t.Context())).JSON200
		if got.ID != want.ID || got.Mode != want.Mode || got.Slug != want.Slug {
			t.Errorf("the key is of %+v, want %+v", got, want)
		}
		c.activeProgram(nil)
		keys := must[*client.ListAPIKeysResult](t)(c.ListAPIKeysWithResponse(t.Context(), &client.ListAPIKeysParams{})).JSON200
		if len(keys.Data) != 1 || c.events(want.ID) != "workspace.created" || c.events(keys.Data[0].ID) != "api_key.created" {
			t.Errorf("keys %+v, events %q %q", keys.Data, c.events(want.ID), c.events(keys.Data[0].ID))
		}
	}
}

func TestARepeatedCreationOfAWorkspaceShowsNoKeys(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	operator := w.as(operatorToken)
	before := w.number("SELECT count(*) FROM workspaces")
	params := &client.CreateWorkspaceParams{IdempotencyKey: "pair-1"}
	body := client.NewWorkspace{Name: "Globex"}
	first := must[*client.CreateWorkspaceResult](t)(operator.CreateWorkspaceWithResponse(t.Context(), params, body)).JSON201
	res := must[*client.CreateWorkspaceResult](t)(operator.CreateWorkspaceWithResponse(t.Context(), params, body))
	again := res.JSON201
	if !again.LiveKey.IsNull() || !again.TestKey.IsNull() || !again.SecretAlreadyShown || again.Live.ID != first.Live.ID ||
		res.HTTPResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the replay is %s", res.Body)
	}
	if n := w.number("SELECT count(*) FROM workspaces") - before; n != 2 {
		t.Errorf("%d workspaces were made", n)
	}
	stored := w.number(`SELECT count(*) FROM idempotency_keys WHERE convert_from(body, 'UTF8') LIKE '%gv_live_sk_%'`)
	if stored != 0 {
		t.Error("a key is stored with the answer")
	}
}

func TestNoTwoWorkspacesShareALinkHost(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	operator := w.as(operatorToken)
	errs := atOnce(4, func(int) error {
		_, err := operator.CreateWorkspaceWithResponse(t.Context(), &client.CreateWorkspaceParams{},
			client.NewWorkspace{Name: "Globex", LinkHost: ptr("go.globex.example")})
		return err
	})
	if count(errs, "") != 1 || count(errs, "conflict") != 3 {
		t.Errorf("the answers are %v", errs)
	}
}

func TestOnlyTheOperatorCreatesWorkspaces(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	body := client.NewWorkspace{Name: "Globex"}
	refused[*client.CreateWorkspaceResult](t, "forbidden", "")(w.live().CreateWorkspaceWithResponse(t.Context(), &client.CreateWorkspaceParams{}, body))
	refused[*client.CreateWorkspaceResult](t, "unauthenticated", "")(w.as("guess").CreateWorkspaceWithResponse(t.Context(), &client.CreateWorkspaceParams{}, body))
	refused[*client.GetWorkspaceResult](t, "unauthenticated", "")(w.as(operatorToken).GetWorkspaceWithResponse(t.Context()))
}

func TestAWorkspaceTellsItsClock(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	if ws := must[*client.GetWorkspaceResult](t)(c.GetWorkspaceWithResponse(t.Context())).JSON200; !ws.ClockAt.IsNull() {
		t.Errorf("the clock stands at %v", ws.ClockAt)
	}
	to := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	c.moveClock(to)
	if ws := must[*client.GetWorkspaceResult](t)(c.GetWorkspaceWithResponse(t.Context())).JSON200; !ws.ClockAt.MustGet().Equal(to) {
		t.Errorf("the clock stands at %v, want %v", ws.ClockAt, to)
	}
}

func TestAKeyIsShownOnceAndWorksUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	params := &client.CreateAPIKeyParams{IdempotencyKey: "key-1"}
	body := client.NewAPIKey{Name: "Reader", Kind: "secret", Scopes: []client.Scope{"programs:read"}}
	res := must[*client.CreateAPIKeyResult](t)(c.CreateAPIKeyWithResponse(t.Context(), params, body))
	issued := res.JSON201
	text := issued.Secret.MustGet()
	if issued.APIKey.Prefix != text[:12] || issued.APIKey.LastFour != text[len(text)-4:] || issued.APIKey.Mode != "live" || issued.SecretAlreadyShown ||
		res.Headers201.Location != "/v1/api-keys/"+issued.APIKey.ID.String() {
		t.Errorf("issued %s", res.Body)
	}
	again := must[*client.CreateAPIKeyResult](t)(c.CreateAPIKeyWithResponse(t.Context(), params, body)).JSON201
	if !again.Secret.IsNull() || !again.SecretAlreadyShown || again.APIKey.ID != issued.APIKey.ID {
		t.Errorf("the replay is %+v", again)
	}

	reader := w.as(text)
	must[*client.ListProgramsResult](t)(reader.ListProgramsWithResponse(t.Context(), &client.ListProgramsParams{}))
	refused[*client.ListParticipantsResult](t, "forbidden", "")(reader.ListParticipantsWithResponse(t.Context(), &client.ListParticipantsParams{}))

	for range 2 { // the second changes nothing
		revoked := must[*client.RevokeAPIKeyResult](t)(c.RevokeAPIKeyWithResponse(t.Context(), issued.APIKey.ID, &client.RevokeAPIKeyParams{})).JSON200
		if revoked.RevokedAt.IsNull() {
			t.Error("the key is not revoked")
		}
	}
	refused[*client.ListProgramsResult](t, "unauthenticated", "")(reader.ListProgramsWithResponse(t.Context(), &client.ListProgramsParams{}))
	if got := c.events(issued.APIKey.ID); got != "api_key.created api_key.revoked" {
		t.Errorf("events: %s", got)
	}
}

func TestAKeyPassesOnOnlyWhatItMay(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	create := func(c caller, n client.NewAPIKey) (*client.CreateAPIKeyResult, error) {
		n.Name = "k"
		return c.CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, n)
	}
	few := w.as(must[*client.CreateAPIKeyResult](t)(create(w.live(), client.NewAPIKey{
		Kind: "secret", Scopes: []client.Scope{"keys:write", "codes:write"},
	})).JSON201.Secret.MustGet())
	must[*client.CreateAPIKeyResult](t)(create(few, client.NewAPIKey{Kind: "secret", Scopes: []client.Scope{"codes:read", "keys:read"}}))
	refused[*client.CreateAPIKeyResult](t, "forbidden", "")(create(few, client.NewAPIKey{Kind: "secret", Scopes: []client.Scope{"codes:read", "rewards:read"}}))
	refused[*client.CreateAPIKeyResult](t, "forbidden", "")(create(few, client.NewAPIKey{Kind: "publishable", Scopes: []client.Scope{}}))

	for name, n := range map[string]client.NewAPIKey{
		"/scopes":     {Kind: "secret", Scopes: []client.Scope{}},
		"/expires_at": {Kind: "secret", Scopes: []client.Scope{"codes:read"}, ExpiresAt: ptr(time.Now().Add(-time.Second))},
	} {
		refused[*client.CreateAPIKeyResult](t, "validation_failed", name)(create(w.live(), n))
	}
	refused[*client.CreateAPIKeyResult](t, "validation_failed", "/scopes")(create(w.live(), client.NewAPIKey{
		Kind: "publishable", Scopes: []client.Scope{"clicks:write", "codes:read"},
	}))
	browser := must[*client.CreateAPIKeyResult](t)(create(w.test(), client.NewAPIKey{Kind: "publishable", Scopes: []client.Scope{}})).JSON201
	if s := browser.APIKey.Scopes; len(s) != 1 || s[0] != "clicks:write" || browser.APIKey.Mode != "test" || browser.APIKey.Prefix != "gv_test_pk_"+browser.APIKey.Prefix[11:] {
		t.Errorf("the publishable key is %+v", browser.APIKey)
	}
}

func TestAKeyEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	// Keys of test workspaces are not kept in the process, so that what SQL does to one is seen at once.
	issued := must[*client.CreateAPIKeyResult](t)(w.test().CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, client.NewAPIKey{
		Name: "Short", Kind: "secret", Scopes: []client.Scope{"programs:read"}, ExpiresAt: ptr(time.Now().Add(time.Hour)),
	})).JSON201
	short := w.as(issued.Secret.MustGet())
	must[*client.ListProgramsResult](t)(short.ListProgramsWithResponse(t.Context(), &client.ListProgramsParams{}))
	if _, err := w.database.Owner(t).Exec(t.Context(), "UPDATE api_keys SET expires_at = now() WHERE id = $1", issued.APIKey.ID); err != nil {
		t.Fatal(err)
	}
	refused[*client.ListProgramsResult](t, "unauthenticated", "")(short.ListProgramsWithResponse(t.Context(), &client.ListProgramsParams{}))
}

func TestKeysAreListedNewestFirstAndOnlyTheOwn(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c, other := w.live(), w.test()
	for range 3 {
		must[*client.CreateAPIKeyResult](t)(c.CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, client.NewAPIKey{
			Name: "k", Kind: "secret", Scopes: []client.Scope{"programs:read"},
		}))
	}
	page := must[*client.ListAPIKeysResult](t)(c.ListAPIKeysWithResponse(t.Context(), &client.ListAPIKeysParams{Limit: ptr(int64(3))})).JSON200
	cursor := page.NextCursor.MustGet()
	rest := must[*client.ListAPIKeysResult](t)(c.ListAPIKeysWithResponse(t.Context(), &client.ListAPIKeysParams{Cursor: &cursor})).JSON200
	if len(page.Data) != 3 || !page.HasMore || len(rest.Data) != 1 || rest.HasMore || rest.Data[0].Name != "First key" {
		t.Errorf("pages %+v %+v", page, rest)
	}
	refused[*client.ListAPIKeysResult](t, "malformed_request", "")(other.ListAPIKeysWithResponse(t.Context(), &client.ListAPIKeysParams{Cursor: &cursor}))
	for _, id := range []uuid.UUID{page.Data[0].ID, uuid.Must(uuid.NewV7())} {
		refused[*client.GetAPIKeyResult](t, "not_found", "")(other.GetAPIKeyWithResponse(t.Context(), id))
		refused[*client.RevokeAPIKeyResult](t, "not_found", "")(other.RevokeAPIKeyWithResponse(t.Context(), id, &client.RevokeAPIKeyParams{}))
	}
	got := must[*client.GetAPIKeyResult](t)(c.GetAPIKeyWithResponse(t.Context(), page.Data[0].ID))
	if got.StatusCode() != http.StatusOK || !got.JSON200.RevokedAt.IsNull() {
		t.Errorf("the key is %s", got.Body)
	}
}

func TestTheFirstKeyHasEveryScopeOfTheContract(t *testing.T) {
	t.Parallel()
	var contract struct {
		Components struct {
			Schemas struct {
				Scope struct{ Enum []string }
			}
		}
	}
	if err := json.Unmarshal(gen.OpenAPIJSON, &contract); err != nil {
		t.Fatal(err)
	}
	first := Principal{Scopes: allScopes()}
	for _, scope := range contract.Components.Schemas.Scope.Enum {
		if !first.allows(scope) {
			t.Errorf("the first key lacks %s", scope)
		}
	}
	for _, scope := range allScopes() {
		if !slices.Contains(contract.Components.Schemas.Scope.Enum, scope) {
			t.Errorf("the contract does not know %s", scope)
		}
	}
}
