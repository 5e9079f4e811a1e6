package attribution

import (
	"encoding/json"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
	"github.com/grapevine-referrals/grapevine/internal/rules/state"
)

// Door says by which way a decision was asked for. All doors go through Decide.
type Door string

// The doors.
const (
	DoorSignup        Door = "signup"
	DoorManual        Door = "manual"
	DoorImport        Door = "import"
	DoorLateClaim     Door = "late_claim"
	DoorReattribution Door = "reattribution"
)

// Inputs is everything a decision depends on. It holds no e-mail address and no hash of one: it is kept for ever, and
// an erasure must leave nothing of a person in it. Ids are UUIDs as text.
type Inputs struct {
	Door             Door              `json:"door"`
	ProgramID        string            `json:"program_id"`
	ProgramVersionID string            `json:"program_version_id"`
	Program          state.Timeline    `json:"program"`
	Policy           rules.Attribution `json:"policy"`
	OccurredAt       time.Time         `json:"occurred_at"`
	Referee          Referee           `json:"referee"`
	Touches          []Touch           `json:"touches"`
}

// Referee is the person who joined. Erased says that it was erased once and must not be referred again.
type Referee struct {
	ID             string     `json:"id"`
	CustomerSince  *time.Time `json:"customer_since"`
	LiveReferralID string     `json:"live_referral_id,omitempty"`
	Erased         bool       `json:"erased,omitempty"`
}

// TouchKind says what a touch is.
type TouchKind string

// The kinds of touches.
const (
	Click  TouchKind = "click"
	Typed  TouchKind = "code"
	Manual TouchKind = "manual"
	Import TouchKind = "import"
)

// Touch is one candidate. ID is the click's id; empty for the other kinds. Code is nil when the value or the click is
// unknown, and for kinds that need none.
type Touch struct {
	Kind           TouchKind `json:"kind"`
	ID             string    `json:"id,omitempty"`
	At             time.Time `json:"at"`
	Classification string    `json:"classification,omitempty"`
	Consent        string    `json:"consent,omitempty"`
	Code           *Code     `json:"code,omitempty"`
	Referrer       *Referrer `json:"referrer,omitempty"`
}

// Code is what a decision knows of a code.
type Code struct {
	ID        string         `json:"id"`
	ProgramID string         `json:"program_id"`
	Timeline  state.Timeline `json:"timeline"`
	StartsAt  *time.Time     `json:"starts_at"`
	ExpiresAt *time.Time     `json:"expires_at"`
	Exhausted bool           `json:"exhausted"`
}

// Referrer is the owner of a touch. SameEmail says that referrer and referee share one folded address, BelowReferee that
// the referrer came into the program through the referee, so that the referral would close a cycle.
type Referrer struct {
	ID           string            `json:"id"`
	State        state.Participant `json:"state"`
	SameEmail    bool              `json:"same_email"`
	BelowReferee bool              `json:"below_referee"`
}

// Answer is a decision: the reason, the winner, and what became of every touch.
type Answer struct {
	Attributed bool        `json:"attributed"`
	Reason     reason.Code `json:"reason"`
	ReferrerID string      `json:"referrer_id,omitempty"`
	CodeID     string      `json:"code_id,omitempty"`
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a touch with its verdict. Eligible says that it could have won; Reason, which is never empty, why it did or
// did not.
type Candidate struct {
	Kind       TouchKind   `json:"kind"`
	ID         string      `json:"id,omitempty"`
	At         time.Time   `json:"at"`
	CodeID     string      `json:"code_id,omitempty"`
	ReferrerID string      `json:"referrer_id,omitempty"`
	Eligible   bool        `json:"eligible"`
	Won        bool        `json:"won"`
	Reason     reason.Code `json:"reason"`
}

// Encode writes inputs or an answer in the one form that is stored, hashed and compared. Struct fields have a fixed order
// and times are UTC, so equal values are equal bytes.
func Encode[T Inputs | Answer](v T) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of strings, times and booleans always marshal
	}
	return b
}

// Replay decides stored inputs again and returns the encoded answer, which is the stored one byte for byte. The error is that of the JSON.
func Replay(stored []byte) ([]byte, error) {
	var in Inputs
	if err := json.Unmarshal(stored, &in); err != nil {
		return nil, err
	}
	return Encode(Decide(in)), nil
}
