package code

import (
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// What a code is at a moment, beyond its stored states: computed, never stored.
const (
	NotStarted = "not_started"
	Expired    = "expired"
	Exhausted  = "exhausted"
)

// Limits bound when and how often a code can be used; nil is without bound. Uses counts the uses of a code with MaxUses.
type Limits struct {
	StartsAt  *time.Time
	ExpiresAt *time.Time
	MaxUses   *int64
	Uses      int64
}

// Effective says what a code is now: its stored state or, when that is active, the limit that stands in the way. It can be used in
// [StartsAt, ExpiresAt).
func Effective(stored state.Code, l Limits, now time.Time) string {
	switch {
	case stored != state.CodeActive:
		return string(stored)
	case l.StartsAt != nil && now.Before(*l.StartsAt):
		return NotStarted
	case l.ExpiresAt != nil && !now.Before(*l.ExpiresAt):
		return Expired
	case l.MaxUses != nil && l.Uses >= *l.MaxUses:
		return Exhausted
	}
	return string(stored)
}
