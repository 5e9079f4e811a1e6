package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/api"
)

func TestQueries(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	var got api.ListProgramsParams
	b.stub.list = func(_ context.Context, r api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		got = r.Params
		return noPrograms, nil
	}
	key := bearerOf(b.secret("programs:read", "participants:read"))
	for query, status := range map[string]int{
		"": 200, "limit=5": 200, "limit=200&state=draft": 200, "limit=5&limit=5000": 400, "limit=5&limit=5": 400, "foo=1": 400,
		"limit[]=5": 400, "limit=5;state=draft": 400, "limit=%zz": 400, "limit=0": 422, "limit=201": 422, "limit=+5": 422,
		"limit=05": 422, "limit=5.0": 422, "limit=5e0": 422, "limit=": 422, "limit": 422, "limit=99999999999999999999": 422,
		"state=nothing": 422, "state=": 422, "state=draft%00": 400, "state=%ff": 400, "Limit=5": 400, "cursor=a%20b": 422,
		"limit=%35": 200, "_method=DELETE": 400, "api_key=gv_live_sk_x": 400,
		strings.Repeat("a=1&", 999) + "a=1": 400,
	} {
		res, body := b.ask("GET", "/v1/programs?"+query, "", key)
		b.expect(query, res, body, status, "")
	}
	b.ask("GET", "/v1/programs?limit=7", "", key)
	if got.Limit == nil || *got.Limit != 7 {
		t.Errorf("the handler got %+v", got)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	accepting(b)
	key := bearerOf(b.secret("signups:write", "programs:write"))
	for name, c := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"no key":             {nil, 400, "idempotency_key_missing"},
		"an empty key":       {[]string{"Idempotency-Key: "}, 400, "idempotency_key_missing"},
		"255 characters":     {[]string{"Idempotency-Key: " + strings.Repeat("k", 255)}, 422, "unknown_reference"},
		"256 characters":     {[]string{"Idempotency-Key: " + strings.Repeat("k", 256)}, 400, "malformed_request"},
		"a space inside":     {[]string{"Idempotency-Key: a b"}, 400, "malformed_request"},
		"Unicode":            {[]string{"Idempotency-Key: ключ"}, 400, "malformed_request"},
		"bytes that are not": {[]string{"Idempotency-Key: \xff"}, 400, "malformed_request"},
		"two keys":           {[]string{"Idempotency-Key: a", "Idempotency-Key: b"}, 400, "malformed_request"},
		"two, one of them empty": {[]string{"Idempotency-Key: ", "Idempotency-Key: b"}, 400,
			"malformed_request"},
	} {
		res, body := b.ask("POST", "/v1/signups", signup, append(c.headers, key, asJSON)...)
		b.expect(name, res, body, c.status, c.code)
	}
	for match, status := range map[string]int{"": 428, `W/"1"`: 400, "*": 400, "1": 400, `"1", "2"`: 400, `"12345678901"`: 400} {
		headers := []string{key, asJSON}
		if match != "" {
			headers = append(headers, "If-Match: "+match)
		}
		res, body := b.ask("PATCH", "/v1/programs/"+programID, `{"name":"x"}`, headers...)
		b.expect("If-Match "+match, res, body, status, "")
	}
}

func TestLinksForgiveTheirQuery(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	var got api.FollowLinkRequestObject
	b.stub.follow = func(ctx context.Context, r api.FollowLinkRequestObject) (api.FollowLinkResponseObject, error) {
		got = r
		return api.FollowLink302Response{Headers: api.FollowLink302ResponseHeaders{
			CacheControl: "no-store", Location: "https://shop.example/" + requestFrom(ctx).method,
		}}, nil
	}
	text := func(p *string) string {
		if p == nil {
			return "absent"
		}
		return *p
	}
	for query, source := range map[string]string{
		"utm_source=mail&fbclid=abc&url=https://evil.example": "mail", "utm_source=a&utm_source=b": "a", "utm_source=%0d%0aX:1": "absent",
		"utm_source=%ff": "absent", "utm_source=" + strings.Repeat("a", 201): "absent", "%zz&utm_source=x": "x", "to=//evil&bot=1": "absent",
	} {
		res, body := b.ask("GET", "/r/ABC?"+query, "", "Authorization: anything", "User-Agent: "+strings.Repeat("u", 2000))
		b.expect(query, res, body, http.StatusFound, "")
		if text(got.Params.UtmSource) != source {
			t.Errorf("%s: the handler got %s", query, text(got.Params.UtmSource))
		}
	}
	for target, code := range map[string]string{"/r/ABC": "ABC", "/r/A%2FB": "A/B", "/r/a%20b": "a b", "/r/%25": "%", "/r/A;b": "A;b"} {
		res, body := b.ask("HEAD", target, "")
		b.expect(target, res, body, http.StatusFound, "")
		if got.Code != code || !strings.HasSuffix(res.Header.Get("Location"), "/HEAD") {
			t.Errorf("%s: code %q, location %q", target, got.Code, res.Header.Get("Location"))
		}
	}
	for _, target := range []string{"/r/A%0d%0aB", "/r/%00", "/r/%ff", "/r/A%E2%80%AEB", "/r/" + strings.Repeat("A", 101), "/r/a/b/c", "/r/", "/r"} {
		res, body := b.ask("GET", target, "")
		b.expect(target, res, body, http.StatusNotFound, "not_found")
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	type position struct {
		At time.Time
		ID uuid.UUID
	}
	first := position{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), uuid.Must(uuid.NewV7())}
	b.stub.list = func(ctx context.Context, r api.ListProgramsRequestObject) (api.ListProgramsResponseObject, error) {
		most, after, err := pageFrom[position](ctx, r.Params.Limit, r.Params.Cursor)
		if err != nil {
			return nil, err
		}
		rows := []position{first, {}, {}}
		if after != nil {
			if *after != first || most != 2 {
				t.Errorf("after %+v, at most %d", after, most)
			}
			rows = nil
		}
		rows, next := nextPage(ctx, rows, min(most, 1), func(p position) position { return p })
		return api.ListPrograms200JSONResponse{
			Body: api.ProgramPage{Data: make([]api.Program, 0, len(rows)), NextCursor: next, HasMore: !next.IsNull()},
		}, nil
	}
	key := bearerOf(b.secret("programs:read", "participants:read"))
	_, body := b.ask("GET", "/v1/programs?state=draft", "", key)
	var page struct {
		NextCursor string `json:"next_cursor"`
		HasMore    bool   `json:"has_more"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || !page.HasMore {
		t.Fatal(body, err)
	}
	cursor := page.NextCursor
	other := bearerOf(b.secret("programs:read"))
	flipped := []byte(cursor)
	flipped[len(flipped)-3] ^= 1
	for name, c := range map[string]struct {
		query, key string
		status     int
	}{
		"its own":               {"state=draft&limit=2&cursor=" + cursor, key, 200},
		"another workspace's":   {"state=draft&limit=2&cursor=" + cursor, other, 400},
		"of other filters":      {"state=active&cursor=" + cursor, key, 400},
		"without its filter":    {"cursor=" + cursor, key, 400},
		"a damaged one":         {"state=draft&cursor=" + string(flipped), key, 400},
		"a short one":           {"state=draft&cursor=" + cursor[:8], key, 400},
		"a made-up one":         {"state=draft&cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA", key, 400},
		"not an encoding":       {"state=draft&cursor=A", key, 400},
		"one with more behind":  {"state=draft&cursor=" + cursor + "AAAA", key, 400},
		"one of a longer limit": {"state=draft&limit=2&cursor=" + cursor, key, 200},
	} {
		res, body := b.ask("GET", "/v1/programs?"+c.query, "", c.key)
		code := ""
		if c.status == 400 {
			code = "malformed_request"
		}
		b.expect(name, res, body, c.status, code)
	}
}
