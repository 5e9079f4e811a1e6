package server

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// stages take a draft to where a person is erased.
var stages = map[string]func(p *play, id uuid.UUID){
	"a draft":  func(*play, uuid.UUID) {},
	"approved": func(p *play, id uuid.UUID) { p.approve(id) },
	"failed":   func(p *play, id uuid.UUID) { p.approve(id); p.submit(id); p.markFailed(id) },
	"returned": func(p *play, id uuid.UUID) {
		p.paid(id)
		must[*client.ReturnPayoutResult](p.w)(p.ReturnPayoutWithResponse(p.w.Context(), id, &client.ReturnPayoutParams{},
			client.FailureReport{Reason: "account closed"}))
	},
}

// What is reserved for a person who is erased is paid, or lost, as the erasure says, wherever the payout was.
func TestPayoutsOfErasedPeople(t *testing.T) {
	t.Parallel()
	for stage, reach := range stages {
		for _, d := range []client.Disposition{client.DispositionPayOut, client.DispositionForfeit} {
			t.Run(stage+" "+string(d), func(t *testing.T) {
				t.Parallel()
				p := rich(t)
				alice := p.alice.ParticipantID
				p.policy(nil)
				payout := p.payout(p.run(false))
				reach(p, payout.ID)
				refused[*client.CreateErasureRequestResult](t, "balance_outstanding", "/disposition")(p.erase("alice", nil))
				must[*client.CreateErasureRequestResult](t)(p.erase("alice", disposition(d)))
				p.has(alice, "0 available, 5000 reserved, 0 paid")
				p.moveClock(time.Now().AddDate(0, 0, 16))
				if now := p.read(payout.ID); now.State == client.PayoutStateFailed || now.State == client.PayoutStateReturned {
					p.retry(payout.ID)
				}
				if p.read(payout.ID).State == client.PayoutStateDraft {
					p.approve(payout.ID)
				}
				after := p.submit(payout.ID)
				if d == client.DispositionForfeit {
					if after.State != client.PayoutStateCancelled {
						t.Errorf("what was forfeited is %s", after.State)
					}
					p.has(alice, "0 available, 0 reserved, 0 paid")
					if n := p.w.number("SELECT count(*) FROM rewards WHERE participant_id = $1 AND state <> 'expired'", alice); n > 0 {
						t.Errorf("%d rewards are owed all the same", n)
					}
				} else {
					must[*client.MarkPayoutPaidResult](t)(p.markPaid(payout.ID, "transfer", nil))
					p.has(alice, "0 available, 0 reserved, 5000 paid")
				}
				p.w.books()
				p.w.agree()
			})
		}
	}
}

func TestAnErasedPersonIsPaidLessThanTheMinimum(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(nil)
	owner := p.grant(p.program.ID, "dora", 700, "money").ParticipantID
	must[*client.CreateErasureRequestResult](t)(p.erase("dora", disposition(client.DispositionPayOut)))
	p.paid(p.payout(p.run(false)).ID)
	p.has(owner, "0 available, 0 reserved, 700 paid")
	p.w.books()
}

// A void gives nothing back to a person who gave everything up.
func TestAVoidAfterAnErasureGivesNothingBack(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	owner := p.grant(p.program.ID, "dora", 700, "credit").ParticipantID
	p.grant(p.program.ID, "dora", 300, "credit")
	spent := must[*client.CreateCreditRedemptionResult](t)(p.CreateCreditRedemptionWithResponse(t.Context(), &client.CreateCreditRedemptionParams{}, client.NewCreditRedemption{
		ParticipantExternalID: "dora", ExternalID: "r1", RewardKind: "credit", Currency: "USD", Amount: 800,
	})).JSON201
	must[*client.CreateErasureRequestResult](t)(p.erase("dora", disposition(client.DispositionForfeit)))
	must[*client.VoidCreditRedemptionResult](t)(p.VoidCreditRedemptionWithResponse(t.Context(), spent.ID, &client.VoidCreditRedemptionParams{}, client.ActionReason{Reason: "sent back"}))
	if n := p.w.number("SELECT sum(balance) FROM ledger_accounts WHERE participant_id = $1 AND kind = 'available'", owner); n != 0 {
		t.Errorf("%d are available", n)
	}
	p.w.books()
}
