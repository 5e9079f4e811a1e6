package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// The chapters of the worked example, in the order in which they are told.

const twoWeeks = 14 * 24 * 60 * 60 // seconds

func storyRules() *client.NewRules {
	return &client.NewRules{
		Qualification: &client.NewQualificationRules{MinimumAmount: ptr(int64(2000))},
		Rewards: &client.NewRewardRules{
			{
				Key: "referrer_share", Triggers: client.RewardTriggers{"purchase"}, Beneficiary: client.RuleBeneficiaryReferrer,
				Kind: client.RewardKindMoney, Amount: client.RewardAmount{Type: client.RewardAmountTypeBasisPoints, Value: 2000},
				HoldSeconds: ptr(int64(twoWeeks)), DurationMonths: nullable.NewNullableWithValue(int64(12)),
			},
			{
				Key: "welcome_credit", Triggers: client.RewardTriggers{"qualified"}, Beneficiary: client.RuleBeneficiaryReferee,
				Kind: client.RewardKindCredit, Amount: client.RewardAmount{Type: client.RewardAmountTypeFixed, Value: 1000},
				HoldSeconds: ptr(int64(twoWeeks)),
			},
		},
	}
}

func (s *story) playProgram(ctx context.Context) error {
	workspace, err := s.c.GetWorkspaceWithResponse(ctx)
	if err != nil {
		return err
	}
	s.workspace = *workspace.JSON200
	if s.workspace.Mode != client.WorkspaceModeTest {
		return fmt.Errorf("the key is of a %s workspace; the story moves the clock, which only a test workspace has", s.workspace.Mode)
	}
	created, err := s.c.CreateProgramWithResponse(ctx, &client.CreateProgramParams{IdempotencyKey: s.key("program")}, client.NewProgram{
		Name: "Friends of Acme", Currency: "USD", LandingURL: "https://www.acme.example/welcome", Rules: storyRules(),
	})
	if err != nil {
		return err
	}
	s.program = created.JSON201.ID
	s.told("state when it is made", created.JSON201.State, client.ProgramStateDraft)
	activated, err := s.c.ActivateProgramWithResponse(ctx, s.program, &client.ActivateProgramParams{IdempotencyKey: s.key("activate")})
	if err != nil {
		return err
	}
	s.told("state when it is activated", activated.JSON200.State, client.ProgramStateActive)
	return nil
}

func (s *story) playCode(ctx context.Context) error {
	alice, err := s.c.UpsertParticipantWithResponse(ctx, &client.UpsertParticipantParams{ExternalID: s.name("alice")}, client.ParticipantChanges{
		DisplayName: nullable.NewNullableWithValue("Alice"), Email: nullable.NewNullableWithValue(s.name("alice") + "@mail.example"),
	})
	if err != nil {
		return err
	}
	s.alice = alice.JSON201.ID
	code, err := s.c.CreateCodeWithResponse(ctx, &client.CreateCodeParams{IdempotencyKey: s.key("code")}, client.NewCode{
		ProgramID: s.program, ParticipantExternalID: s.name("alice"),
	})
	if err != nil {
		return err
	}
	s.code = *code.JSON201
	s.show("code", s.code.Value)
	s.show("link", s.code.Link)
	s.told("state", s.code.EffectiveState, client.EffectiveCodeStateActive)
	return nil
}

func (s *story) playClick(ctx context.Context) error {
	browser := func(_ context.Context, r *http.Request) error {
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		return nil
	}
	followed, err := s.c.FollowWorkspaceLinkWithResponse(ctx, s.workspace.Slug, s.code.Value, &client.FollowWorkspaceLinkParams{}, browser)
	if err != nil {
		return err
	}
	s.told("answer", followed.StatusCode(), http.StatusFound)
	location, err := url.Parse(followed.HTTPResponse.Header.Get("Location"))
	if err != nil {
		return err
	}
	s.show("sent on to", location)
	if s.click, err = uuid.Parse(location.Query().Get("gv_click")); err != nil {
		return fmt.Errorf("the link led to %q without a click id: %w", location, err)
	}
	stored, err := s.c.GetClickWithResponse(ctx, s.click)
	if err != nil {
		return err
	}
	s.told("stored as", stored.JSON200.Classification, client.ClickClassificationHuman)
	return nil
}

func (s *story) playSignup(ctx context.Context) error {
	made, err := s.c.CreateSignupWithResponse(ctx, &client.CreateSignupParams{IdempotencyKey: s.key("signup-of-bob")}, client.NewSignup{
		ProgramID: s.program, ExternalID: s.name("signup-of-bob"), RefereeExternalID: s.name("bob"),
		Email: nullable.NewNullableWithValue(s.name("bob") + "@mail.example"), ClickIds: []uuid.UUID{s.click},
	})
	if err != nil {
		return err
	}
	s.signup = *made.JSON201
	s.bob = s.signup.Signup.RefereeID
	s.told("attributed", s.signup.Attributed, true)
	s.told("to Alice", valueOf(s.signup.ReferrerID) == s.alice, true)
	s.told("reason", s.signup.Reason, client.ReasonCodeAttributedLastTouch)
	return nil
}

func (s *story) playPurchase(ctx context.Context) error {
	s.order = client.NewConversion{
		ProgramID: s.program, RefereeExternalID: s.name("bob"), Source: ptr("shop"), ExternalID: s.name("order-5001"), Type: "purchase",
		Amount: 9999, Currency: "USD",
	}
	made, err := s.c.RecordConversionWithResponse(ctx, &client.RecordConversionParams{IdempotencyKey: s.key("order-5001")}, s.order)
	if err != nil {
		return err
	}
	s.purchase = *made.JSON201
	s.told("conversion", s.purchase.Conversion.State, client.ConversionStateCounted)
	s.rewards(s.purchase.Rewards, "20.00 USD of 20.00 USD, pending", "10.00 USD of 10.00 USD, pending")
	referral, err := s.c.GetReferralWithResponse(ctx, valueOf(s.signup.ReferralID))
	if err != nil {
		return err
	}
	s.told("referral", referral.JSON200.State, client.ReferralStateQualified)
	return nil
}

func (s *story) playRepetition(ctx context.Context) error {
	again, err := s.c.RecordConversionWithResponse(ctx, &client.RecordConversionParams{IdempotencyKey: s.key("order-5001")}, s.order)
	if err != nil {
		return err
	}
	s.told("the same conversion", again.JSON201 != nil && again.JSON201.Conversion.ID == s.purchase.Conversion.ID, true)
	s.told("Idempotent-Replayed", again.HTTPResponse.Header.Get("Idempotent-Replayed"), true)
	return s.balance(ctx, "Alice", s.alice, "money: 20.00 USD on hold, 0.00 USD available")
}

func (s *story) playMaturation(ctx context.Context) error {
	due := s.purchase.Rewards[0].AvailableAt
	moved, err := s.c.MoveTestClockWithResponse(ctx, &client.MoveTestClockParams{IdempotencyKey: s.key("two-weeks-later")}, client.NewTestClock{Now: due})
	if err != nil {
		return err
	}
	s.told("the clock", moved.JSON200.Now.Format(time.RFC3339Nano), due.Format(time.RFC3339Nano))
	if err := s.balance(ctx, "Alice", s.alice, "money: 0.00 USD on hold, 20.00 USD available"); err != nil {
		return err
	}
	return s.balance(ctx, "Bob", s.bob, "credit: 0.00 USD on hold, 10.00 USD available")
}

// reversal asks for a refund of the purchase.
func (s *story) reversal(ctx context.Context, key, fact string, amount int64) (*client.ReverseConversionResult, error) {
	return s.c.ReverseConversionWithResponse(ctx, s.purchase.Conversion.ID, &client.ReverseConversionParams{IdempotencyKey: s.key(key)},
		client.NewConversionReversal{ExternalID: s.name(fact), Kind: client.ReversalKindRefund, Amount: &amount, Currency: ptr("USD")})
}

func (s *story) playRefund(ctx context.Context) error {
	made, err := s.reversal(ctx, "refund-77", "refund-77", 3333)
	if err != nil {
		return err
	}
	s.told("conversion", made.JSON201.Conversion.State, client.ConversionStatePartiallyReversed)
	s.told("left of the purchase", money(made.JSON201.Conversion.NetAmount, "USD"), "66.66 USD")
	s.rewards(made.JSON201.Rewards, "13.33 USD of 20.00 USD, available", "10.00 USD of 10.00 USD, available")
	return s.balance(ctx, "Alice", s.alice, "money: 0.00 USD on hold, 13.33 USD available")
}

func (s *story) playExplanations(ctx context.Context) error {
	referral, err := s.c.ExplainReferralWithResponse(ctx, valueOf(s.signup.ReferralID))
	if err != nil {
		return err
	}
	s.explain(referral.JSON200)
	s.told("what won", len(referral.JSON200.Candidates) == 1 && referral.JSON200.Candidates[0].Won, true)
	for _, r := range s.purchase.Rewards {
		if r.ParticipantID != s.alice {
			continue
		}
		reward, err := s.c.ExplainRewardWithResponse(ctx, r.ID)
		if err != nil {
			return err
		}
		s.explain(reward.JSON200)
	}
	return nil
}

func (s *story) explain(e *client.Explanation) {
	s.p.say("   %s\n", e.Summary)
	for _, step := range e.Steps {
		s.p.say("     %s  %-23s %s\n", step.At.Format(time.DateTime), step.Reason, step.Title)
	}
}

func (s *story) playReplay(ctx context.Context) error {
	replayed, err := s.c.ReplayDecisionWithResponse(ctx, s.signup.DecisionID, &client.ReplayDecisionParams{IdempotencyKey: s.key("replay")})
	if err != nil {
		return err
	}
	s.show("hash of the answer", replayed.JSON200.AnswerHash)
	s.told("the same, byte for byte", replayed.JSON200.Same, true)
	return nil
}

func (s *story) playBooks(ctx context.Context) error {
	books, err := s.c.GetTrialBalanceWithResponse(ctx)
	if err != nil {
		return err
	}
	for _, currency := range books.JSON200.Currencies {
		for _, account := range currency.Accounts {
			s.show(fmt.Sprintf("all accounts %s of %s", account.Kind, currency.RewardKind), money(account.Balance, currency.Currency))
		}
		s.told("sum of "+string(currency.RewardKind), money(currency.Total, currency.Currency), money(0, currency.Currency))
	}
	s.told("balanced", books.JSON200.Balanced, true)
	return nil
}

func (s *story) playReasons(ctx context.Context) error {
	for _, refusal := range []struct {
		what, referee, code string
		reason              client.ReasonCode
	}{
		{"Alice, with her own code", "alice", s.code.Value, client.ReasonCodeSelfReferral},
		{"Carol, with a code that nobody has", "carol", "NO SUCH CODE", client.ReasonCodeCodeNotFound},
		{"Bob once more, with Alice's code", "bob", s.code.Value, client.ReasonCodeAlreadyAttributed},
	} {
		again := "second-signup-of-" + refusal.referee
		answer, err := s.c.CreateSignupWithResponse(ctx, &client.CreateSignupParams{IdempotencyKey: s.key(again)}, client.NewSignup{
			ProgramID: s.program, ExternalID: s.name(again), RefereeExternalID: s.name(refusal.referee), Code: &refusal.code,
		})
		if err != nil {
			return err
		}
		result := answer.JSON201
		if result == nil {
			result = answer.JSON200 // nothing new
		}
		s.told(refusal.what, fmt.Sprint(answer.StatusCode(), " ", result.Reason), fmt.Sprint(refusalStatus(refusal.reason), " ", refusal.reason))
	}
	return nil
}

// refusalStatus is 200 where the referee is known already, 201 where the signup is stored as the joining.
func refusalStatus(reason client.ReasonCode) int {
	if reason == client.ReasonCodeAlreadyAttributed {
		return http.StatusOK
	}
	return http.StatusCreated
}

func (s *story) playProblems(ctx context.Context) error {
	_, tooMuch := s.reversal(ctx, "refund-78", "refund-78", 6667)
	_, reused := s.reversal(ctx, "refund-77", "refund-77", 1)
	_, invalid := s.c.ReverseConversionWithBodyWithResponse(ctx, s.purchase.Conversion.ID,
		&client.ReverseConversionParams{IdempotencyKey: s.key("refund-79")}, "application/json",
		strings.NewReader(`{"external_id": "refund-79", "kind": "refund", "amount": 50, "currency": "dollars", "comment": "Sorry."}`))
	_, mistyped := s.wrong.GetTrialBalanceWithResponse(ctx)
	for _, refusal := range []struct {
		what   string
		err    error
		status int
		code   client.ProblemCode
	}{
		{"a refund of more than is left", tooMuch, http.StatusUnprocessableEntity, client.ProblemCodeReversalExceedsConversion},
		{"a used key for another amount", reused, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyKeyReuse},
		{"a currency and a field that are none", invalid, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed},
		{"an API key with a typing error", mistyped, http.StatusUnauthorized, client.ProblemCodeUnauthenticated},
	} {
		if err := s.refused(refusal.what, refusal.err, refusal.status, refusal.code); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) playEnd(ctx context.Context) error {
	return s.balance(ctx, "Alice", s.alice, "money: 0.00 USD on hold, 13.33 USD available")
}
