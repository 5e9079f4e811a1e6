package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

func TestTheExampleStandsAlone(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := ran(t, nil, "example")
	if code != 0 || !strings.Contains(stdout, "Everything is as told.") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}

func TestTheExampleIsToldAgainInAWorkspaceThatIsInUse(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	live, test := s.Pair()
	for range 2 {
		if code, stdout, stderr := ran(t, nil, "example", "-url", s.URL, "-key", test.Secret); code != 0 {
			t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
		}
	}
	env := map[string]string{"GRAPEVINE_URL": s.URL, "GRAPEVINE_API_KEY": live.Secret}
	if code, _, stderr := ran(t, env, "example"); code != 1 || !strings.Contains(stderr, "test workspace") {
		t.Errorf("in a live workspace: exit status %d, %q", code, stderr)
	}
	if code, _, stderr := ran(t, env, "example", "-key", live.Secret+"x"); code != 1 || !strings.Contains(stderr, "unauthenticated") {
		t.Errorf("with a wrong key: exit status %d, %q", code, stderr)
	}
}

func TestAnAnswerThatIsNotAsToldIsMarked(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &story{p: &program{stdout: &out}}
	s.told("state", client.ProgramStateDraft, client.ProgramStateActive)
	s.told("state", client.ProgramStateDraft, "draft")
	err := s.refused("a key", &client.ProblemError{Problem: client.Problem{Status: 500, Code: client.ProblemCodeInternal}}, 401, client.ProblemCodeUnauthenticated)
	if err != nil {
		t.Error(err)
	}
	if err := s.refused("a key", nil, 401, client.ProblemCodeUnauthenticated); err != nil {
		t.Error(err)
	}
	if s.failures != 3 || strings.Count(out.String(), "NOT AS TOLD") != 3 {
		t.Errorf("%d are marked, not 3:\n%s", s.failures, out.String())
	}
}
