package server

import (
	"fmt"
	"slices"
	"testing"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// give grants Alice something by hand.
func (p *play) give(name string, kind client.RewardKind, currency string, amount int64) (*client.CreateManualRewardResult, error) {
	return p.CreateManualRewardWithResponse(p.w.Context(), &client.CreateManualRewardParams{IdempotencyKey: name}, client.NewReward{
		ProgramID: p.program.ID, ParticipantExternalID: "alice", Amount: amount, Currency: currency, Kind: kind, Reason: "a gift", ExternalID: name,
	})
}

func TestKindsOfRewardsNeverMix(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	for i, kind := range []client.RewardKind{"money", "credit", "points", "coupon", "custom"} {
		right, wrong := "USD", "XXX"
		if i > 1 {
			right, wrong = wrong, right
		}
		refused[*client.CreateManualRewardResult](t, "currency_mismatch", "/currency")(p.give("wrong-"+string(kind), kind, wrong, 5))
		must[*client.CreateManualRewardResult](t)(p.give(string(kind), kind, right, int64(i+1)))
	}
	list := must[*client.GetParticipantBalancesResult](t)(p.GetParticipantBalancesWithResponse(t.Context(), p.alice.ParticipantID)).JSON200
	var told []string
	for _, b := range list.Data {
		told = append(told, fmt.Sprintf("%s %s %d", b.Currency, b.RewardKind, b.Available))
	}
	if want := []string{"USD credit 2", "USD money 1", "XXX coupon 4", "XXX custom 5", "XXX points 3"}; !slices.Equal(told, want) {
		t.Errorf("Alice has %q, want %q", told, want)
	}
	granted := p.counted(day(-1), day(1)).Totals.RewardsGranted
	if granted != 3 {
		t.Errorf("the program counts %d cents granted, want those of money and credit alone", granted)
	}
}
