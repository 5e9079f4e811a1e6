package state

import "time"

// Membership says that a participant was in Group from At on; the empty Group is none.
type Membership struct {
	At    time.Time `json:"at"`
	Group string    `json:"group,omitempty"`
}

// Groups is every group that a participant has been in, oldest first.
type Groups []Membership

// At returns the group that holds at t, empty for none. The first one reaches back without end, like the first Period of a Timeline:
// who was made a member when entered here is one for the facts from before.
func (g Groups) At(t time.Time) string {
	for i := len(g) - 1; i > 0; i-- {
		if !g[i].At.After(t) {
			return g[i].Group
		}
	}
	if len(g) == 0 {
		return ""
	}
	return g[0].Group
}

// With adds the group that a participant is in from a moment on. Who was entered without one, born earlier, keeps that for the time
// before.
func (g Groups) With(born, at time.Time, group string) Groups {
	out := append(Groups{}, g...)
	if len(out) == 0 && born.Before(at) {
		out = append(out, Membership{At: born})
	}
	if last := len(out) - 1; last >= 0 && out[last].At.Equal(at) {
		out = out[:last] // it lasted for no time
	}
	return append(out, Membership{At: at, Group: group})
}
