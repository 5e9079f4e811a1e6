package conform

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const smallest = `name: N
given: {}
when: []
then: {}
`

func TestFilesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "s.yaml:1: the file is no mapping",
		"name: N\ngiven: {}\n":          "s.yaml:1: a situation has name, given, when and then",
		smallest + "what: 1\n":          `s.yaml:5: "what" is not known here; known are alone, begins,`,
		smallest + "name: M\n":          `s.yaml:5: "name" is told twice`,
		smallest + "begins: 40 12:00\n": "s.yaml:5: begins: ",
		smallest + "why: &x y\n":        "s.yaml:5: anchors and aliases",
		"name: N\ngiven: {}\nwhen:\n  - purchase: {amount: 1.5}\nthen: {}\n":                 "s.yaml:4: 1.5 is a fraction",
		"name: N\ngiven: {}\nwhen:\n  - buy: {}\nthen: {}\n":                                 `s.yaml:4: "buy" is not known here`,
		"name: N\ngiven: {}\nwhen:\n  - at: +1h\nthen: {}\n":                                 "s.yaml:4: the step says nothing",
		"name: N\ngiven: {}\nwhen:\n  - clock: tomorrow\nthen: {}\n":                         "s.yaml:4: clock: ",
		"name: N\ngiven: {}\nwhen:\n  - { click: {}, churn: {} }\nthen: {}\n":                "s.yaml:4: one step is one thing",
		"name: N\ngiven: {}\nwhen:\n  - together: [{ clock: +1h }]\nthen: {}\n":              "s.yaml:4: clock cannot stand inside together",
		"name: N\ngiven: {}\nwhen:\n  - any_order: []\n  - any_order: []\nthen: {}\n":        "s.yaml:5: a situation has at most one any_order",
		"name: N\ngiven: {}\nwhen:\n  - check:\n      balance: {}\nthen: {}\n":               `s.yaml:5: "balance" is not known here`,
		"name: N\ngiven: {}\nwhen: []\nthen:\n  rewards: []\n  moods: {}\n":                  `s.yaml:6: "moods" is not known here`,
		"name: N\ngiven: { uses: nothing }\nwhen: []\nthen: {}\n":                            "s.yaml:2: the fixture nothing cannot be read",
		"name: N\ngiven:\n  codes:\n    a: { max_uses: 1 }\nwhen: []\nthen: {}\n":            "s.yaml:4: the code lacks `of`",
		"name: N\ngiven: {}\nwhen:\n  - { click: {}, at: +1h, times: often }\nthen: {}\n":    "s.yaml:4: times: a whole number",
		"name: N\ngiven: {}\nwhen: []\nthen: {}\nalone: maybe\n":                             "s.yaml:5: alone: true or false",
		"name: N\ngiven: {}\nwhen: []\nthen: {}\nscenarios: { a: 1 }\n":                      "s.yaml:5: scenarios: ",
		"name: N\ngiven: []\nwhen: []\nthen: {}\n":                                           "s.yaml:2: given: a mapping",
		"name: N\ngiven: {}\nwhen:\n  - { together: [], at: +1h, click: {} }\nthen: {}\n":    "s.yaml:4: one step is one thing",
		"name: N\ngiven: {}\nwhen:\n  - { any_order: [{ together: [] }] }\nthen: {}\n":       "s.yaml:4: together cannot stand inside any_order",
		"name: N\ngiven: {}\nwhen:\n  - { purchase: { amount: 1, amount: 2 } }\nthen: {}\n":  `s.yaml:4: "amount" is told twice`,
		"name: N\ngiven: {}\nwhen:\n  - { purchase: {}, expect: { status: 1.0 } }\nthen: {}": "s.yaml:4: 1.0 is a fraction",
	} {
		_, err := Load(fstest.MapFS{"s.yaml": {Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n  got  %v\n  want %s", text, err, want)
		}
	}
	if _, err := Load(fstest.MapFS{"s.yaml": {Data: []byte(smallest)}}); err != nil {
		t.Error(err)
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("no files are no fault")
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	began := time.Date(2027, 1, 31, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"+0s": "2027-01-31T10:00:00Z", "+1mo": "2027-02-28T10:00:00Z", "+1mo-1s": "2027-02-28T09:59:59Z", "-1d+1ms": "2027-01-30T10:00:00.001Z",
		"+1y": "2028-01-31T10:00:00Z", "+2w": "2027-02-14T10:00:00Z", "-11mo": "2026-02-28T10:00:00Z",
	} {
		if o, err := parseOffset(text); err != nil || o.from(began).Format(time.RFC3339Nano) != want {
			t.Errorf("%s is %v, %v", text, o.from(began), err)
		}
	}
	for _, text := range []string{"", "1h", "+", "+1", "+1h ", "+9999999d", "+1.5h"} {
		if o, err := parseOffset(text); err == nil {
			t.Errorf("%q is %v", text, o)
		}
	}
	for text, want := range map[string]string{
		"02 12:00": "2027-02-02T12:00:00Z", "31 10:00": "2027-03-31T10:00:00Z", "01-31 10:00": "2028-01-31T10:00:00Z", "01-31 10:01": "2027-01-31T10:01:00Z",
		"02-29 00:00": "2028-02-29T00:00:00Z", "Mon 00:00": "2027-02-01T00:00:00Z", "Sun 10:00": "2027-02-07T10:00:00Z",
	} {
		b, err := parseBeginning(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.next(began); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	if b, err := parseBeginning("02-30 00:00"); err != nil {
		t.Error(err)
	} else if at, err := b.next(began); err == nil {
		t.Errorf("30 February is %v", at)
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range permutations(4) {
		seen[fmt.Sprint(p)] = true
	}
	if len(seen) != 24 || !seen["[0 1 2 3]"] || !seen["[3 2 1 0]"] {
		t.Errorf("%d orders: %v", len(seen), seen)
	}
	if n := len(permutations(7)); n != maxOrders {
		t.Errorf("%d of the orders of 7", n)
	}
}
