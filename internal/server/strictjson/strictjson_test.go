package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/server/strictjson"
)

func TestRefuses(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := map[string]string{
		"an empty document":                   ``,
		"only space":                          " \n",
		"a name twice":                        `{"amount":99999999999,"amount":5}`,
		"a name twice, once escaped":          `{"amount":1,"am\u006funt":5}`,
		"a name twice in a nested object":     `{"a":[{"b":1,"c":2,"b":3}]}`,
		"trailing bytes":                      `{"amount":5} xx`,
		"two documents":                       `{"amount":5}{"amount":6}`,
		"a NUL byte after the document":       "{}\x00",
		"a byte that is not UTF-8":            "{\"name\":\"a\xff\"}",
		"an overlong encoding":                "\"\xc0\xaf\"",
		"an encoded surrogate":                "\"\xed\xa0\x80\"",
		"a lone high surrogate escape":        `"\ud800"`,
		"a lone low surrogate escape":         `"\udc00"`,
		"a high surrogate and a plain escape": `"\ud800\u0041"`,
		"surrogates in the wrong order":       `"\udc00\ud800"`,
		"an escaped NUL":                      `"a\u0000b"`,
		"a raw NUL":                           "\"a\x00b\"",
		"a raw newline in a string":           "\"a\nb\"",
		"a byte order mark":                   "\ufeff{}",
		"33 levels":                           deep(33),
		"20,000 levels":                       deep(20000),
		"20,000 levels that never close":      strings.Repeat(`{"a":`, 20000),
		"more values than fit":                "[" + strings.Repeat("{},", 100_000) + "{}]",
		"NaN":                                 `{"amount":NaN}`,
		"Infinity":                            `{"amount":-Infinity}`,
		"an exponent":                         `{"amount":1e3}`,
		"an exponent after a fraction":        `{"amount":1.5E-3}`,
		"one above int64":                     `9223372036854775808`,
		"one below int64":                     `-9223372036854775809`,
		"a leading zero":                      `{"amount":05}`,
		"a leading plus":                      `+5`,
		"a hexadecimal number":                `0x10`,
		"a number without digits":             `-`,
		"a fraction without digits":           `1.`,
		"a comma before the end":              `{"a":1,}`,
		"a comma before the end of an array":  `[1,]`,
		"a comment":                           `{/**/}`,
		"single quotes":                       `{'a':1}`,
		"a bare name":                         `{a:1}`,
		"an open string":                      `"abc`,
		"an open escape":                      `"abc\`,
		"a short unicode escape":              `"\u12"`,
		"an unknown escape":                   `"\x41"`,
		"a word cut short":                    `tru`,
		"a word in upper case":                `True`,
		"a mismatched end":                    `{"a":[1}`,
		"a missing colon":                     `{"a" 1}`,
		"a form feed as space":                "\f{}",
	}
	for name, doc := range tests {
		v, err := strictjson.Parse([]byte(doc))
		var syntax *strictjson.SyntaxError
		if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(doc) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	tests := map[string]any{
		`{"a":[1,-2,0,10.50],"b":{"c":null},"d":true}`: map[string]any{
			"a": []any{json.Number("1"), json.Number("-2"), json.Number("0"), json.Number("10.50")},
			"b": map[string]any{"c": nil}, "d": true,
		},
		` { } `:                              map[string]any{},
		`[]`:                                 []any{},
		`"\ud83d\ude00 \u00e9 \/ \" \\ \n"`:  "😀 é / \" \\ \n",
		`"héllo 😀"`:                          "héllo 😀",
		`9223372036854775807`:                json.Number("9223372036854775807"),
		`-9223372036854775808`:               json.Number("-9223372036854775808"),
		`false`:                              false,
		`{"amount":1,"Amount":2}`:            map[string]any{"amount": json.Number("1"), "Amount": json.Number("2")},
		strings.Repeat(" ", 100) + "\t\r\n7": json.Number("7"),
	}
	for doc, want := range tests {
		got, err := strictjson.Parse([]byte(doc))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%s) = %#v, %v", doc, got, err)
		}
	}
	if _, err := strictjson.Parse([]byte(strings.Repeat("[", 32) + strings.Repeat("]", 32))); err != nil {
		t.Errorf("32 levels: %v", err)
	}
}

// What Parse accepts, encoding/json reads alike; what encoding/json refuses, Parse refuses.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,"\ud83d\ude00",null,true,{"b":{}}]}`, `{"a":1,"a":2}`, `"\ud800"`, `[[[[]]]]`, `1e5`, "\"\xff\"", `-0`, `"\u0000"`, `{} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Parse(data)
		if err != nil {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil || !json.Valid(data) {
			t.Fatalf("accepted what encoding/json refuses: %q: %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q read as %#v, encoding/json reads %#v", data, got, want)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := strictjson.Parse(again); err != nil || !reflect.DeepEqual(got, back) {
			t.Fatalf("%q does not survive encoding: %v", data, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	doc := []byte(`{"program_id":"0190a000-0000-7000-8000-000000000000","referee_external_id":"user_123","external_id":"evt_1","code":"ABCD-EFGH","click_ids":["0190a000-0000-7000-8000-000000000001"],"metadata":{"plan":"pro"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := strictjson.Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
