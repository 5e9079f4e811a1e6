// Package rules holds what a program version says: the rules document, its defaults and its faults. The packages below
// it decide by it. Nothing here knows HTTP, SQL, a clock or dice.
package rules

import "encoding/json"

// Document is the immutable content of a program version. All durations are seconds, all amounts minor units of the
// program's currency.
type Document struct {
	Attribution         Attribution   `json:"attribution"`
	Qualification       Qualification `json:"qualification"`
	Rewards             []RewardRule  `json:"rewards"`
	Churn               *Churn        `json:"churn"`
	CodesPerParticipant int           `json:"codes_per_participant"`
}

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
)

// Amount is what a rule pays: Value minor units when fixed, Value basis points of the sale otherwise.
type Amount struct {
	Type  AmountType `json:"type"`
	Value int64      `json:"value"`
}

// AmountType says what Amount.Value counts.
type AmountType string

// The amount types.
const (
	Fixed       AmountType = "fixed"
	BasisPoints AmountType = "basis_points"
)

// Churn takes every reward of a referral back when the referee leaves inside [qualified, qualified + WindowSeconds).
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

// Default returns the document that an empty one stands for.
func Default() Document {
	return Document{
		Attribution:         Attribution{Model: LastTouch, WindowSeconds: DefaultAttributionWindow, CodePrecedence: CodeFirst},
		Qualification:       Qualification{ConversionTypes: []string{"purchase"}, WindowSeconds: DefaultQualificationWindow, RevokeOnReversal: true},
		Rewards:             []RewardRule{},
		CodesPerParticipant: DefaultCodesPerParticipant,
	}
}

// Parse reads a stored document. It is complete, because it was completed when it was published.
func Parse(raw []byte) (Document, error) {
	var d Document
	err := json.Unmarshal(raw, &d)
	return d, err
}
