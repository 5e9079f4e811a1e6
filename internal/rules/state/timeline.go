package state

import "time"

// Period says that something was in State, for Reason, from At on.
type Period struct {
	At     time.Time `json:"at"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
}

// Timeline is every period of a thing, oldest first.
type Timeline []Period

// At returns the period that holds t. The first period reaches back without end: a fact may have occurred before its
// program or code was entered here, and how far back facts are accepted is bounded elsewhere. False without any period.
func (tl Timeline) At(t time.Time) (Period, bool) {
	for i := len(tl) - 1; i > 0; i-- {
		if !tl[i].At.After(t) {
			return tl[i], true
		}
	}
	if len(tl) == 0 {
		return Period{}, false
	}
	return tl[0], true
}

// Last returns the newest period; the zero Period when there is none.
func (tl Timeline) Last() Period {
	if len(tl) == 0 {
		return Period{}
	}
	return tl[len(tl)-1]
}
