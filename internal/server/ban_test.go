package server

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// fixture is an active program whose referrer earns a fifth of every purchase and renewal, and whose referee gets 1,000 once; both
// are held for two weeks.
func (c caller) fixture() client.Program {
	c.w.Helper()
	const hold = 14 * 24 * 60 * 60
	return c.activeProgram(func(n *client.NewProgram) {
		n.Rules.Qualification = &client.NewQualificationRules{MinimumAmount: ptr(int64(2000))}
		n.Rules.Rewards = &[]client.NewRewardRule{
			{
				Key: "share", Triggers: []string{"purchase", "renewal"}, Beneficiary: "referrer", Kind: "money",
				Amount: client.RewardAmount{Type: "basis_points", Value: 2000}, HoldSeconds: ptr(int64(hold)),
			},
			{
				Key: "welcome", Triggers: []string{"qualified"}, Beneficiary: "referee", Kind: "credit",
				Amount: client.RewardAmount{Type: "fixed", Value: 1000}, HoldSeconds: ptr(int64(hold)),
			},
		}
	})
}

func (c caller) signUp(program uuid.UUID, who, code string) (*client.CreateSignupResult, error) {
	return c.CreateSignupWithResponse(c.w.Context(), &client.CreateSignupParams{}, client.NewSignup{
		ProgramID: program, RefereeExternalID: who, ExternalID: "signup-" + who, Code: &code,
	})
}

func (c caller) buy(program uuid.UUID, who, order string, amount int64) (*client.RecordConversionResult, error) {
	return c.RecordConversionWithResponse(c.w.Context(), &client.RecordConversionParams{}, client.NewConversion{
		ProgramID: program, RefereeExternalID: who, ExternalID: order, Type: "purchase", Amount: amount, Currency: "USD",
	})
}

func (c caller) ban(id uuid.UUID) (*client.BanParticipantResult, error) {
	return c.BanParticipantWithResponse(c.w.Context(), id, &client.BanParticipantParams{}, client.ActionReason{Reason: "ring"})
}

// agree checks that ledger and statistics say what the facts say.
func (w *world) agree() {
	w.Helper()
	for what, sql := range map[string]string{
		"currencies that do not add up to zero": `SELECT count(*) FROM (SELECT 1 FROM ledger_accounts GROUP BY workspace_id, currency, reward_kind HAVING sum(balance) <> 0) AS t`,
		"accounts that are not the sum of their transfers": `SELECT count(*) FROM ledger_accounts a WHERE balance <> (
			SELECT coalesce(sum(CASE WHEN a.kind = t.to_kind THEN amount ELSE -amount END), 0) FROM ledger_transfers t
			WHERE t.workspace_id = a.workspace_id AND t.participant_id = a.participant_id AND t.currency = a.currency AND a.reward_kind = t.reward_kind
				AND a.kind IN (t.to_kind, t.from_kind))`,
		"participants whose unpaid rewards are not their balance": `SELECT count(*) FROM participants p WHERE
			(SELECT coalesce(sum(balance), 0) FROM ledger_accounts a WHERE a.workspace_id = p.workspace_id AND a.participant_id = p.id AND a.kind IN ('pending', 'available')) <>
			(SELECT coalesce(sum(CASE w.state WHEN 'paid' THEN -reversed WHEN 'expired' THEN 0 ELSE granted - reversed END), 0) FROM rewards w WHERE w.workspace_id = p.workspace_id AND w.participant_id = p.id)`,
		"programs whose statistics differ from the facts": `SELECT count(*) FROM programs p WHERE
			(SELECT row(coalesce(sum(referrals), 0), coalesce(sum(qualified), 0), coalesce(sum(conversions), 0), coalesce(sum(revenue), 0), coalesce(sum(reversed_revenue), 0), coalesce(sum(rewards_granted), 0), coalesce(sum(rewards_reversed), 0))
				FROM program_days d WHERE d.program_id = p.id) IS DISTINCT FROM row(
			(SELECT count(*)::numeric FROM referrals r WHERE r.program_id = p.id AND state <> 'superseded'),
			(SELECT count(*)::numeric FROM referrals r WHERE r.program_id = p.id AND state IN ('qualified', 'churned')),
			(SELECT count(*)::numeric FROM conversions c WHERE c.program_id = p.id AND state NOT IN ('unmatched', 'disqualified')),
			(SELECT coalesce(sum(amount), 0) FROM conversions c WHERE c.program_id = p.id AND state NOT IN ('unmatched', 'disqualified')),
			(SELECT coalesce(sum(reversed_amount), 0) FROM conversions c WHERE c.program_id = p.id AND state NOT IN ('unmatched', 'disqualified')),
			(SELECT coalesce(sum(granted), 0) FROM rewards w WHERE w.program_id = p.id), (SELECT coalesce(sum(reversed), 0) FROM rewards w WHERE w.program_id = p.id))`,
		"referrers whose statistics differ from the facts": `SELECT count(*) FROM participants p WHERE
			(SELECT row(coalesce(sum(referrals), 0), coalesce(sum(qualified), 0), coalesce(sum(conversions), 0), coalesce(sum(rewards_granted), 0), coalesce(sum(rewards_reversed), 0))
				FROM referrer_days d WHERE d.participant_id = p.id) IS DISTINCT FROM row(
			(SELECT count(*)::numeric FROM referrals r WHERE r.referrer_id = p.id AND state <> 'superseded'),
			(SELECT count(*)::numeric FROM referrals r WHERE r.referrer_id = p.id AND state IN ('qualified', 'churned')),
			(SELECT count(*)::numeric FROM conversions c JOIN referrals r ON r.id = c.referral_id WHERE r.referrer_id = p.id AND c.state NOT IN ('unmatched', 'disqualified')),
			(SELECT coalesce(sum(granted), 0) FROM rewards w WHERE w.participant_id = p.id AND beneficiary = 'referrer'),
			(SELECT coalesce(sum(reversed), 0) FROM rewards w WHERE w.participant_id = p.id AND beneficiary = 'referrer'))`,
	} {
		if n := w.number(sql); n != 0 {
			w.Errorf("%d %s", n, what)
		}
	}
}

// pay marks a reward as paid, as a payout will do it.
func (w *world) pay(reward uuid.UUID) {
	w.Helper()
	owner := w.database.Owner(w)
	for _, sql := range []string{
		`UPDATE rewards SET state = 'paid', version = version + 1 WHERE id = $1`,
		`INSERT INTO ledger_accounts SELECT workspace_id, participant_id, currency, 'cash', granted, kind FROM rewards WHERE id = $1`,
		`UPDATE ledger_accounts a SET balance = balance - granted FROM rewards w WHERE w.id = $1 AND a.participant_id = w.participant_id AND a.reward_kind = w.kind AND a.kind = 'available'`,
		`INSERT INTO ledger_transfers SELECT workspace_id, gen_random_uuid(), participant_id, currency, 'available', 'cash', granted, 'pay', reason, id, created_at, kind FROM rewards WHERE id = $1`,
	} {
		if _, err := owner.Exec(w.Context(), sql, reward); err != nil {
			w.Fatal(err)
		}
	}
}

// owed gives what is pending, available and paid to a participant.
func (w *world) owed(id uuid.UUID) [3]int64 {
	w.Helper()
	var out [3]int64
	for i, kind := range []string{"pending", "available", "cash"} {
		out[i] = w.number(`SELECT coalesce(sum(balance), 0) FROM ledger_accounts WHERE participant_id = $1 AND kind = $2`, id, kind)
	}
	return out
}

// rewardOf gives a referee's or referrer's reward of an order.
func (w *world) rewardOf(owner uuid.UUID, order string) uuid.UUID {
	w.Helper()
	var id uuid.UUID
	err := w.database.Owner(w).QueryRow(w.Context(), `SELECT w.id FROM rewards w JOIN conversions c ON c.id = w.conversion_id
		WHERE w.participant_id = $1 AND c.external_id = $2`, owner, order).Scan(&id)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

func (c caller) expect(reward uuid.UUID, state client.RewardState, net int64, why client.ReasonCode) {
	c.w.Helper()
	got := must[*client.GetRewardResult](c.w)(c.GetRewardWithResponse(c.w.Context(), reward)).JSON200
	if got.State != state || got.Net != net || got.Reason != why {
		c.w.Errorf("the reward is %s %d %s, want %s %d %s", got.State, got.Net, got.Reason, state, net, why)
	}
}

func TestABanTakesWhatWasNotPaidAndNothingElse(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.test()
	p := c.fixture()
	start := time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)
	c.moveClock(start)
	patron := c.code(p.ID, "patron", nil)
	code := c.code(p.ID, "alice", nil)
	rotated, retired := c.code(p.ID, "alice", nil), c.code(p.ID, "alice", nil)
	must[*client.DisableCodeResult](t)(c.DisableCodeWithResponse(t.Context(), rotated.ID, &client.DisableCodeParams{}, client.CodeDisabling{Reason: "rotation"}))
	must[*client.RetireCodeResult](t)(c.RetireCodeWithResponse(t.Context(), retired.ID, &client.RetireCodeParams{}))
	alice := c.named("alice").ID
	must[*client.CreateSignupResult](t)(c.signUp(p.ID, "alice", patron.Value)) // she was referred herself
	for _, who := range []string{"paid", "ready", "fresh", "idle", "gone"} {
		must[*client.CreateSignupResult](t)(c.signUp(p.ID, who, code.Value))
	}
	must[*client.RecordConversionResult](t)(c.buy(p.ID, "paid", "order-paid", 20_000))
	must[*client.RecordConversionResult](t)(c.buy(p.ID, "ready", "order-ready", 15_000))
	must[*client.RecordConversionResult](t)(c.buy(p.ID, "gone", "order-gone", 5_000))
	c.moveClock(start.Add(14 * 24 * time.Hour))
	must[*client.RecordConversionResult](t)(c.buy(p.ID, "fresh", "order-fresh", 10_000))
	must[*client.RecordConversionResult](t)(c.buy(p.ID, "alice", "order-alice", 30_000))
	must[*client.ReverseConversionResult](t)(c.reverse("order-gone", "chargeback-1", "chargeback"))
	w.pay(w.rewardOf(alice, "order-paid"))
	gift := must[*client.CreateManualRewardResult](t)(c.CreateManualRewardWithResponse(t.Context(), &client.CreateManualRewardParams{}, client.NewReward{
		ProgramID: p.ID, ParticipantExternalID: "alice", ExternalID: "gift-1", Amount: 700, Currency: "USD", Kind: "money", Reason: "Thanks",
	})).JSON201
	if got := w.owed(alice); got != [3]int64{3000, 3700, 4000} { // her own welcome is pending as well
		t.Fatalf("before the ban she is owed %v", got)
	}
	w.agree()

	banned := must[*client.BanParticipantResult](t)(c.ban(alice)).JSON200
	if banned.State != "banned" {
		t.Errorf("banned: %+v", banned)
	}
	refused[*client.BanParticipantResult](t, "state_not_allowed", "")(c.ban(alice))
	if got := w.owed(alice); got != [3]int64{0, 0, 4000} {
		t.Errorf("after the ban she is owed %v", got)
	}
	w.agree()
	const why = "REFERRER_INELIGIBLE"
	for _, order := range []string{"order-ready", "order-fresh", "order-alice"} {
		c.expect(w.rewardOf(alice, order), "cancelled", 0, why)
	}
	c.expect(gift.ID, "cancelled", 0, why)
	c.expect(w.rewardOf(alice, "order-paid"), "paid", 4000, "GRANTED")
	c.expect(w.rewardOf(alice, "order-gone"), "cancelled", 0, "REVERSED_CHARGEBACK")
	c.expect(w.rewardOf(c.named("paid").ID, "order-paid"), "available", 1000, "GRANTED")
	c.expect(w.rewardOf(c.named("fresh").ID, "order-fresh"), "pending", 1000, "GRANTED")
	c.expect(w.rewardOf(c.named("patron").ID, "order-alice"), "pending", 6000, "GRANTED")
	if n := w.number(`SELECT count(*) FROM referrals WHERE referrer_id = $1 AND state = 'rejected' AND reason = $2`, alice, why); n != 5 {
		t.Errorf("%d of her 5 referrals are rejected", n)
	}
	if n := w.number(`SELECT count(*) FROM referrals WHERE referee_id = $1 AND state = 'qualified'`, alice); n != 1 {
		t.Error("the referral of herself did not stay")
	}
	for id, want := range map[uuid.UUID]string{code.ID: "disabled fraud", rotated.ID: "disabled fraud", retired.ID: "retired "} {
		got := must[*client.GetCodeResult](t)(c.GetCodeWithResponse(t.Context(), id)).JSON200
		if state := fmt.Sprintf("%s %s", got.State, deref(got.DisabledReason)); state != want {
			t.Errorf("a code is %q, want %q", state, want)
		}
	}

	// What happens later changes nothing of that; only money that was paid follows its purchase.
	must[*client.RecordConversionResult](t)(c.buy(p.ID, "fresh", "order-later", 9_000))
	must[*client.RestoreReversalResult](t)(c.winDispute("chargeback-1"))
	if got := w.owed(alice); got != [3]int64{0, 0, 4000} {
		t.Errorf("after a sale and a dispute won she is owed %v", got)
	}
	c.expect(w.rewardOf(alice, "order-gone"), "cancelled", 0, "REVERSED_CHARGEBACK")
	must[*client.ReverseConversionResult](t)(c.reverse("order-paid", "chargeback-2", "chargeback"))
	if got := w.owed(alice); got != [3]int64{0, -4000, 4000} {
		t.Errorf("after the paid sale was taken back she is owed %v", got)
	}
	must[*client.RestoreReversalResult](t)(c.winDispute("chargeback-2"))
	if got := w.owed(alice); got != [3]int64{0, 0, 4000} {
		t.Errorf("after that dispute was won she is owed %v", got)
	}
	must[*client.ReinstateParticipantResult](t)(c.ReinstateParticipantWithResponse(t.Context(), alice, &client.ReinstateParticipantParams{}, client.ActionReason{Reason: "appeal"}))
	if got := w.owed(alice); got != [3]int64{0, 0, 4000} {
		t.Errorf("after the reinstatement she is owed %v", got)
	}
	w.agree()
}

func deref(why *client.DisabledReason) string {
	if why == nil {
		return ""
	}
	return string(*why)
}

// conversion finds a conversion by its order.
func (c caller) conversion(order string) uuid.UUID {
	c.w.Helper()
	var id uuid.UUID
	if err := c.w.database.Owner(c.w).QueryRow(c.w.Context(), `SELECT id FROM conversions WHERE external_id = $1`, order).Scan(&id); err != nil {
		c.w.Fatal(err)
	}
	return id
}

func (c caller) reverse(order, externalID string, kind client.ReversalKind) (*client.ReverseConversionResult, error) {
	return c.ReverseConversionWithResponse(c.w.Context(), c.conversion(order), &client.ReverseConversionParams{}, client.NewConversionReversal{
		ExternalID: externalID, Kind: kind,
	})
}

func (c caller) winDispute(reversal string) (*client.RestoreReversalResult, error) {
	var id uuid.UUID
	if err := c.w.database.Owner(c.w).QueryRow(c.w.Context(), `SELECT id FROM reversals WHERE external_id = $1`, reversal).Scan(&id); err != nil {
		c.w.Fatal(err)
	}
	return c.RestoreReversalWithResponse(c.w.Context(), id, &client.RestoreReversalParams{}, client.NewDisputeWin{ExternalID: "won-" + reversal})
}

func TestABanAmidTrafficLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.fixture()
	code := c.code(p.ID, "alice", nil)
	alice := c.named("alice").ID
	for i := range 12 {
		must[*client.CreateSignupResult](t)(c.signUp(p.ID, fmt.Sprint("old-", i), code.Value))
		if i%2 == 0 {
			must[*client.RecordConversionResult](t)(c.buy(p.ID, fmt.Sprint("old-", i), fmt.Sprint("first-", i), 10_000))
		}
	}
	errs := atOnce(37, func(i int) error {
		switch {
		case i == 20:
			_, err := c.ban(alice)
			return err
		case i < 12:
			_, err := c.buy(p.ID, fmt.Sprint("old-", i), fmt.Sprint("second-", i), 10_000)
			return err
		case i < 24:
			_, err := c.signUp(p.ID, fmt.Sprint("new-", i), code.Value)
			return err
		default:
			_, err := c.createCode(client.NewCode{ProgramID: p.ID, ParticipantExternalID: "alice"})
			if problem, ok := errors.AsType[*client.ProblemError](err); ok && (problem.Code == "state_not_allowed" || problem.Code == "code_limit") {
				return nil
			}
			return err
		}
	})
	if count(errs, "") != len(errs) {
		t.Errorf("the answers are %v", errs)
	}
	for what, sql := range map[string]string{
		"open referrals": `SELECT count(*) FROM referrals WHERE referrer_id = $1 AND state NOT IN ('rejected', 'expired', 'superseded')`,
		"unpaid rewards": `SELECT count(*) FROM rewards WHERE participant_id = $1 AND state <> 'cancelled'`,
		"usable codes":   `SELECT count(*) FROM codes WHERE participant_id = $1 AND state <> 'disabled'`,
	} {
		if n := w.number(sql, alice); n != 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
	if n := w.number(`SELECT count(*) FROM rewards WHERE beneficiary = 'referee' AND state = 'pending'`); n < 6 {
		t.Errorf("only %d referees kept what is theirs", n)
	}
	w.agree()
}

func TestABanOfSomebodyWithManyRefereesIsOneAnswer(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.live()
	p := c.fixture()
	code := c.code(p.ID, "alice", nil)
	const many = 300
	for i := range many {
		must[*client.CreateSignupResult](t)(c.signUp(p.ID, fmt.Sprint("referee-", i), code.Value))
		must[*client.RecordConversionResult](t)(c.buy(p.ID, fmt.Sprint("referee-", i), fmt.Sprint("order-", i), 10_000))
	}
	// As autovacuum does, sooner or later: plans for tables of which nothing is known are many times slower.
	if _, err := w.database.Owner(t).Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	must[*client.BanParticipantResult](t)(c.ban(c.named("alice").ID))
	t.Logf("%d referees took %v", many, time.Since(began).Round(time.Millisecond))
	if n := w.number(`SELECT count(*) FROM referrals WHERE state <> 'rejected'`); n != 0 {
		t.Errorf("%d referrals are left", n)
	}
	w.agree()
}
