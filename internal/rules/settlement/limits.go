package settlement

import (
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/calendar"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// Bound is a limit that a due falls under: the cap of its rule for one participant, or with an empty ParticipantID the budget of the
// program. Most is what may be granted in the period that begins on Start, net of what was taken back.
type Bound struct {
	Name          string
	ParticipantID string
	Start         time.Time
	Most          int64
}

// The names of bounds; that of a cap is followed by its rule and period, that of a budget by its period.
const (
	boundCap    = "cap:"
	BoundBudget = "budget:"
)

// Bounds are the limits of a due by the rules that owe it, in minor units, or for other kinds than money and credit in whole ones. The
// periods are those of the zone in which its cause occurred. A budget is of money and credit: other kinds have no amount in the program's
// currency.
func Bounds(doc rules.Document, d Due, zone *time.Location) []Bound {
	var out []Bound
	add := func(c *rules.Cap, participant, name string) {
		if c != nil {
			out = append(out, Bound{name + string(c.Period), participant, calendar.Start(c.Period, d.OccurredAt, zone), c.Amount})
		}
	}
	add(d.Rule.Cap, d.ParticipantID, boundCap+d.Rule.Key+":")
	if kind := money.Kind(d.Rule.Kind); kind == money.KindMoney || kind == money.KindCredit {
		add(doc.Budget, "", BoundBudget)
	}
	return out
}
