package conform_test

import (
	"net/http"
	"testing"

	"github.com/grapevine-referrals/grapevine/examples/conformance"
	"github.com/grapevine-referrals/grapevine/internal/conform"
	"github.com/grapevine-referrals/grapevine/internal/server/contracttest"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

func load(t *testing.T) []*conform.Situation {
	t.Helper()
	all, err := conform.Load(conformance.FS)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// holds plays situations against a server.
func holds(t *testing.T, o conform.Options, all []*conform.Situation) {
	t.Helper()
	results, err := conform.Run(t.Context(), o, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for _, f := range r.Failures {
			t.Error(f)
		}
	}
}

// TestEverySituationHoldsByItself plays each in a workspace of its own. Every request and answer is held against the contract on the way.
func TestEverySituationHoldsByItself(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	checked := &http.Client{Transport: contracttest.Transport{TB: t, Requests: true}}
	holds(t, conform.Options{URL: s.URL, OperatorToken: servertest.OperatorToken, HTTP: checked}, load(t))
}

// TestEverySituationHoldsAmongOthers plays all in one workspace, and some of them again: what others do there changes nothing.
func TestEverySituationHoldsAmongOthers(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	_, test := s.Pair()
	for _, only := range []string{"*", "reversal-[a-r]*"} {
		holds(t, conform.Options{URL: s.URL, Key: test.Secret, Only: only}, load(t))
	}
}
