package condition_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/condition"
)

// sale is a conversion with something in every field.
func sale() condition.Fact {
	return condition.Fact{
		Type: "purchase", Source: "shop", Amount: 10_000, Currency: "USD",
		OccurredAt: time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3600)),
		Metadata:   map[string]string{"plan": "pro", "seats": "12", "sku-id": "A-100", "empty": ""},
	}
}

func TestEval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       bool
		undecided  bool
	}{
		{"the amount is in minor units", `conversion.amount >= 10000`, true, false},
		{"an amount below does not hold", `conversion.amount > 10000`, false, false},
		{"the type", `conversion.type == "purchase"`, true, false},
		{"the source is one of a list", `conversion.source in ["shop", "app"]`, true, false},
		{"the currency", `conversion.currency != "EUR"`, true, false},
		{"the time is in UTC, whatever it was reported in", `conversion.occurred_at == timestamp("2026-03-02T00:30:00Z")`, true, false},
		{"a time of day", `conversion.occurred_at.getHours() < 1`, true, false},
		{"a time of day elsewhere", `conversion.occurred_at.getHours("America/New_York") == 19`, true, false},
		{"a stretch of time", `conversion.occurred_at - timestamp("2026-03-01T00:30:00Z") == duration("24h")`, true, false},
		{"metadata by field", `conversion.metadata.plan == "pro"`, true, false},
		{"metadata by a name that is no word", `conversion.metadata["sku-id"].startsWith("A-")`, true, false},
		{"metadata that is asked for", `has(conversion.metadata.plan) && !has(conversion.metadata.team)`, true, false},
		{"metadata that is in the names", `"plan" in conversion.metadata`, true, false},
		{"metadata read as a number", `int(conversion.metadata.seats) >= 10`, true, false},
		{"a pattern", `conversion.metadata["sku-id"].matches("^A-[0-9]+$")`, true, false},
		{"any of the metadata", `conversion.metadata.exists(k, conversion.metadata[k] == "pro")`, true, false},
		{"all of the metadata", `conversion.metadata.all(k, size(k) < 10)`, true, false},
		{"a choice", `conversion.amount > 5000 ? conversion.type == "purchase" : true`, true, false},
		{"spaces and line ends do not count", " conversion.amount\n > 1\t", true, false},
		{"a constant", `true`, true, false},

		{"a name that is not there does not hold", `conversion.metadata.team == "blue"`, false, true},
		{"nor does its opposite", `conversion.metadata.team != "blue"`, false, true},
		{"the other side of an or decides", `conversion.metadata.team == "blue" || conversion.amount > 1`, true, false},
		{"a text that is no number does not hold", `int(conversion.metadata.plan) > 1`, false, true},
		{"a division by zero does not hold", `conversion.amount / (conversion.amount - 10000) > 1`, false, true},
		{"an overflow does not hold", `conversion.amount * 9223372036854775807 > 1`, false, true},
		{"an unknown zone does not hold", `conversion.occurred_at.getHours("../../etc/passwd") == 1`, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			compiled, err := condition.Compile(c.text)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a program is used again
				if got, err := compiled.Eval(sale()); got != c.want || (err != nil) != c.undecided {
					t.Errorf("got %t, %v", got, err)
				}
			}
		})
	}
	if got, err := mustCompile(t, `has(conversion.metadata.plan)`).Eval(condition.Fact{}); got || err != nil {
		t.Errorf("a conversion without metadata: got %t, %v", got, err)
	}
}

func mustCompile(t *testing.T, text string) condition.Condition {
	t.Helper()
	c, err := condition.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// numbers is a list of n numbers, written out.
func numbers(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                              {"", "mismatched input"},
		"what is no expression":                {"conversion.amount >", "at character"},
		"a field that is misspelled":           {"conversion.amout > 1", "undefined field 'amout'"},
		"a variable that is not there":         {"participant.group == 'vip'", "undeclared reference to 'participant'"},
		"an amount that is compared to a text": {`conversion.amount > "1"`, "no matching overload"},
		"an amount that is compared to a part": {`conversion.amount > 1.5`, "no matching overload"},
		"metadata that is compared to a count": {`conversion.metadata.seats > 10`, "no matching overload"},
		"a text":                               {`conversion.type`, "this is of type string"},
		"a value of any type":                  {`dyn(true)`, "this is of type dyn"},
		"a function that CEL does not define":  {`exec("rm")`, "undeclared reference to 'exec'"},
		"a pattern that RE2 does not know":     {`conversion.type.matches("(?=a)b")`, "invalid matches argument"},
		"a pattern with a large count":         {`conversion.type.matches("(a{1000}){1000}")`, "invalid matches argument"},
		"a pattern from the metadata":          {`conversion.type.matches(conversion.metadata.p)`, "written out"},
		"a pattern that is put together":       {`matches(conversion.type, "a" + "b")`, "written out"},
		"a time that is none":                  {`conversion.occurred_at > timestamp("yesterday")`, "invalid timestamp"},
		"a list that is made":                  {`[1, 2].map(x, x * 2) == [2, 4]`, "undeclared reference to 'map'"},
		"a list that is filtered":              {`size([1].filter(x, x > 1)) == 0`, "undeclared reference to 'filter'"},
		"what is too long":                     {`"` + strings.Repeat("é", condition.MaxLength) + `" == ""`, "at most 1000 characters"},
		"loops in loops in loops": {
			`[1].all(a, [1].all(b, [1].all(c, a == b && b == c)))`, "nesting",
		},
		"loops that cost too much": {
			numbers(200) + ".all(a, " + numbers(200) + ".all(b, a == b))", "it could cost",
		},
		"texts that grow": {
			`conversion.metadata.all(k, conversion.metadata.all(l, (conversion.metadata[k] + conversion.metadata[l]).contains(conversion.metadata[k])))`, "it could cost",
		},
		"parentheses without end": {strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400), "recursion"},
		"brackets without end":    {strings.Repeat("[", 1_000), "recursion"},
		"a conversion as a whole": {`conversion == conversion`, "it could cost"},
		"a broken text":           {"\xff\xfe\"", "at character"},
		"an unfinished text":      {`"abc`, "at character"},
		"a text with a NUL":       {"\x00", "at character"},
		"a message of protobuf":   {`google.protobuf.Any{type_url: "x"} == null`, "undeclared reference"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			_, err := condition.Compile(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("it took %s to say so", took)
			}
		})
	}
}

// TestTheCostIsBoundedWhileItRuns: a fact beyond the bounds of the contract, for which the estimate does not hold.
func TestTheCostIsBoundedWhileItRuns(t *testing.T) {
	t.Parallel()
	f := sale()
	for i := range 100_000 {
		f.Metadata[fmt.Sprint(i)] = "x"
	}
	if holds, err := mustCompile(t, `conversion.metadata.all(k, size(k) > 0)`).Eval(f); holds || err == nil || !strings.Contains(err.Error(), "cost limit exceeded") {
		t.Errorf("got %t, %v", holds, err)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	var cache condition.Cache
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 300 { // more than it keeps, over all
				text := fmt.Sprintf("conversion.amount > %d", 9_000+i*300+n)
				if got, want := cache.Holds(text, sale()), 10_000 > 9_000+i*300+n; got != want {
					t.Errorf("%s: got %t", text, got)
				}
			}
		})
	}
	wait.Wait()
	for text, want := range map[string]bool{"": true, "true": true, "false": false, "nonsense": false, "conversion.metadata.team == '1'": false} {
		if cache.Holds(text, sale()) != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`conversion.amount > 1 && conversion.metadata.plan in ["a", "b"]`)
	f.Add(`conversion.occurred_at.getHours() < 1 ? has(conversion.metadata.x) : [1].all(x, x > 0)`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := condition.Compile(text)
		if err != nil {
			return
		}
		if holds, err := c.Eval(sale()); holds && err != nil {
			t.Errorf("it holds, with %v", err)
		}
	})
}

func BenchmarkHolds(b *testing.B) {
	var cache condition.Cache
	f := sale()
	for b.Loop() {
		cache.Holds(`conversion.amount >= 5000 && conversion.metadata.plan in ["pro", "team"]`, f)
	}
}
