package server

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/problem"
)

const (
	programID = "0190a000-0000-7000-8000-000000000000"
	signup    = `{"program_id":"` + programID + `","referee_external_id":"u1","external_id":"e1"}`
)

// accepting answers every signup with a problem that no check of the edge gives, so that a test sees what got through.
func accepting(b *bench) *api.NewSignup {
	last := &api.NewSignup{}
	b.stub.signup = func(_ context.Context, r api.CreateSignupRequestObject) (api.CreateSignupResponseObject, error) {
		*last = *r.Body
		return nil, problem.UnknownReference
	}
	return last
}

func with(document, members string) string {
	return strings.TrimSuffix(document, "}") + "," + members + "}"
}

func TestBodies(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	accepting(b)
	key := bearerOf(b.secret("signups:write"))
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"as it should be":               {signup, 422, "unknown_reference"},
		"white space around":            {" \n" + signup + "\t", 422, "unknown_reference"},
		"no body":                       {"", 400, "malformed_request"},
		"a name twice":                  {with(signup, `"external_id":"e2"`), 400, "malformed_request"},
		"a name twice by escape":        {with(signup, `"extern\u0061l_id":"e2"`), 400, "malformed_request"},
		"trailing bytes":                {signup + "xx", 400, "malformed_request"},
		"two documents":                 {signup + signup, 400, "malformed_request"},
		"a byte that is not UTF-8":      {with(signup, "\"display_name\":\"\xff\""), 400, "malformed_request"},
		"a lone surrogate":              {with(signup, `"display_name":"\ud800"`), 400, "malformed_request"},
		"an escaped NUL":                {with(signup, `"display_name":"a\u0000"`), 400, "malformed_request"},
		"deep metadata":                 {with(signup, `"metadata":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)), 400, "malformed_request"},
		"an array":                      {`[]`, 422, "validation_failed"},
		"null":                          {`null`, 422, "validation_failed"},
		"another case":                  {with(signup, `"Code":"X"`), 422, "validation_failed"},
		"an unknown property":           {with(signup, `"workspace_id":"`+programID+`"`), 422, "validation_failed"},
		"a read-only property":          {with(signup, `"id":"`+programID+`","state":"x","created_at":"x","version":1`), 422, "validation_failed"},
		"a property missing":            {`{"program_id":"` + programID + `","external_id":"e1"}`, 422, "validation_failed"},
		"a wrong type":                  {with(signup, `"code":5`), 422, "validation_failed"},
		"null where it is not allowed":  {with(signup, `"code":null`), 422, "validation_failed"},
		"an id that is none":            {strings.Replace(signup, programID, "1", 1), 422, "validation_failed"},
		"an id in braces":               {strings.Replace(signup, programID, "{"+programID+"}", 1), 422, "validation_failed"},
		"a control character in a name": {with(signup, `"display_name":"a\nb"`), 422, "validation_failed"},
		"a long name":                   {with(signup, `"display_name":"`+strings.Repeat("a", 121)+`"`), 422, "validation_failed"},
		"many combining marks":          {with(signup, `"display_name":"`+strings.Repeat("\u0301", 300_000)+`"`), 422, "validation_failed"},
		"an RTL override in a code":     {with(signup, `"code":"AB\u202eCD"`), 422, "validation_failed"},
		"a zero-width code":             {with(signup, `"code":"AB\u200bCD"`), 422, "validation_failed"},
		"a newline in a code":           {with(signup, `"code":"AB\nCD"`), 422, "validation_failed"},
		"51 entries of metadata":        {with(signup, `"metadata":`+manyEntries(51)), 422, "validation_failed"},
		"a long name in metadata":       {with(signup, `"metadata":{"`+strings.Repeat("é", 65)+`":"x"}`), 422, "validation_failed"},
		"a hidden name in metadata":     {with(signup, `"metadata":{"a\u202eb":"x"}`), 422, "validation_failed"},
		"an empty name in metadata":     {with(signup, `"metadata":{"":"x"}`), 422, "validation_failed"},
		"a number in metadata":          {with(signup, `"metadata":{"a":1}`), 422, "validation_failed"},
		"metadata as allowed":           {with(signup, `"metadata":{"`+strings.Repeat("é", 64)+`":"x\ny"}`), 422, "unknown_reference"},
	} {
		res, body := b.ask("POST", "/v1/signups", c.body, key, asJSON, withKey)
		b.expect(name, res, body, c.status, c.code)
	}
}

func manyEntries(n int) string {
	m := map[string]string{}
	for i := range n {
		m[strings.Repeat("k", i+1)] = "v"
	}
	text, _ := json.Marshal(m)
	return string(text)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	last := accepting(b)
	key := bearerOf(b.secret("signups:write"))
	for text, ok := range map[string]bool{
		"2026-03-01T10:00:00Z": true, "2026-03-01T10:00:00.123456789+14:00": true, "2026-03-01T10:00:00-12:00": true,
		"2000-01-01T00:00:00Z": true, "2099-12-31T23:59:59Z": true, "2024-02-29T00:00:00Z": true,
		"2026-03-01T10:00:00": false, "2026-03-01 10:00:00Z": false, "2026-03-01": false, "2026-03-01T10:00Z": false,
		"2026-03-01T10:00:00+24:00": false, "2026-03-01T10:00:00+14:60": false, "2026-03-01T10:00:00+15:00": false,
		"0000-01-01T00:00:00Z": false, "1999-12-31T23:59:59Z": false, "2100-01-01T00:00:00Z": false,
		"2000-01-01T00:00:00+00:01": false, "9999-12-31T23:59:59-14:00": false, "10000-01-01T00:00:00Z": false,
		"2026-12-31T23:59:60Z": false, "2026-02-30T00:00:00Z": false, "2025-02-29T00:00:00Z": false, "2026-03-01T24:00:00Z": false,
		"2026-03-01t10:00:00z": false, "2026-03-01T10:00:00z": false, "2026-03-01T10:00:00,5Z": false, "2026-03-01T1:00:00Z": false,
		"2026-03-01T10:00:00." + strings.Repeat("1", 400) + "Z": false, "2026-03-01T10:00:00.Z": false, "+2026-03-01T10:00:00Z": false,
		"now": false, "": false, "1772359200": false, "２026-03-01T10:00:00Z": false,
	} {
		res, body := b.ask("POST", "/v1/signups", with(signup, `"occurred_at":"`+text+`"`), key, asJSON, withKey)
		code := "validation_failed"
		if ok {
			code = "unknown_reference"
		}
		b.expect(text, res, body, 422, code)
		if ok && (last.OccurredAt == nil || last.OccurredAt.Format("2006-01-02T15:04:05") != text[:19]) {
			t.Errorf("%s reached the handler as %v", text, last.OccurredAt)
		}
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := bearerOf(b.secret("conversions:write"))
	conversion := func(amount string) string {
		return `{"program_id":"` + programID + `","referee_external_id":"u","external_id":"e","type":"purchase","currency":"USD","amount":` + amount + `}`
	}
	for amount, want := range map[string]struct {
		status int
		code   string
	}{
		`0`: {422, "amount_not_allowed"}, `-1`: {422, "amount_not_allowed"}, `-0`: {422, "amount_not_allowed"},
		`1000000000000`: {422, "amount_not_allowed"}, `9223372036854775807`: {422, "amount_not_allowed"},
		`9223372036854775808`: {400, "malformed_request"}, `1e3`: {400, "malformed_request"}, `1E400`: {400, "malformed_request"},
		`NaN`: {400, "malformed_request"}, `Infinity`: {400, "malformed_request"}, `-Infinity`: {400, "malformed_request"},
		`10.5`: {422, "validation_failed"}, `10.0`: {422, "validation_failed"}, `"10"`: {422, "validation_failed"},
		`null`: {422, "validation_failed"}, `[1]`: {422, "validation_failed"}, `true`: {422, "validation_failed"},
	} {
		res, body := b.ask("POST", "/v1/conversions", conversion(amount), key, asJSON, withKey)
		b.expect("amount "+amount, res, body, want.status, want.code)
		if want.status == 422 && !strings.Contains(body, `"pointer":"/amount"`) {
			t.Errorf("amount %s: no pointer in %s", amount, body)
		}
	}
	res, body := b.ask("POST", "/v1/conversions", strings.Replace(conversion("-5"), "USD", "usd", 1), key, asJSON, withKey)
	b.expect("two faults", res, body, 422, "validation_failed")
}

func TestFaultsPointAndTellNoValues(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	key := bearerOf(b.secret("signups:write"))
	_, body := b.ask("POST", "/v1/signups", `{"program_id":"planted","external_id":"","click_ids":["planted",1],"a/b~c":1,"metadata":{"x":7}}`,
		key, asJSON, withKey)
	var got struct{ Errors []problem.FieldError }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/program_id": "must be a UUID", "/external_id": "must have at least 1 characters", "/click_ids/0": "must be a UUID",
		"/click_ids/1": "must be a string", "/a~1b~0c": "is not a known property", "/metadata/x": "must be a string",
		"/referee_external_id": "is required",
	}
	found := map[string]string{}
	for _, fault := range got.Errors {
		if found[fault.Pointer] == "" {
			found[fault.Pointer] = fault.Message
		}
	}
	if !reflect.DeepEqual(found, want) || strings.Contains(body, "planted") {
		t.Errorf("faults %v in %s", found, body)
	}
	_, body = b.ask("POST", "/v1/signups", `{"`+strings.Repeat("planted", 20_000)+`":1}`, key, asJSON, withKey)
	if len(body) > 4000 {
		t.Errorf("%d bytes of answer", len(body))
	}
}

func TestMediaTypesAndSizes(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	accepting(b)
	key := bearerOf(b.secret("signups:write", "clicks:write", "programs:read", "codes:write"))
	for media, status := range map[string]int{
		"application/json": 422, "application/json; charset=utf-8": 422, "Application/JSON;charset=UTF-8": 422,
		"application/json; charset=\"utf-8\"": 422, "application/json; charset=utf-16": 415, "application/json; profile=x": 415,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "application/jsonp": 415,
		"application/problem+json": 415, "application/json, text/plain": 415, "application": 415, "*/*": 415,
		"application/json; charset=utf-8; charset=utf-16": 415,
	} {
		res, body := b.ask("POST", "/v1/signups", signup, key, withKey, "Content-Type: "+media)
		b.expect(media, res, body, status, "")
	}
	res, body := b.ask("POST", "/v1/signups", signup, key, withKey)
	b.expect("no media type", res, body, 415, "unsupported_media_type")
	res, body = b.ask("POST", "/v1/signups", signup, key, withKey, asJSON, "Content-Type: text/plain")
	b.expect("two media types", res, body, 415, "unsupported_media_type")
	res, body = b.ask("POST", "/v1/signups", signup, key, withKey, asJSON, "Content-Encoding: gzip")
	b.expect("compressed", res, body, 415, "unsupported_media_type")

	large := `{"a":"` + strings.Repeat("a", 1<<20) + `"}`
	res, body = b.ask("POST", "/v1/signups", large, key, withKey, asJSON)
	b.expect("over a mebibyte", res, body, 413, "payload_too_large")
	res, body = b.ask("POST", "/v1/clicks/batch", large, key, withKey, asJSON)
	b.expect("a batch may be larger", res, body, 422, "validation_failed")
	res, body = b.ask("POST", "/v1/clicks/batch", strings.Repeat(" ", 4<<20)+large, key, withKey, asJSON)
	b.expect("but not over four", res, body, 413, "payload_too_large")
	res, body = b.ask("GET", "/v1/programs", `{}`, key, asJSON)
	b.expect("a body with GET", res, body, 400, "malformed_request")
	res, body = b.ask("POST", "/v1/codes/"+programID+"/enable", `{}`, key, withKey, asJSON)
	b.expect("a body where none is taken", res, body, 400, "malformed_request")
	res, body = b.ask("GET", "/v1/programs?x="+strings.Repeat("a", 9000), "", key)
	b.expect("a long target", res, body, 414, "uri_too_long")
}

func TestNamesAreNormalised(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	last := accepting(b)
	key := bearerOf(b.secret("signups:write"))
	for sent, stored := range map[string]string{
		"Ada": "Ada", "  Ada  ": "Ada", "Jose\u0301": "José", "a\u202eb\u2066c": "abc", "a\u200bb\ufeffc\u00add": "abcd",
		"\U0001F469\u200d\U0001F4BB": "\U0001F469\u200d\U0001F4BB", "نمی\u200cخواهم": "نمی\u200cخواهم", "a\u2028b": "ab", "\u3164x": "x",
	} {
		body, _ := json.Marshal(map[string]string{"program_id": programID, "referee_external_id": "u", "external_id": "e", "display_name": sent})
		res, answer := b.ask("POST", "/v1/signups", string(body), key, asJSON, withKey)
		b.expect(sent, res, answer, 422, "unknown_reference")
		if got := last.DisplayName.MustGet(); got != stored {
			t.Errorf("%q is stored as %q, want %q", sent, got, stored)
		}
	}
	res, body := b.ask("POST", "/v1/signups", with(signup, `"display_name":"\u200b\u202e "`), key, asJSON, withKey)
	b.expect("nothing is left", res, body, 422, "validation_failed")
}

func TestDefaultsReachTheHandlerAndTheFingerprint(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	var prints [][]byte
	b.stub.program = func(ctx context.Context, r api.CreateProgramRequestObject) (api.CreateProgramResponseObject, error) {
		prints = append(prints, requestFrom(ctx).fingerprint())
		if r.Body.HonorPendingSeconds == nil || *r.Body.HonorPendingSeconds != 2592000 || *r.Body.TimeZone != "UTC" {
			t.Errorf("the handler got %+v", r.Body)
		}
		return nil, problem.CodeTaken
	}
	key := bearerOf(b.secret("programs:write"))
	for _, body := range []string{
		`{"name":"A","currency":"USD","landing_url":"https://a.example/"}`,
		`{"landing_url":"https://a.example/", "currency":"USD" ,"name":"A","time_zone":"UTC","honor_pending_seconds":2592000}`,
		`{"name":"B","currency":"USD","landing_url":"https://a.example/"}`,
	} {
		res, answer := b.ask("POST", "/v1/programs", body, key, asJSON, withKey)
		b.expect(body, res, answer, 409, "code_taken")
	}
	if len(prints) != 3 || string(prints[0]) != string(prints[1]) || string(prints[0]) == string(prints[2]) {
		t.Errorf("fingerprints %x", prints)
	}
}
