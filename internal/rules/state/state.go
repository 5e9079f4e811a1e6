// Package state holds the state machines: the states of everything that has a life, and the only arrows between them.
package state

// The states of each machine; the arrows are in the variables of the same name.
type (
	Program     string
	Code        string
	Referral    string
	Conversion  string
	Reward      string
	Participant string
	PayoutRun   string
	Payout      string
)

const (
	ProgramDraft    Program = "draft"
	ProgramActive   Program = "active"
	ProgramPaused   Program = "paused"
	ProgramEnded    Program = "ended"
	ProgramArchived Program = "archived"

	CodeActive   Code = "active"
	CodeDisabled Code = "disabled"
	CodeRetired  Code = "retired"

	ReferralAttributed  Referral = "attributed"
	ReferralQualified   Referral = "qualified"
	ReferralUnderReview Referral = "under_review"
	ReferralExpired     Referral = "expired"
	ReferralRejected    Referral = "rejected"
	ReferralChurned     Referral = "churned"
	ReferralSuperseded  Referral = "superseded"

	ConversionUnmatched         Conversion = "unmatched"
	ConversionCounted           Conversion = "counted"
	ConversionDisqualified      Conversion = "disqualified"
	ConversionPartiallyReversed Conversion = "partially_reversed"
	ConversionReversed          Conversion = "reversed"

	RewardPendingFX Reward = "pending_fx"
	RewardPending   Reward = "pending"
	RewardAvailable Reward = "available"
	RewardHeld      Reward = "held"
	RewardReserved  Reward = "reserved"
	RewardPaid      Reward = "paid"
	RewardExpired   Reward = "expired"
	RewardRedeemed  Reward = "redeemed"
	RewardCancelled Reward = "cancelled"

	ParticipantActive    Participant = "active"
	ParticipantSuspended Participant = "suspended"
	ParticipantBanned    Participant = "banned"
	ParticipantErased    Participant = "erased"

	PayoutRunPreparing PayoutRun = "preparing"
	PayoutRunReady     PayoutRun = "ready"

	PayoutDraft     Payout = "draft"
	PayoutApproved  Payout = "approved"
	PayoutSubmitted Payout = "submitted"
	PayoutPaid      Payout = "paid"
	PayoutFailed    Payout = "failed"
	PayoutReturned  Payout = "returned"
	PayoutCancelled Payout = "cancelled"
)

// Arrows maps a state to the states it may move to. A state without an entry is terminal.
type Arrows[S ~string] map[S][]S

// Allows reports whether there is an arrow from one state to another.
func (a Arrows[S]) Allows(from, to S) bool {
	for _, s := range a[from] {
		if s == to {
			return true
		}
	}
	return false
}

// The machines.
//
// A reward that is redeemed is available again when a redemption of it is voided, or when more of it is owed again; it is cancelled
// when a redemption is voided of which all has been taken back. Held -> redeemed:
// what was left of it after redemptions is taken back.
//
// Two arrows of a referral need a word. expired -> qualified: a conversion from inside the window may arrive after the
// window closed, and facts count by the time they occurred. churned -> rejected: a ban reaches a referral whose referee has
// left, or a reactivation would pay a banned referrer. One of a reward: paid -> reserved, when the payment came back.
var (
	Programs = Arrows[Program]{
		ProgramDraft:  {ProgramActive},
		ProgramActive: {ProgramPaused, ProgramEnded},
		ProgramPaused: {ProgramActive, ProgramEnded},
		ProgramEnded:  {ProgramArchived},
	}
	Codes = Arrows[Code]{
		CodeActive:   {CodeDisabled, CodeRetired},
		CodeDisabled: {CodeActive, CodeRetired},
	}
	Referrals = Arrows[Referral]{
		ReferralAttributed:  {ReferralQualified, ReferralUnderReview, ReferralExpired, ReferralRejected, ReferralSuperseded},
		ReferralUnderReview: {ReferralAttributed, ReferralQualified, ReferralRejected},
		ReferralQualified:   {ReferralAttributed, ReferralExpired, ReferralChurned, ReferralUnderReview, ReferralRejected, ReferralSuperseded},
		ReferralChurned:     {ReferralQualified, ReferralRejected},
		ReferralExpired:     {ReferralQualified},
	}
	Conversions = Arrows[Conversion]{
		ConversionUnmatched:         {ConversionCounted, ConversionDisqualified},
		ConversionCounted:           {ConversionPartiallyReversed, ConversionReversed},
		ConversionPartiallyReversed: {ConversionCounted, ConversionReversed},
		ConversionReversed:          {ConversionPartiallyReversed, ConversionCounted},
	}
	Rewards = Arrows[Reward]{
		RewardPendingFX: {RewardPending, RewardCancelled},
		RewardPending:   {RewardAvailable, RewardHeld, RewardCancelled},
		RewardHeld:      {RewardPending, RewardAvailable, RewardCancelled, RewardRedeemed},
		RewardAvailable: {RewardReserved, RewardHeld, RewardExpired, RewardRedeemed, RewardCancelled},
		RewardReserved:  {RewardPaid, RewardAvailable},
		RewardRedeemed:  {RewardAvailable, RewardCancelled},
		RewardPaid:      {RewardReserved},
		RewardCancelled: {RewardPending},
	}
	Participants = Arrows[Participant]{
		ParticipantActive:    {ParticipantSuspended, ParticipantBanned, ParticipantErased},
		ParticipantSuspended: {ParticipantActive, ParticipantBanned, ParticipantErased},
		ParticipantBanned:    {ParticipantActive, ParticipantErased},
	}
	PayoutRuns = Arrows[PayoutRun]{
		PayoutRunPreparing: {PayoutRunReady},
	}
	Payouts = Arrows[Payout]{
		PayoutDraft:     {PayoutApproved, PayoutCancelled},
		PayoutApproved:  {PayoutSubmitted, PayoutCancelled},
		PayoutSubmitted: {PayoutPaid, PayoutFailed},
		PayoutPaid:      {PayoutReturned},
		PayoutFailed:    {PayoutDraft},
		PayoutReturned:  {PayoutDraft},
	}
)
