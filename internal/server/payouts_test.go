package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
	"github.com/grapevine-referrals/grapevine/internal/doctor"
)

// policy sets the payout policy for dollars: 25 dollars at least, by hand. Change edits it.
func (c caller) policy(change func(*client.NewPayoutPolicy)) client.SavedPayoutPolicy {
	c.w.Helper()
	n := client.NewPayoutPolicy{MinimumAmount: 2500}
	if change != nil {
		change(&n)
	}
	res := must[*client.SetPayoutPolicyResult](c.w)(c.SetPayoutPolicyWithResponse(c.w.Context(), "USD", n))
	if res.JSON201 != nil {
		return *res.JSON201
	}
	return *res.JSON200
}

func (c caller) grant(program uuid.UUID, to string, amount int64, kind client.RewardKind) client.Reward {
	c.w.Helper()
	must[*client.UpsertParticipantResult](c.w)(c.UpsertParticipantWithResponse(c.w.Context(), &client.UpsertParticipantParams{ExternalID: to}, client.ParticipantChanges{}))
	return *must[*client.CreateManualRewardResult](c.w)(c.CreateManualRewardWithResponse(c.w.Context(), &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: program, ParticipantExternalID: to, ExternalID: uuid.NewString(), Amount: amount, Currency: "USD", Kind: kind, Reason: "thanks",
	})).JSON201
}

func (c caller) run(dry bool) client.PayoutRunOutcome {
	c.w.Helper()
	res := must[*client.CreatePayoutRunResult](c.w)(c.CreatePayoutRunWithResponse(c.w.Context(), &client.CreatePayoutRunParams{}, client.NewPayoutRun{
		Currency: "USD", DryRun: &dry,
	}))
	if dry {
		return *res.JSON200
	}
	return *res.JSON201
}

// payout is the only payout of a run.
func (c caller) payout(run client.PayoutRunOutcome) client.Payout {
	c.w.Helper()
	page := must[*client.ListPayoutsResult](c.w)(c.ListPayoutsWithResponse(c.w.Context(), &client.ListPayoutsParams{RunID: &run.Run.ID})).JSON200
	if len(page.Data) != 1 {
		c.w.Fatalf("%d payouts", len(page.Data))
	}
	return page.Data[0]
}

func (c caller) approve(id uuid.UUID) client.Payout {
	c.w.Helper()
	return *must[*client.ApprovePayoutResult](c.w)(c.ApprovePayoutWithResponse(c.w.Context(), id, &client.ApprovePayoutParams{})).JSON200
}

func (c caller) submit(id uuid.UUID) client.Payout {
	c.w.Helper()
	return *must[*client.SubmitPayoutResult](c.w)(c.SubmitPayoutWithResponse(c.w.Context(), id, &client.SubmitPayoutParams{})).JSON200
}

func (c caller) markPaid(id uuid.UUID, reference string, key *string) (*client.MarkPayoutPaidResult, error) {
	return c.MarkPayoutPaidWithResponse(c.w.Context(), id, &client.MarkPayoutPaidParams{}, client.PaymentReport{ProviderReference: reference, ProviderKey: key})
}

func (c caller) markFailed(id uuid.UUID) client.Payout {
	c.w.Helper()
	return *must[*client.MarkPayoutFailedResult](c.w)(c.MarkPayoutFailedWithResponse(c.w.Context(), id, &client.MarkPayoutFailedParams{},
		client.FailureReport{Reason: "no such account"})).JSON200
}

// paid takes a payout from draft to paid.
func (c caller) paid(id uuid.UUID) client.Payout {
	c.w.Helper()
	c.approve(id)
	c.submit(id)
	return *must[*client.MarkPayoutPaidResult](c.w)(c.markPaid(id, "transfer-"+id.String(), nil)).JSON200
}

func (c caller) retry(id uuid.UUID) client.Payout {
	c.w.Helper()
	return *must[*client.RetryPayoutResult](c.w)(c.RetryPayoutWithResponse(c.w.Context(), id, &client.RetryPayoutParams{})).JSON200
}

func (c caller) cancelPayout(id uuid.UUID) (*client.CancelPayoutResult, error) {
	return c.CancelPayoutWithResponse(c.w.Context(), id, &client.CancelPayoutParams{}, client.ActionReason{Reason: "asked to wait"})
}

// money is what a participant has: available, reserved and paid.
func (c caller) money(participant uuid.UUID) string {
	c.w.Helper()
	list := must[*client.GetParticipantBalancesResult](c.w)(c.GetParticipantBalancesWithResponse(c.w.Context(), participant)).JSON200
	for _, b := range list.Data {
		if b.RewardKind == "money" {
			return fmt.Sprintf("%d available, %d reserved, %d paid", b.Available, b.Reserved, b.Paid)
		}
	}
	return "nothing"
}

func (c caller) has(participant uuid.UUID, want string) {
	c.w.Helper()
	if got := c.money(participant); got != want {
		c.w.Errorf("the participant has %s, want %s", got, want)
	}
}

// books has the doctor look at everything.
func (w *world) books() {
	w.Helper()
	checks := slices.DeleteFunc(doctor.Checks(), func(c doctor.Check) bool { return c.Name == "durable" })
	findings, err := doctor.Examine(w.Context(), w.database.App(w), checks)
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range findings {
		w.Error(f)
	}
}

func (c caller) rewardState(id uuid.UUID) string {
	c.w.Helper()
	r := must[*client.GetRewardResult](c.w)(c.GetRewardWithResponse(c.w.Context(), id)).JSON200
	return fmt.Sprintf("%s %d", r.State, r.Net)
}

func TestThePathsOfAPayout(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(nil)
	reward := p.grant(p.program.ID, "alice", 3000, "money")
	alice := reward.ParticipantID
	id := p.payout(p.run(false)).ID
	refused[*client.SubmitPayoutResult](t, "state_not_allowed", "")(p.SubmitPayoutWithResponse(t.Context(), id, &client.SubmitPayoutParams{}))
	refused[*client.MarkPayoutPaidResult](t, "state_not_allowed", "")(p.markPaid(id, "x", nil))
	p.approve(id)
	submitted := p.submit(id)
	key := submitted.ProviderKey.MustGet()
	if key != id.String()+"_1" {
		t.Errorf("the key is %s", key)
	}
	refused[*client.CancelPayoutResult](t, "state_not_allowed", "")(p.cancelPayout(id))
	if failed := p.markFailed(id); failed.State != "failed" || failed.Note.MustGet() != "no such account" {
		t.Errorf("failed: %+v", failed)
	}
	p.has(alice, "0 available, 3000 reserved, 0 paid")
	if draft := p.retry(id); draft.State != "draft" || draft.Attempt != 2 {
		t.Errorf("retried: %+v", draft)
	}
	p.approve(id)
	if again := p.submit(id); again.ProviderKey.MustGet() != id.String()+"_2" {
		t.Errorf("the second attempt has the key %s", again.ProviderKey.MustGet())
	}
	refused[*client.MarkPayoutPaidResult](t, "state_not_allowed", "")(p.markPaid(id, "first", &key)) // the second is under way
	paid := must[*client.MarkPayoutPaidResult](t)(p.markPaid(id, "second", ptr(id.String()+"_2"))).JSON200
	must[*client.MarkPayoutPaidResult](t)(p.markPaid(id, "second", nil))
	refused[*client.MarkPayoutPaidResult](t, "state_not_allowed", "")(p.markPaid(id, "third", nil))
	if paid.State != "paid" || paid.ProviderReference.MustGet() != "second" || p.rewardState(reward.ID) != "paid 3000" {
		t.Errorf("paid: %+v", paid)
	}
	p.has(alice, "0 available, 0 reserved, 3000 paid")
	returned := must[*client.ReturnPayoutResult](t)(p.ReturnPayoutWithResponse(t.Context(), id, &client.ReturnPayoutParams{}, client.FailureReport{Reason: "closed"})).JSON200
	if returned.State != "returned" || p.rewardState(reward.ID) != "reserved 3000" {
		t.Errorf("returned: %+v", returned)
	}
	p.has(alice, "0 available, 3000 reserved, 0 paid")
	if draft := p.retry(id); draft.Attempt != 3 {
		t.Errorf("retried: %+v", draft)
	}
	cancelled := must[*client.CancelPayoutResult](t)(p.cancelPayout(id)).JSON200
	if cancelled.State != "cancelled" || p.rewardState(reward.ID) != "available 3000" {
		t.Errorf("cancelled: %+v", cancelled)
	}
	p.has(alice, "3000 available, 0 reserved, 0 paid")
	if out := p.run(false); out.Amount != 3000 {
		t.Errorf("the next run: %+v", out)
	}
	if got, want := p.events(id), "payout.created payout.approved payout.submitted payout.failed payout.retried payout.approved payout.submitted payout.paid "+
		"payout.returned payout.retried payout.cancelled"; got != want {
		t.Errorf("events %s", got)
	}
	if got, want := p.events(reward.ID), "reward.granted reward.available reward.reserved reward.paid reward.reserved reward.unreserved reward.reserved"; got != want {
		t.Errorf("events of the reward %s", got)
	}
	p.w.books()
}

// A provider that says late that it has paid is believed once, by the key of the attempt.
func TestLateSuccess(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(nil)
	for _, c := range []struct {
		name string
		then func(id uuid.UUID)
	}{
		{"failed", func(uuid.UUID) {}},
		{"draft", func(id uuid.UUID) { p.retry(id) }},
		{"approved", func(id uuid.UUID) { p.retry(id); p.approve(id) }},
	} {
		reward := p.grant(p.program.ID, "payee-"+c.name, 3000, "money")
		id := p.payout(p.run(false)).ID
		p.approve(id)
		key := p.submit(id).ProviderKey.MustGet()
		p.markFailed(id)
		c.then(id)
		refused[*client.MarkPayoutPaidResult](t, "state_not_allowed", "")(p.markPaid(id, "late", nil))
		refused[*client.MarkPayoutPaidResult](t, "state_not_allowed", "")(p.markPaid(id, "late", ptr(id.String()+"_2")))
		refused[*client.MarkPayoutPaidResult](t, "state_not_allowed", "")(p.markPaid(id, "late", ptr(uuid.NewString()+"_1")))
		paid := must[*client.MarkPayoutPaidResult](t)(p.markPaid(id, "late", &key)).JSON200
		if paid.State != "paid" || paid.ProviderKey.MustGet() != key || p.rewardState(reward.ID) != "paid 3000" {
			t.Errorf("%s: %+v", c.name, paid)
		}
		must[*client.MarkPayoutPaidResult](t)(p.markPaid(id, "late", &key))
		p.has(reward.ParticipantID, "0 available, 0 reserved, 3000 paid")
	}
	p.w.books()
}

// A refund of what is reserved, before the payout is handed over: the payout is cancelled, and only what is left is ever paid.
func TestWhatWasUndoneIsNotPaid(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	alice := p.alice.ParticipantID
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1 })
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	p.buy("bob", "order-1", 10_000, nil)
	p.buy("bob", "order-2", 10_000, nil)
	p.moveClock(time.Now().AddDate(0, 0, 15))
	first := p.payout(p.run(false))
	p.approve(first.ID)
	p.refund("order-1", "refund-1", 10_000)
	p.refund("order-2", "refund-2", 2_500)
	p.has(alice, "-2500 available, 4000 reserved, 0 paid")
	p.w.books()
	if got := p.submit(first.ID); got.State != "cancelled" {
		t.Errorf("submitted: %+v", got)
	}
	p.has(alice, "1500 available, 0 reserved, 0 paid")
	p.w.books()
	out := p.run(false)
	if out.Amount != 1500 || out.Payouts[0].Rewards != 1 {
		t.Errorf("the next run: %+v", out)
	}
	second := p.payout(out)
	p.approve(second.ID)
	p.submit(second.ID)
	p.refund("order-2", "refund-3", 7_500) // too late
	must[*client.MarkPayoutPaidResult](t)(p.markPaid(second.ID, "x", nil))
	p.has(alice, "-1500 available, 0 reserved, 1500 paid")
	p.w.books()
}

// Somebody who is banned while a payout waits gets nothing.
func TestABanStopsAPayout(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(nil)
	reward := p.grant(p.program.ID, "mallory", 3000, "money")
	id := p.payout(p.run(false)).ID
	p.approve(id)
	must[*client.BanParticipantResult](t)(p.ban(reward.ParticipantID))
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	p.buy("bob", "order-1", 20_000, nil)
	p.moveClock(time.Now().AddDate(0, 0, 15))
	alice := p.payout(p.run(false)).ID
	p.approve(alice)
	must[*client.BanParticipantResult](t)(p.ban(p.alice.ParticipantID))
	if got := p.submit(alice); got.State != "cancelled" {
		t.Errorf("%+v", got)
	}
	p.has(p.alice.ParticipantID, "0 available, 0 reserved, 0 paid")
	if got := p.submit(id); got.State != "cancelled" || p.rewardState(reward.ID) != "cancelled 0" {
		t.Errorf("%+v, %s", got, p.rewardState(reward.ID))
	}
	p.has(reward.ParticipantID, "0 available, 0 reserved, 0 paid")
	p.w.books()
}
