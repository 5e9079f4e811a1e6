package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/conform"
	"github.com/grapevine-referrals/grapevine/internal/server/servertest"
)

func TestConformTellsWhatHolds(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	live, test := s.Pair()
	code, stdout, stderr := ran(t, nil, "conform", "-url", s.URL, "-key", test.Secret, "-only", "reversal-three-refunds")
	if code != 0 || !strings.Contains(stdout, "held    reversal-three-refunds  52 ") || !strings.Contains(stdout, "1 held, 0 did not.") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	env := map[string]string{"GRAPEVINE_URL": s.URL, "GRAPEVINE_OPERATOR_TOKEN": servertest.OperatorToken}
	if code, stdout, stderr = ran(t, env, "conform", "-own", "-json", "-only", "reversal-three-*"); code != 0 {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	var results []conform.Result
	if err := json.Unmarshal([]byte(stdout), &results); err != nil || len(results) != 1 || !results[0].Held {
		t.Errorf("%v: %s", err, stdout)
	}
	if code, stdout, stderr = ran(t, env, "conform", "-key", live.Secret); code != 1 || stdout != "" || !strings.Contains(stderr, "live workspace") {
		t.Errorf("in a live workspace: exit status %d, %q %q", code, stdout, stderr)
	}
	if code, _, stderr = ran(t, env, "conform", "-key", test.Secret, "-only", "nothing-*"); code != 1 || !strings.Contains(stderr, "nothing-*") {
		t.Errorf("of no situation: exit status %d, %q", code, stderr)
	}
}

func TestConformSaysWhereASituationDoesNotHold(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t)
	_, test := s.Pair()
	dir := t.TempDir()
	const planted = `name: A wrong figure
given:
  program:
    rules:
      rewards:
        share: { triggers: [purchase], beneficiary: referrer, kind: money, amount: { type: basis_points, value: 1000 } }
  referred: { B: A }
when:
  - purchase: { who: B, order: o1, amount: 10000 }
then:
  balances: { A: { available: 1001 } }
`
	if err := os.WriteFile(filepath.Join(dir, "planted.yaml"), []byte(planted), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := ran(t, nil, "conform", "-url", s.URL, "-key", test.Secret, "-dir", dir)
	if code != 1 || !strings.Contains(stdout, "FAILED  planted") || !strings.Contains(stdout, "0 held, 1 did not.") ||
		!strings.Contains(stdout, "planted.yaml:11: balance of A, available: expected 1001, got 1000\n") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	if err := os.WriteFile(filepath.Join(dir, "planted.yaml"), []byte(planted+"thne: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = ran(t, nil, "conform", "-url", s.URL, "-key", test.Secret, "-dir", dir)
	if code != 1 || stdout != "" || !strings.Contains(stderr, `planted.yaml:12: "thne" is not known here`) {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}
