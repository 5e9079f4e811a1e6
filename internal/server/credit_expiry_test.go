package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func TestCreditExpiresAtItsMoment(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	end := in(30)
	gift := p.lend("bob", "gift", 1_000, end)
	spent := p.spend("bob", "checkout-1", 400)
	p.moveClock(end.Add(-time.Microsecond))
	p.expect("just before", p.credit("bob"), "0 pending, 600 available, 400 redeemed, 0 expired")
	p.moveClock(*end)
	p.expect("at its end", p.credit("bob"), "0 pending, 0 available, 400 redeemed, 600 expired")
	p.expect("the gift", p.stands(gift.ID), "expired REWARD_EXPIRED: net 1000, redeemed 400")
	refused[*client.CreateCreditRedemptionResult](t, "insufficient_balance", "")(p.redeem("bob", "checkout-2", 1))
	refused[*client.CancelRewardResult](t, "state_not_allowed", "")(p.CancelRewardWithResponse(t.Context(), gift.ID, &client.CancelRewardParams{}, client.ActionReason{Reason: "x"}))
	if got := p.events(gift.ID); got != "reward.granted reward.available reward.redeemed reward.expired" {
		t.Errorf("its events are %s", got)
	}
	told := ""
	for _, e := range p.statement(p.participant("bob").ID, 200)[:2] {
		told += fmt.Sprintf("%s %d %s; ", e.Kind, e.Amount, e.Reason)
	}
	p.expect("the statement", told, "available -600 REWARD_EXPIRED; available -400 REDEEMED; ")

	voided := must[*client.VoidCreditRedemptionResult](t)(p.void(spent.ID)).JSON200
	if voided.Lapsed != 400 {
		t.Errorf("of the void %d lapsed", voided.Lapsed)
	}
	p.expect("after the void", p.credit("bob"), "0 pending, 0 available, 0 redeemed, 1000 expired")

	refused[*client.CreateManualRewardResult](t, "validation_failed", "/expires_at")(p.CreateManualRewardWithResponse(t.Context(), &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: p.program.ID, ParticipantExternalID: "bob", Amount: 1, Currency: "USD", Kind: "credit", Reason: "late", ExternalID: "late", ExpiresAt: end,
	}))
	refused[*client.CreateManualRewardResult](t, "validation_failed", "/expires_at")(p.CreateManualRewardWithResponse(t.Context(), &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: p.program.ID, ParticipantExternalID: "bob", Amount: 1, Currency: "USD", Kind: "money", Reason: "x", ExternalID: "x", ExpiresAt: in(400),
	}))
}

func TestRedemptionsAndExpiryAreExplained(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	end := in(30)
	gift := p.lend("bob", "gift", 1_000, end)
	must[*client.VoidCreditRedemptionResult](t)(p.void(p.spend("bob", "checkout-1", 300).ID))
	p.spend("bob", "checkout-2", 400)
	p.moveClock(*end)
	e := p.reward(gift.ID)
	e.Steps = e.Steps[2:]
	expectStory(t, e, "bob gets 10.00 USD, which is expired: 10.00 USD were granted by hand, of which 4.00 USD were redeemed.",
		"REDEEMED Reward redeemed: 3.00 USD of the reward manual were redeemed. [redeemed 300 USD] [left 700 USD]",
		"REDEMPTION_VOIDED Redemption voided: 3.00 USD of the reward manual were given back. [restored 300 USD] [left 1000 USD]",
		"REDEEMED Reward redeemed: 4.00 USD of the reward manual were redeemed. [redeemed 400 USD] [left 600 USD]",
		"REWARD_EXPIRED Reward expired: The time of the reward manual was over, and 6.00 USD of it were left. [expired 600 USD]")
}

// expiring is a play whose welcome credit expires ten days after its hold of two weeks.
func expiring(t *testing.T) (*play, client.Reward) {
	t.Helper()
	p := startPlay(t, func(n *client.NewProgram) {
		(*n.Rules.Rewards)[1].ExpiresAfterSeconds = nullable.NewNullableWithValue[int64](10 * 24 * 3600)
	})
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	for _, r := range p.buy("bob", "order-1", 10_000, nil).Rewards {
		if r.Kind == "credit" {
			return p, r
		}
	}
	t.Fatal("Bob has no credit")
	return nil, client.Reward{}
}

// A refund after the expiry takes nothing more from the person than what was redeemed.
func TestARefundAfterTheExpiryComesOutOfWhatLapsed(t *testing.T) {
	t.Parallel()
	p, welcome := expiring(t)
	if end := welcome.ExpiresAt.MustGet(); !end.Equal(welcome.AvailableAt.AddDate(0, 0, 10)) {
		t.Errorf("available from %s, expires at %s", welcome.AvailableAt, end)
	}
	p.moveClock(welcome.AvailableAt)
	p.spend("bob", "checkout-1", 300)
	p.moveClock(welcome.ExpiresAt.MustGet())
	p.expect("at its end", p.credit("bob"), "0 pending, 0 available, 300 redeemed, 700 expired")
	p.expect("the credit", p.stands(welcome.ID), "expired REWARD_EXPIRED: net 1000, redeemed 300")
	charge := must[*client.RecordReversalResult](t)(p.RecordReversalWithResponse(t.Context(), &client.RecordReversalParams{}, client.NewReversal{
		ConversionExternalID: "order-1", ConversionType: "purchase", ExternalID: "chargeback-1", Kind: "chargeback",
	})).JSON201
	p.expect("after the chargeback", p.credit("bob"), "0 pending, -300 available, 300 redeemed, 0 expired")
	p.expect("the credit", p.stands(welcome.ID), "expired REVERSED_CHARGEBACK: net 0, redeemed 300")
	must[*client.RestoreReversalResult](t)(p.RestoreReversalWithResponse(t.Context(), charge.Reversal.ID, &client.RestoreReversalParams{}, client.NewDisputeWin{ExternalID: "won-1"}))
	p.expect("after the dispute", p.credit("bob"), "0 pending, 0 available, 300 redeemed, 700 expired")
}

// A person who holds a reward back does not eat its time.
func TestAHoldDoesNotShortenTheTimeOfCredit(t *testing.T) {
	t.Parallel()
	p, welcome := expiring(t)
	p.moveClock(welcome.AvailableAt)
	p.spend("bob", "checkout-1", 300)
	must[*client.HoldRewardResult](t)(p.HoldRewardWithResponse(t.Context(), welcome.ID, &client.HoldRewardParams{}, client.ActionReason{Reason: "look"}))
	p.expect("held", p.credit("bob"), "700 pending, 0 available, 300 redeemed, 0 expired")
	released := welcome.AvailableAt.AddDate(0, 0, 30)
	p.moveClock(released)
	p.expect("still held", p.credit("bob"), "700 pending, 0 available, 300 redeemed, 0 expired")
	free := must[*client.ReleaseRewardResult](t)(p.ReleaseRewardWithResponse(t.Context(), welcome.ID, &client.ReleaseRewardParams{})).JSON200
	if free.State != "available" || !free.ExpiresAt.MustGet().Equal(released.AddDate(0, 0, 10)) {
		t.Errorf("released it is %+v", free)
	}
	p.expect("released", p.credit("bob"), "0 pending, 700 available, 300 redeemed, 0 expired")
	p.moveClock(released.AddDate(0, 0, 10))
	p.expect("at its end", p.credit("bob"), "0 pending, 0 available, 300 redeemed, 700 expired")
}

// What a person or a ban takes back is what is left; what was redeemed stays spent.
func TestCancellingLeavesWhatWasRedeemed(t *testing.T) {
	t.Parallel()
	p, welcome := expiring(t)
	p.moveClock(welcome.AvailableAt)
	p.spend("bob", "checkout-1", 300)
	must[*client.CancelRewardResult](t)(p.CancelRewardWithResponse(t.Context(), welcome.ID, &client.CancelRewardParams{}, client.ActionReason{Reason: "a mistake"}))
	p.expect("cancelled", p.credit("bob"), "0 pending, 0 available, 300 redeemed, 0 expired")
	p.expect("the credit", p.stands(welcome.ID), "redeemed REVERSED_MANUAL: net 300, redeemed 300")
	p.buy("bob", "order-2", 5_000, nil)
	p.expect("no fact brings it back", p.stands(welcome.ID), "redeemed REVERSED_MANUAL: net 300, redeemed 300")
	p.refund("order-2", "refund-2", 5_000)
	p.refund("order-1", "refund-1", 10_000)
	p.expect("but one takes the rest", p.credit("bob"), "0 pending, -300 available, 300 redeemed, 0 expired")

	p.lend("bob", "gift", 900, nil)
	p.spend("bob", "checkout-2", 200)
	p.expect("with a gift", p.credit("bob"), "0 pending, 400 available, 500 redeemed, 0 expired")
	must[*client.BanParticipantResult](t)(p.ban(p.participant("bob").ID))
	p.expect("banned", p.credit("bob"), "0 pending, -300 available, 500 redeemed, 0 expired")
}
