// Package rules holds what a program version says: the rules document, its defaults and its faults. The packages below
// it decide by it. Nothing here knows HTTP, SQL, a clock or dice.
package rules

import (
	"encoding/json"
	"slices"
)

// Document is the immutable content of a program version. All durations are seconds, all amounts minor units of the
// program's currency.
type Document struct {
	Attribution         Attribution   `json:"attribution"`
	Qualification       Qualification `json:"qualification"`
	Rewards             []RewardRule  `json:"rewards"`
	Milestones          []Milestone   `json:"milestones"`
	Levels              Levels        `json:"levels"`
	Budget              *Cap          `json:"budget"`
	Churn               *Churn        `json:"churn"`
	CodesPerParticipant int           `json:"codes_per_participant"`
	VersionPin          Pin           `json:"version_pin"`
}

// Pin says which version's rewards a conversion gets: that of its referral, or the one current when it occurred.
type Pin string

// The pins. Attribution, qualification and churn always follow the version that the referral is pinned to.
const (
	PinAttribution Pin = "attribution"
	PinConversion  Pin = "conversion"
)

// Attribution says who gets a referee.
type Attribution struct {
	Model          Model      `json:"model"`
	WindowSeconds  int64      `json:"window_seconds"`
	CodePrecedence Precedence `json:"code_precedence"`
	RequireConsent bool       `json:"require_consent"`
}

// Model chooses among clicks.
type Model string

// The models.
const (
	LastTouch  Model = "last_touch"
	FirstTouch Model = "first_touch"
)

// Precedence chooses between a typed code and clicks.
type Precedence string

// What comes first when both are eligible.
const (
	CodeFirst  Precedence = "code"
	ClickFirst Precedence = "click"
)

// Qualification says when a referral counts: with the first conversion of one of the types whose net amount is at
// least MinimumAmount and that occurred inside [signup, signup + WindowSeconds). With RevokeOnReversal a reversal that
// takes the net below the minimum takes the qualification back; without it only a full reversal does.
type Qualification struct {
	ConversionTypes  []string `json:"conversion_types"`
	MinimumAmount    int64    `json:"minimum_amount"`
	WindowSeconds    int64    `json:"window_seconds"`
	RevokeOnReversal bool     `json:"revoke_on_reversal"`
}

// RewardRule says what one beneficiary gets for which triggers.
type RewardRule struct {
	Key            string      `json:"key"`
	Triggers       []string    `json:"triggers"`
	Beneficiary    Beneficiary `json:"beneficiary"`
	Kind           string      `json:"kind"`
	Amount         Amount      `json:"amount"`
	HoldSeconds    int64       `json:"hold_seconds"`
	DurationMonths *int        `json:"duration_months"`
	MinimumAmount  int64       `json:"minimum_amount"`
	// Level is the level of an upline beneficiary, from 2 on; nil for the others.
	Level *int `json:"level"`
	// Occurrence limits the rule to the qualifying conversion, or to those after it.
	Occurrence Occurrence `json:"occurrence"`
	// Groups are the participant groups whose members the rule is for, by the group of the beneficiary, or of the referrer for a
	// referee, when the fact occurred. Empty means everybody; DefaultGroup are those in no group.
	Groups []string `json:"groups"`
	// Condition is a CEL expression on the conversion that must hold; empty holds.
	Condition string `json:"condition"`
	// Tiers replace Amount by what the beneficiary has reached; nil means that Amount always applies.
	Tiers *Tiers `json:"tiers"`
	// Cap is the most that one beneficiary is granted by this rule in a period, net of what was taken back; nil means no cap.
	Cap *Cap `json:"cap"`
	// ExpiresAfterSeconds after it became available, what is left of a reward expires; nil means never. Not for money.
	ExpiresAfterSeconds *int64 `json:"expires_after_seconds"`
}

// For reports whether the rule is for members of a group; the empty group is none.
func (r RewardRule) For(group string) bool {
	if group == "" {
		group = DefaultGroup
	}
	return len(r.Groups) == 0 || slices.Contains(r.Groups, group)
}

// RatedAt returns the amount that applies once n is reached, counting the fact itself, and the number of its step: 0 below the first. n
// is a number of referrals or conversions, or revenue in minor units, as Tiers.Measure says. Only for a rule with tiers.
func (r RewardRule) RatedAt(n int64) (amount Amount, tier int) {
	amount = r.Amount
	for i, step := range r.Tiers.Steps {
		if n >= step.From {
			amount, tier = step.Amount, i+1
		}
	}
	return amount, tier
}

// DefaultGroup names, in the groups of a rule, the participants who are in no group.
const DefaultGroup = "default"

// Occurrence says which conversions of its triggers a rule pays for.
type Occurrence string

// The occurrences.
const (
	AnyOccurrence   Occurrence = "any"
	FirstOccurrence Occurrence = "first"
	LaterOccurrence Occurrence = "later"
)

// Period is a stretch of the calendar in the program's zone over which something is counted.
type Period string

// The periods. A week begins on Monday.
const (
	Lifetime Period = "lifetime"
	Day      Period = "day"
	Week     Period = "week"
	Month    Period = "month"
	Quarter  Period = "quarter"
	Year     Period = "year"
)

// Measure is what tiers and milestones count, of the referrals of one referrer in the program.
type Measure string

// The measures: qualified referrals, conversions of which something is left, and their net revenue in minor units.
const (
	MeasureQualified   Measure = "qualified_referrals"
	MeasureConversions Measure = "conversions"
	MeasureRevenue     Measure = "revenue"
)

// Tiers are steps of performance. The reward that reaches a step is paid by it. Frozen: a granted amount keeps its step. Recompute:
// when the period closes, every reward of the period is rated again by the step reached in it. Period is lifetime, month, quarter or
// year; recompute needs a period that ends.
type Tiers struct {
	Measure Measure  `json:"measure"`
	Period  Period   `json:"period"`
	Mode    TierMode `json:"mode"`
	Steps   []Tier   `json:"steps"`
}

// TierMode says whether a granted amount is rated again.
type TierMode string

// The modes.
const (
	Frozen    TierMode = "frozen"
	Recompute TierMode = "recompute"
)

// Tier is one step: Amount applies from the From-th on, or from that revenue in minor units on, counting the fact itself.
type Tier struct {
	From   int64  `json:"from"`
	Amount Amount `json:"amount"`
}

// Cap is an amount of minor units that may be granted per period, net of what was taken back.
type Cap struct {
	Amount int64  `json:"amount"`
	Period Period `json:"period"`
}

// Levels says how the levels of the tree earn: the shares of one conversion, direct commission included, add up to at most
// CeilingBasisPoints, checked when the version is published. Each share is rounded half up by itself, so that what they come to can be
// more than the ceiling's share of the sale, by half a minor unit for each of them at most.
type Levels struct {
	CeilingBasisPoints int64      `json:"ceiling_basis_points"`
	Ineligible         Ineligible `json:"ineligible"`
}

// Ineligible says what becomes of the level of an ancestor who may not earn.
type Ineligible string

// Skip leaves the level unpaid; Compress gives it to the next eligible ancestor.
const (
	Skip     Ineligible = "skip"
	Compress Ineligible = "compress"
)

// MaxLevel is the deepest level that can earn.
const MaxLevel = 10

// Milestone pays a referrer once, in its period, for reaching a threshold. A reversible one is taken back when it is no longer reached.
type Milestone struct {
	Key                 string  `json:"key"`
	Measure             Measure `json:"measure"`
	Period              Period  `json:"period"`
	Threshold           int64   `json:"threshold"`
	Kind                string  `json:"kind"`
	Amount              int64   `json:"amount"`
	HoldSeconds         int64   `json:"hold_seconds"`
	Reversible          bool    `json:"reversible"`
	ExpiresAfterSeconds *int64  `json:"expires_after_seconds"`
}

// Triggers that are not conversion types.
const (
	TriggerSignup    = "signup"
	TriggerQualified = "qualified"
)

// Beneficiary is the role that a reward goes to.
type Beneficiary string

// The beneficiaries.
const (
	Referrer Beneficiary = "referrer"
	Referee  Beneficiary = "referee"
	Upline   Beneficiary = "upline"
)

// Amount is what a rule pays: Value minor units (points, coupons) when fixed, Value basis points of the sale, or Value basis points of
// the commission of the level below for the same conversion, otherwise.
type Amount struct {
	Type  AmountType `json:"type"`
	Value int64      `json:"value"`
}

// AmountType says what Amount.Value counts.
type AmountType string

// The amount types.
const (
	Fixed            AmountType = "fixed"
	BasisPoints      AmountType = "basis_points"
	CommissionPoints AmountType = "basis_points_of_commission"
)

// Churn takes every reward of a referral back when the referee leaves inside [qualified, qualified + WindowSeconds), all of it. With
// ReinstateOnReactivation a return gives back what the departure took.
type Churn struct {
	WindowSeconds           int64 `json:"window_seconds"`
	ReinstateOnReactivation bool  `json:"reinstate_on_reactivation"`
}

// Default values of a document, as the contract states them.
const (
	DefaultAttributionWindow   = 30 * 24 * 60 * 60
	DefaultQualificationWindow = 90 * 24 * 60 * 60
	DefaultCodesPerParticipant = 10
)

// Default returns the document that an empty one stands for: clicks of 30 days, purchases of 90 days, no rewards.
func Default() Document {
	return Document{
		Attribution:         Attribution{Model: LastTouch, WindowSeconds: DefaultAttributionWindow, CodePrecedence: CodeFirst},
		Qualification:       Qualification{ConversionTypes: []string{"purchase"}, WindowSeconds: DefaultQualificationWindow, RevokeOnReversal: true},
		Rewards:             []RewardRule{},
		Milestones:          []Milestone{},
		Levels:              Levels{CeilingBasisPoints: 10_000, Ineligible: Skip},
		CodesPerParticipant: DefaultCodesPerParticipant,
		VersionPin:          PinAttribution,
	}
}

// Parse reads a stored document. What an older version did not know yet takes its default, so that a document is always complete. The
// error is that of the JSON.
func Parse(raw []byte) (Document, error) {
	d := Default()
	err := json.Unmarshal(raw, &d)
	if d.Rewards == nil {
		d.Rewards = []RewardRule{}
	}
	if d.Milestones == nil {
		d.Milestones = []Milestone{}
	}
	return d, err
}

// UnmarshalJSON reads a rule and completes it: without an occurrence it is for any, without groups for everybody.
func (r *RewardRule) UnmarshalJSON(raw []byte) error {
	type plain RewardRule // without this method
	p := plain{Occurrence: AnyOccurrence}
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if p.Groups == nil {
		p.Groups = []string{}
	}
	*r = RewardRule(p)
	return nil
}
