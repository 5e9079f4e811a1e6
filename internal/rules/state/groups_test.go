package state_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 0, time.UTC) }
	from := func(groups ...string) (g state.Groups) { // entered on the 1st, changed on the 5th, the 6th and so on
		for i, group := range groups {
			g = g.With(day(1), day(5+i), group)
		}
		return g
	}
	for _, c := range []struct {
		name   string
		groups state.Groups
		at     time.Time
		want   string
	}{
		{"nobody is in a group by themselves", nil, day(9), ""},
		{"who was entered with a group was always in it", state.Groups{}.With(day(1), day(1), "vip"), day(1).AddDate(-1, 0, 0), "vip"},
		{"who was entered without one is in none before", from("vip"), day(5).Add(-time.Microsecond), ""},
		{"a group begins with its moment", from("vip"), day(5), "vip"},
		{"a group ends with the moment of the next", from("vip", "partner"), day(6).Add(-time.Microsecond), "vip"},
		{"the next one", from("vip", "partner"), day(6), "partner"},
		{"a group that was left", from("vip", ""), day(7), ""},
		{"and before", from("vip", ""), day(5), "vip"},
		{"of two changes at one moment the later one stays", from("vip").With(day(1), day(5), "partner"), day(5), "partner"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(c.groups)
			if err != nil {
				t.Fatal(err)
			}
			var read state.Groups
			if err := json.Unmarshal(raw, &read); err != nil {
				t.Fatal(err)
			}
			if got := read.At(c.at); got != c.want {
				t.Errorf("got %q of %s", got, raw)
			}
		})
	}
	if g := from("vip").With(day(1), day(5), "partner"); len(g) != 2 {
		t.Errorf("got %v", g)
	}
}
