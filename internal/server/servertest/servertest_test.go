package servertest_test

import (
	"net/http"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/server/apikey"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

func TestTheWholeServerAnswers(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	live, test := s.Pair()
	ready, err := s.Client(live.Secret).GetReadinessWithResponse(t.Context())
	if err != nil || ready.StatusCode() != http.StatusOK {
		t.Fatalf("%v %v", ready, err)
	}
	for name, c := range map[string]struct {
		key    string
		status int
	}{
		"no key":               {"", 401},
		"a publishable key":    {live.Publishable, 403},
		"a key without scopes": {s.Key(test.ID, apikey.Test, apikey.Secret), 403},
		"a good one":           {live.Secret, 422},
		"a good one of test":   {test.Secret, 422},
	} {
		if res, body := s.Do("GET", "/v1/programs?limit=0", c.key, ""); res.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	refused, err := s.Client(live.Publishable).ListProgramsWithResponse(t.Context(), &client.ListProgramsParams{})
	if err != nil || refused.ApplicationProblemJSON403 == nil {
		t.Errorf("the generated client got %v, %v", refused, err)
	}
	s.Stop()
	if _, err := http.Get(s.URL + "/livez"); err == nil {
		t.Error("it still answers")
	}
}
