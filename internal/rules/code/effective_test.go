package code

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func TestEffective(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time {
		t := now.Add(d)
		return &t
	}
	two := int64(2)
	for name, c := range map[string]struct {
		stored state.Code
		limits Limits
		want   string
	}{
		"an unlimited code is what it is stored as":     {state.CodeActive, Limits{Uses: 7}, "active"},
		"a code starts at its start":                    {state.CodeActive, Limits{StartsAt: at(0)}, "active"},
		"a code has not started before its start":       {state.CodeActive, Limits{StartsAt: at(time.Microsecond)}, NotStarted},
		"a code lasts until its end":                    {state.CodeActive, Limits{ExpiresAt: at(time.Microsecond)}, "active"},
		"a code has expired at its end":                 {state.CodeActive, Limits{ExpiresAt: at(0)}, Expired},
		"a code has uses left":                          {state.CodeActive, Limits{MaxUses: &two, Uses: 1}, "active"},
		"a code has no uses left":                       {state.CodeActive, Limits{MaxUses: &two, Uses: 2}, Exhausted},
		"an expired code is expired before exhausted":   {state.CodeActive, Limits{ExpiresAt: at(0), MaxUses: &two, Uses: 2}, Expired},
		"a disabled code is disabled whatever its span": {state.CodeDisabled, Limits{ExpiresAt: at(0)}, "disabled"},
		"a retired code is retired":                     {state.CodeRetired, Limits{StartsAt: at(time.Hour)}, "retired"},
	} {
		if got := Effective(c.stored, c.limits, now); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
