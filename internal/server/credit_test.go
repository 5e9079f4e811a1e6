package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/doctor"
)

// lend gives somebody credit that expires, or does not when at is nil.
func (p *play) lend(who, name string, amount int64, at *time.Time) client.Reward {
	p.w.Helper()
	p.upsert(who)
	return *must[*client.CreateManualRewardResult](p.w)(p.CreateManualRewardWithResponse(p.w.Context(), &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: p.program.ID, ParticipantExternalID: who, Amount: amount, Currency: "USD", Kind: "credit", Reason: "a gift", ExternalID: name, ExpiresAt: at,
	})).JSON201
}

func (p *play) upsert(who string) {
	p.w.Helper()
	must[*client.UpsertParticipantResult](p.w)(p.UpsertParticipantWithResponse(p.w.Context(), &client.UpsertParticipantParams{ExternalID: who}, client.ParticipantChanges{}))
}

func (p *play) redeem(who, name string, amount int64) (*client.CreateCreditRedemptionResult, error) {
	return p.CreateCreditRedemptionWithResponse(p.w.Context(), &client.CreateCreditRedemptionParams{}, client.NewCreditRedemption{
		ParticipantExternalID: who, RewardKind: "credit", Currency: "USD", Amount: amount, ExternalID: name,
	})
}

func (p *play) spend(who, name string, amount int64) client.CreditRedemption {
	p.w.Helper()
	return *must[*client.CreateCreditRedemptionResult](p.w)(p.redeem(who, name, amount)).JSON201
}

func (p *play) void(id uuid.UUID) (*client.VoidCreditRedemptionResult, error) {
	return p.VoidCreditRedemptionWithResponse(p.w.Context(), id, &client.VoidCreditRedemptionParams{}, client.ActionReason{Reason: "never sent"})
}

// credit tells the credit of somebody, and checks that the doctor finds nothing.
func (p *play) credit(who string) string {
	p.w.Helper()
	p.healthy()
	list := must[*client.GetParticipantBalancesResult](p.w)(p.GetParticipantBalancesWithResponse(p.w.Context(), p.participant(who).ID)).JSON200
	for _, b := range list.Data {
		if b.RewardKind == "credit" {
			return fmt.Sprintf("%d pending, %d available, %d redeemed, %d expired", b.Pending, b.Available, b.Redeemed, b.Expired)
		}
	}
	return "none"
}

func (p *play) healthy() {
	p.w.Helper()
	checks := slices.DeleteFunc(doctor.Checks(), func(c doctor.Check) bool { return c.Name == "durable" })
	findings, err := doctor.Examine(p.w.Context(), p.w.database.App(p.w), checks)
	if err != nil {
		p.w.Fatal(err)
	}
	for _, f := range findings {
		p.w.Error(f)
	}
}

// stands tells how a reward stands.
func (p *play) stands(id uuid.UUID) string {
	p.w.Helper()
	r := must[*client.GetRewardResult](p.w)(p.GetRewardWithResponse(p.w.Context(), id)).JSON200
	return fmt.Sprintf("%s %s: net %d, redeemed %d", r.State, r.Reason, r.Net, r.Redeemed)
}

func (p *play) expect(what, got, want string) {
	p.w.Helper()
	if got != want {
		p.w.Errorf("%s: %s, want %s", what, got, want)
	}
}

func in(days int) *time.Time {
	return ptr(time.Now().UTC().AddDate(0, 0, days).Truncate(time.Microsecond))
}

func TestCreditIsSpentInTheOrderOfItsExpiry(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	never, later, sooner := p.lend("bob", "never", 100, nil), p.lend("bob", "later", 100, in(20)), p.lend("bob", "sooner", 100, in(10))
	refused[*client.CreateCreditRedemptionResult](t, "insufficient_balance", "")(p.redeem("bob", "too-much", 301))
	refused[*client.CreateCreditRedemptionResult](t, "unknown_reference", "/participant_external_id")(p.redeem("nobody", "x", 1))
	refused[*client.CreateCreditRedemptionResult](t, "insufficient_balance", "")(p.redeem("carol", "x", 1))
	first := p.spend("bob", "checkout-1", 250)
	var told []string
	for _, item := range first.Items {
		told = append(told, fmt.Sprint(map[uuid.UUID]string{never.ID: "never", later.ID: "later", sooner.ID: "sooner"}[item.RewardID], " ", item.Amount))
	}
	p.expect("items", strings.Join(told, ", "), "sooner 100, later 100, never 50")
	p.expect("Bob", p.credit("bob"), "0 pending, 50 available, 250 redeemed, 0 expired")
	p.expect("the first", p.stands(sooner.ID), "redeemed REDEEMED: net 100, redeemed 100")
	p.expect("the last", p.stands(never.ID), "available REDEEMED: net 100, redeemed 50")

	again := must[*client.CreateCreditRedemptionResult](t)(p.redeem("bob", "checkout-1", 250)).JSON200
	if again == nil || again.ID != first.ID || len(again.Items) != 3 {
		t.Errorf("the same redemption again is %+v", again)
	}
	refused[*client.CreateCreditRedemptionResult](t, "conflict", "/external_id")(p.redeem("bob", "checkout-1", 251))
	refused[*client.CreateCreditRedemptionResult](t, "conflict", "/external_id")(p.redeem("carol", "checkout-1", 250))
	refused[*client.CreateCreditRedemptionResult](t, "insufficient_balance", "")(p.redeem("bob", "checkout-2", 51))
	second := p.spend("bob", "checkout-2", 50)

	voided := must[*client.VoidCreditRedemptionResult](t)(p.void(first.ID)).JSON200
	if voided.State != "voided" || voided.Lapsed != 0 || voided.VoidReason.MustGet() != "never sent" {
		t.Errorf("the void is %+v", voided)
	}
	refused[*client.VoidCreditRedemptionResult](t, "state_not_allowed", "")(p.void(first.ID))
	refused[*client.VoidCreditRedemptionResult](t, "not_found", "")(p.void(uuid.New()))
	p.expect("Bob", p.credit("bob"), "0 pending, 250 available, 50 redeemed, 0 expired")
	p.expect("the first", p.stands(sooner.ID), "available REDEMPTION_VOIDED: net 100, redeemed 0")

	list := must[*client.ListCreditRedemptionsResult](t)(p.ListCreditRedemptionsWithResponse(t.Context(), &client.ListCreditRedemptionsParams{ParticipantID: ptr(p.participant("bob").ID)})).JSON200.Data
	if len(list) != 2 || list[0].ID != second.ID || list[1].State != "voided" || len(list[1].Items) != 3 {
		t.Errorf("the list is %+v", list)
	}
	read := must[*client.GetCreditRedemptionResult](t)(p.GetCreditRedemptionWithResponse(t.Context(), second.ID)).JSON200
	if read.Amount != 50 || len(read.Items) != 1 || read.State != "redeemed" {
		t.Errorf("the second is %+v", read)
	}
	said := ""
	for _, e := range p.statement(p.participant("bob").ID, 200) {
		if e.Reason != "MANUAL" && e.Reason != "GRANTED" {
			said += fmt.Sprintf("%s %d %s; ", e.Kind, e.Amount, e.Reason)
		}
	}
	p.expect("the statement", strings.Join(sorted(said), "; "), "available -100 REDEEMED; available -100 REDEEMED; available -50 REDEEMED; "+
		"available -50 REDEEMED; available 100 REDEMPTION_VOIDED; available 100 REDEMPTION_VOIDED; available 50 REDEMPTION_VOIDED")
}

func sorted(list string) []string {
	parts := strings.Split(strings.TrimSuffix(list, "; "), "; ")
	slices.Sort(parts)
	return parts
}

func TestSpentCreditOfARefundedSaleIsOwedBack(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	sale := p.buy("bob", "order-1", 10_000, nil)
	p.moveClock(time.Now().AddDate(0, 0, 15))
	welcome := sale.Rewards[slices.IndexFunc(sale.Rewards, func(r client.Reward) bool { return r.Kind == "credit" })].ID
	spent := p.spend("bob", "checkout-1", 700)
	charge := must[*client.RecordReversalResult](t)(p.RecordReversalWithResponse(t.Context(), &client.RecordReversalParams{}, client.NewReversal{
		ConversionExternalID: "order-1", ConversionType: "purchase", ExternalID: "chargeback-1", Kind: "chargeback",
	})).JSON201
	p.expect("Bob", p.credit("bob"), "0 pending, -700 available, 700 redeemed, 0 expired")
	p.expect("his credit", p.stands(welcome), "redeemed REVERSED_CHARGEBACK: net 0, redeemed 700")
	owed := must[*client.GetLiabilityResult](t)(p.GetLiabilityWithResponse(t.Context())).JSON200.Data
	if owed[0].RewardKind != "credit" || owed[0].CarriedForward != -700 || owed[0].Available != 0 || owed[1].RewardKind != "money" {
		t.Errorf("the liability is %+v", owed)
	}

	// Later credit makes up for it first.
	p.lend("bob", "gift", 800, nil)
	refused[*client.CreateCreditRedemptionResult](t, "insufficient_balance", "")(p.redeem("bob", "checkout-2", 101))
	p.spend("bob", "checkout-2", 100)
	p.expect("Bob", p.credit("bob"), "0 pending, 0 available, 800 redeemed, 0 expired")

	// The void of what was spent settles the debt; the dispute that was won gives the credit back.
	must[*client.VoidCreditRedemptionResult](t)(p.void(spent.ID))
	p.expect("Bob", p.credit("bob"), "0 pending, 700 available, 100 redeemed, 0 expired")
	p.expect("his credit", p.stands(welcome), "cancelled REDEMPTION_VOIDED: net 0, redeemed 0")
	must[*client.RestoreReversalResult](t)(p.RestoreReversalWithResponse(t.Context(), charge.Reversal.ID, &client.RestoreReversalParams{}, client.NewDisputeWin{ExternalID: "won-1"}))
	p.expect("Bob", p.credit("bob"), "0 pending, 1700 available, 100 redeemed, 0 expired")
	p.expect("his credit", p.stands(welcome), "available DISPUTE_WON: net 1000, redeemed 0")
}
