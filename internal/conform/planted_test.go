package conform_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/grapevine-referrals/grapevine/internal/conform"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

// planted is a situation in which every line with a comment is wrong; the comment is what must be said of it.
const planted = `name: Wrong expectations
given:
  program:
    rules:
      rewards:
        share: { triggers: [purchase], beneficiary: referrer, kind: money, amount: { type: basis_points, value: 1000 }, hold_seconds: 1d }
  codes: { a: A, c: C }
when:
  - signup: { who: B, code: a }
    expect: { status: 200 } # signup.status: expected 200, got 201
  - purchase: { who: B, order: o1, amount: 10000 }
    at: +1h
    expect:
      reason: BELOW_MINIMUM # purchase.reason: expected "BELOW_MINIMUM", got "COUNTED"
      rewards: [] # purchase.rewards: expected 0 entries, got 1 more
  - refund: { order: o1, amount: 10001 } # refund: expected an answer that accepts it, got 422
  - together:
      - signup: { who: D, code: a }
      - signup: { who: D, code: c }
    expect:
      - { status: 201, attributed: true }
      - { status: 201, attributed: false } # together[].status: expected 201, got 200
then:
  referrals:
    B: { referrer: C } # referral of B.referrer: expected "C", got "A"
    C: { state: qualified } # referral of C: expected {state: "qualified"}, got none
    D: none # referral of D: expected none, got {
  rewards:
    - to: A
      granted: 999 # rewards[].granted: expected 999, got 1000
      available_at: +1d+1h
  balances:
    A: { pending: 1000, available: 1 } # balance of A, available: expected 1, got 0
    C: { paid: 5 } # balance of C, paid: expected 5, got 0
  orders:
    o1: { net_amount: 0 } # order o1.net_amount: expected 0, got 10000
    o2: { net_amount: 0 } # order o2: expected {net_amount: 0}, got no such conversion
  codes: { c: { uses: 7 } } # code c.uses: expected 7, got
  decisions: { B: [{ attributed: true }, { attributed: false }] } # decisions about B: expected {attributed: false}, got none of
  people: { A: { state: banned } } # A.state: expected "banned", got "active"
  statistics: { revenue: 1 } # statistics.revenue: expected 1, got 10000
  counts: { signups: 1 } # number of signups: expected 1, got 3
`

func play(t *testing.T, text string, o conform.Options) []string {
	t.Helper()
	all, err := conform.Load(fstest.MapFS{"planted.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	results, err := conform.Run(t.Context(), o, all)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range results[0].Failures {
		out = append(out, f.String())
	}
	return out
}

// TestWrongExpectationsAreSeen: each is reported once, with its line, what was expected and what came.
func TestWrongExpectationsAreSeen(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	_, test := s.Pair()
	got := play(t, planted, conform.Options{URL: s.URL, Key: test.Secret})
	n := 0
	for i, line := range strings.Split(planted, "\n") {
		_, want, wrong := strings.Cut(line, " # ")
		if !wrong {
			continue
		}
		n++
		want = regexp.QuoteMeta(want)
		pattern := regexp.MustCompile(`^planted\.yaml:` + strconv.Itoa(i+1) + `: ` + want)
		found := 0
		for _, f := range got {
			if pattern.MatchString(f) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d failures are like %s", found, pattern)
		}
	}
	if len(got) != n {
		t.Errorf("%d failures, not %d:\n%s", len(got), n, strings.Join(got, "\n"))
	}
}

// liar changes what a server answers.
type liar struct{ path, truth, lie string }

func (l liar) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !regexp.MustCompile(l.path).MatchString(r.URL.Path) {
		return res, err
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(regexp.MustCompile(l.truth).ReplaceAll(raw, []byte(l.lie))))
	return res, err
}

// TestABrokenServerIsSeen: what must hold after every situation is seen to fail on servers that break it.
func TestABrokenServerIsSeen(t *testing.T) {
	t.Parallel()
	const story = `name: A purchase
given:
  program:
    rules:
      rewards:
        share: { triggers: [purchase], beneficiary: referrer, kind: money, amount: { type: basis_points, value: 1000 } }
  referred: { B: A }
when:
  - purchase: { who: B, order: o1, amount: 10000 }
then: {}
`
	s := servertest.Start(t)
	for name, l := range map[string]liar{
		"the trial balance is zero":       {"/trial-balance$", `"balanced":true`, `"balanced":false`},
		"accounts are what their":         {"/ledger/transfers$", `"amount":1000`, `"amount":999`},
		"people have what they were":      {"/balances$", `"available":1000`, `"available":1001`},
		"every decision can be replayed":  {"/replay$", `"answer_hash":"....`, `"answer_hash":"0000`},
		"the chain of the log verifies":   {"/verification$", `"verified":true`, `"verified":false`},
		"statistics equal facts":          {"/statistics$", `"revenue":10000`, `"revenue":9999`},
		"an answer that it can go on wit": {"/v1/programs$", `"id"`, `"ID"`},
	} {
		_, test := s.Pair()
		got := play(t, story, conform.Options{URL: s.URL, Key: test.Secret, HTTP: &http.Client{Transport: l}})
		if len(got) != 1 || !strings.Contains(got[0], name) {
			t.Errorf("%s: %v", name, got)
		}
	}
	_, test := s.Pair()
	if got := play(t, story, conform.Options{URL: s.URL, Key: test.Secret}); len(got) != 0 {
		t.Errorf("an honest server: %v", got)
	}
}
