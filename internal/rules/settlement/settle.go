package settlement

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/money"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// Facts is one referral with everything that happened to it. HonoredUntil is the end of the honour period of an ended
// program, nil while it has not ended. Stored is the state on record: rejected and superseded stay what they are.
type Facts struct {
	ReferralID   string
	ReferrerID   string
	RefereeID    string
	Stored       state.Referral
	StoredReason reason.Code
	SignupAt     time.Time
	QualifyBy    time.Time
	HonoredUntil *time.Time
	Zone         *time.Location
	Rules        rules.Document
	Conversions  []Conversion
	Churns       []Churn
	Now          time.Time

	// Group is the referrer's at the signup, and Upline who is above the referrer then.
	Group  string
	Upline []Ancestor
	// Rated is what a reward on record was rated by; nil when nothing is on record.
	Rated func(Due) (rules.Amount, int, bool)
	// Reached is what a participant has reached in the period of a moment, by all facts but those of this referral. Without it tiers
	// are not looked at.
	Reached func(participantID string, t rules.Tiers, at time.Time) int64
}

// Conversion is a counted action; Key orders conversions that occurred at one instant. Stored is the state on record, empty
// for a new one: what once counted is never disqualified, it only stops paying; what was disqualified stays so, and Settle
// has no verdict on it.
type Conversion struct {
	ID         string
	Key        string
	Type       string
	Amount     int64
	Reversals  []Reversal
	OccurredAt time.Time
	Stored     state.Conversion

	// Exchange turns its amounts into the program's currency; nil when they are in it. While it is Unpriced there is no rate: it
	// qualifies nothing, and what it would earn waits.
	Exchange *money.Exchange
	Unpriced bool

	// Group is the referrer's then, and Upline who was above the referrer, nearest first.
	Group  string
	Upline []Ancestor
	// Meets says whether the condition of a rule holds; nil holds.
	Meets func(condition string) bool
	// Rules are those of another version when rewards follow the version current then, and VersionID is its id.
	Rules     *rules.Document
	VersionID string

	taken int64 // what Net took, and why
	undo  reason.Code
}

// counts reports whether the conversion already counts on record.
func (c Conversion) counts() bool {
	return c.Stored == state.ConversionCounted || c.Stored == state.ConversionPartiallyReversed || c.Stored == state.ConversionReversed
}

// base is an amount of the conversion in the program's currency, in minor units, at the conversion's own rate.
func (c Conversion) base(amount int64) int64 {
	if c.Exchange == nil {
		return amount
	}
	return c.Exchange.Of(amount)
}

// left reports whether anything of the conversion is left. One without an amount is left until it is undone.
func (c Conversion) left() bool {
	if c.Amount == 0 {
		return c.undo == "" || c.undo == reason.DisputeWon
	}
	return c.taken < c.Amount
}

// Churn is a departure, or with Back a return, of the referee. Key orders those of one instant, like a reversal's.
type Churn struct {
	ID         string
	Key        string
	Back       bool
	OccurredAt time.Time
}

// Outcome is what follows from the facts. Undone is what conversions were owed once, and are not any more: who recorded the facts as they
// occurred has granted it and taken it back.
type Outcome struct {
	State        state.Referral
	Reason       reason.Code
	QualifiedAt  *time.Time
	QualifyingID string
	ChurnedAt    *time.Time
	Conversions  []Verdict
	Rewards      []Due
	Undone       []Due
}

// Verdict is what became of one conversion.
type Verdict struct {
	ID     string
	State  state.Conversion
	Reason reason.Code
}

// Due is what one rule owes to one participant for one cause: Granted on the gross amount, of which Net is still owed. CauseID is a
// conversion's id, or the referral's for a signup. Level is 1 for the referrer, 0 for the referee. Amount and Tier are what it is
// rated by, and Base what it is a share of, gross. Denied means that the participant gets nothing, for Reason, and is told so. Unpriced
// means that the conversion has no rate yet: how much it will be is not known.
type Due struct {
	CauseID       string
	ConversionID  string
	VersionID     string
	ParticipantID string
	Rule          rules.RewardRule
	Level         int
	Amount        rules.Amount
	Base          int64
	Tier          int
	Granted       int64
	Net           int64
	Denied        bool
	Unpriced      bool
	OccurredAt    time.Time
	AvailableAt   time.Time
	Reason        reason.Code
}

// is reports whether two dues are the same reward.
func (d Due) is(o Due) bool {
	return d.CauseID == o.CauseID && d.Rule.Key == o.Rule.Key && d.ParticipantID == o.ParticipantID && d.Level == o.Level
}

// Settle computes the outcome of the facts: the state of the referral, of each conversion, and what is owed to whom before caps and
// budget. Amounts are minor units of the program's currency, shares of them rounded half up; windows are half-open. The order of the
// facts does not matter, and the same facts have the same outcome.
func Settle(f Facts) Outcome {
	out, q, conversions := f.settle()
	out.Undone = f.undone(out.Rewards, q, conversions)
	return out
}

// settle is Settle without what was owed once. It also gives the qualifying conversion, and all conversions that it looked at, in order.
func (f Facts) settle() (Outcome, *Conversion, []Conversion) {
	conversions := slices.DeleteFunc(slices.Clone(f.Conversions), func(c Conversion) bool {
		return c.Stored == state.ConversionDisqualified
	})
	slices.SortStableFunc(conversions, func(a, b Conversion) int {
		if d := a.OccurredAt.Compare(b.OccurredAt); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	for i := range conversions {
		c := &conversions[i]
		c.taken, _, c.undo = Net(c.Amount, c.Reversals)
	}
	out := Outcome{}
	q := f.qualifying(conversions)
	life := f.life(conversions)
	out.State, out.Reason = f.state(conversions, q, life)
	if q != nil {
		at := q.OccurredAt
		out.QualifiedAt, out.QualifyingID = &at, q.ID
	}
	if out.State == state.ReferralChurned {
		out.ChurnedAt = cmp.Or(life.leftAt, life.adrift)
	}
	for _, c := range conversions {
		out.Conversions = append(out.Conversions, f.verdict(c, q, life))
		out.Rewards = append(out.Rewards, f.dues(c, q, life, conversions)...)
	}
	out.Rewards = append(out.Rewards, f.signupDues(q, life, conversions)...)
	return out, q, conversions
}

// outside returns why a conversion cannot belong to the referral at all, or the empty reason.
func (f Facts) outside(c Conversion) reason.Code {
	switch {
	case f.Stored == state.ReferralRejected && !c.counts():
		return f.StoredReason
	case c.OccurredAt.Before(f.SignupAt):
		return reason.OccurredBeforeSignup
	case f.HonoredUntil != nil && !c.OccurredAt.Before(*f.HonoredUntil):
		return reason.ProgramNotActive
	}
	return ""
}

// qualifying finds the conversion that qualifies the referral, or nil.
func (f Facts) qualifying(ordered []Conversion) *Conversion {
	for i := range ordered {
		if c := &ordered[i]; c.left() && f.outsideWindow(*c) == "" && f.misses(*c) == "" {
			return c
		}
	}
	return nil
}

// couldQualify finds the first conversion that qualifies the referral, or would if it had a rate.
func (f Facts) couldQualify(ordered []Conversion) *Conversion {
	for i, c := range ordered {
		if miss := f.misses(c); f.outsideWindow(c) == "" && (miss == "" || miss == reason.FXRateMissing) {
			return &ordered[i]
		}
	}
	return nil
}

func (f Facts) outsideWindow(c Conversion) reason.Code {
	if why := f.outside(c); why != "" {
		return why
	}
	if !c.OccurredAt.Before(f.QualifyBy) {
		return reason.QualificationWindowExpired
	}
	return ""
}

// misses returns why a conversion inside the window does not qualify, or the empty reason.
func (f Facts) misses(c Conversion) reason.Code {
	rule := f.Rules.Qualification
	amount := c.Amount
	if rule.RevokeOnReversal {
		amount -= c.taken
	}
	switch {
	case !c.left():
		return c.undo
	case !slices.Contains(rule.ConversionTypes, c.Type):
		return reason.NotQualified
	case c.Unpriced:
		return reason.FXRateMissing
	case c.base(amount) < rule.MinimumAmount:
		return reason.BelowMinimum
	}
	return ""
}

func (f Facts) state(ordered []Conversion, q *Conversion, l life) (state.Referral, reason.Code) {
	if f.Stored == state.ReferralRejected || f.Stored == state.ReferralSuperseded || f.Stored == state.ReferralUnderReview {
		return f.Stored, f.StoredReason
	}
	switch {
	case l.leftAt != nil, q == nil && l.adrift != nil:
		return state.ReferralChurned, reason.ReversedChurn
	case q != nil:
		return state.ReferralQualified, reason.Counted
	}
	late := slices.ContainsFunc(ordered, func(c Conversion) bool {
		return !c.OccurredAt.Before(f.QualifyBy) && f.outside(c) == "" && slices.Contains(f.Rules.Qualification.ConversionTypes, c.Type)
	})
	if late || !f.Now.Before(f.QualifyBy) {
		return state.ReferralExpired, reason.QualificationWindowExpired
	}
	return state.ReferralAttributed, f.unqualified(ordered)
}

// unqualified is the reason of a referral that is attributed: why it was attributed or, when it had qualified before, what
// became of the first conversion that could have qualified it.
func (f Facts) unqualified(ordered []Conversion) reason.Code {
	if f.Stored == state.ReferralAttributed {
		return f.StoredReason
	}
	for _, c := range ordered {
		if f.outsideWindow(c) == "" && slices.Contains(f.Rules.Qualification.ConversionTypes, c.Type) {
			return f.misses(c)
		}
	}
	return reason.NotQualified
}
