package model

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
	"github.com/grapevine-referrals/grapevine/internal/doctor"
	"github.com/grapevine-referrals/grapevine/internal/engine"
)

// TestMain gives the gate the same lives every time, and not too many: what it says depends on the change alone. `-rapid.seed` tells other
// ones, `-rapid.checks` more.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.seed": "20261122", "rapid.checks": "80"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// check tells so many lives less, each of which takes so much longer. Tests that use it are not parallel.
func check(t *testing.T, less int, tell func(*rapid.T)) {
	f := flag.Lookup("rapid.checks")
	all := f.Value.String()
	n, err := strconv.Atoi(all)
	if err == nil {
		err = f.Value.Set(strconv.Itoa(max(n/less, 1)))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Value.Set(all) }()
	rapid.Check(t, tell)
}

// examine has a doctor look at everything that was told.
func examine(t *testing.T, d *dbtest.Database, e *engine.Engine) {
	checks := slices.DeleteFunc(doctor.Checks(), func(c doctor.Check) bool { return c.Name == "durable" })
	findings, err := doctor.Examine(t.Context(), d.Owner(t), checks)
	if err != nil {
		t.Fatal(err)
	}
	unsettled, err := doctor.Settlements(t.Context(), d.Owner(t), d.Store, e, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(findings, unsettled...) {
		t.Errorf("doctor: %v", f)
	}
}

func differences(got, want map[string]string) (out string) {
	keys := slices.Sorted(maps.Keys(got))
	for key := range want {
		if _, ok := got[key]; !ok {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if got[key] != want[key] {
			out += fmt.Sprintf("\n%s is %q, the model says %q", key, got[key], want[key])
		}
	}
	return out
}
