// Quickstart of the Go client: Alice refers Bob, Bob buys, both earn, and a refund takes its part back.
//
// GRAPEVINE_URL says where the server answers, GRAPEVINE_API_KEY is the secret key of a test workspace.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

func main() {
	log.SetFlags(0)
	grapevine, err := client.New(cmp.Or(os.Getenv("GRAPEVINE_URL"), "http://127.0.0.1:8080"), os.Getenv("GRAPEVINE_API_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	if err := run(context.Background(), grapevine); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, grapevine *client.ClientWithResponses) error {
	// Names of this run, so that it can be repeated in one workspace. Yours are the identifiers of your own system.
	suffix := "-" + rand.Text()[:8]
	alice, bob, order := "alice"+suffix, "bob"+suffix, "order"+suffix

	program, err := startProgram(ctx, grapevine)
	if err != nil {
		return fmt.Errorf("program: %w", err)
	}

	// A referrer, and what she shares.
	_, err = grapevine.UpsertParticipantWithResponse(ctx, &client.UpsertParticipantParams{ExternalID: alice}, client.ParticipantChanges{
		DisplayName: nullable.NewNullableWithValue("Alice"),
	})
	if err != nil {
		return fmt.Errorf("participant: %w", err)
	}
	code, err := grapevine.CreateCodeWithResponse(ctx, nil, client.NewCode{ProgramID: program, ParticipantExternalID: alice})
	if err != nil {
		return fmt.Errorf("code: %w", err)
	}
	fmt.Printf("Alice shares %s\n", code.JSON201.Link)

	// Bob's browser follows the link. Your landing page keeps gv_click until Bob signs up.
	click, err := follow(ctx, code.JSON201.Link)
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}

	// Bob signs up. A signup is never refused because of its referral: the answer says who gets him, or why nobody does.
	signup, err := grapevine.CreateSignupWithResponse(ctx, nil, client.NewSignup{
		ProgramID: program, RefereeExternalID: bob, ExternalID: "signup" + suffix, ClickIds: []uuid.UUID{click},
	})
	if err != nil {
		return fmt.Errorf("signup: %w", err)
	}
	joined := cmp.Or(signup.JSON201, signup.JSON200) // 200 when this signup was recorded before
	if !joined.Attributed {
		return fmt.Errorf("nobody gets Bob: %s", joined.Reason)
	}
	fmt.Printf("Bob joined and belongs to Alice: %s\n", joined.Reason)

	// Bob buys. The key is made of the order, so that sending it again, even after a crash, never counts it twice.
	purchase, err := grapevine.RecordConversionWithResponse(ctx, &client.RecordConversionParams{IdempotencyKey: order}, client.NewConversion{
		ProgramID: program, RefereeExternalID: bob, ExternalID: order, Type: "purchase", Amount: 9999, Currency: "USD",
	})
	if err != nil {
		return fmt.Errorf("purchase: %w", err)
	}
	counted := cmp.Or(purchase.JSON201, purchase.JSON200, purchase.JSON202) // 202 while its signup is not there
	for _, r := range counted.Rewards {
		fmt.Printf("%s: %d cents for the %s, %s until %s\n", r.RuleKey, r.Granted, r.Beneficiary, r.State, r.AvailableAt)
	}

	// A third is refunded, and a third of Alice's share goes with it. Every amount can be asked why.
	refund, err := grapevine.ReverseConversionWithResponse(ctx, counted.Conversion.ID, nil, client.NewConversionReversal{
		ExternalID: "refund" + suffix, Kind: client.ReversalKindRefund, Amount: ptr[int64](3333), Currency: ptr("USD"),
	})
	if err != nil {
		return fmt.Errorf("refund: %w", err)
	}
	for _, r := range cmp.Or(refund.JSON201, refund.JSON200).Rewards {
		why, err := grapevine.ExplainRewardWithResponse(ctx, r.ID)
		if err != nil {
			return fmt.Errorf("explanation: %w", err)
		}
		fmt.Printf("%s: %d cents are left. %s\n", r.RuleKey, r.Net, why.JSON200.Summary)
	}

	// More than is left cannot be refunded. The code of a problem says which one it is; the detail is for people.
	_, err = grapevine.ReverseConversionWithResponse(ctx, counted.Conversion.ID, nil, client.NewConversionReversal{
		ExternalID: "too-much" + suffix, Kind: client.ReversalKindRefund, Amount: ptr[int64](9999), Currency: ptr("USD"),
	})
	var problem *client.ProblemError
	if !errors.As(err, &problem) || problem.Code != client.ProblemCodeReversalExceedsConversion {
		return fmt.Errorf("refund of too much: %w", err)
	}
	fmt.Printf("refused: %s (%s)\n", problem.Code, problem.Detail)
	return nil
}

// startProgram makes a program with 20 percent for the referrer and 10 USD of credit for the referee, both on hold for two weeks.
func startProgram(ctx context.Context, grapevine *client.ClientWithResponses) (uuid.UUID, error) {
	twoWeeks := ptr[int64](14 * 24 * 60 * 60)
	program, err := grapevine.CreateProgramWithResponse(ctx, nil, client.NewProgram{
		Name: "Friends of Acme", Currency: "USD", LandingURL: "https://www.acme.example/welcome",
		Rules: &client.NewRules{
			Qualification: &client.NewQualificationRules{MinimumAmount: ptr[int64](2000)},
			Rewards: &client.NewRewardRules{{
				Key: "referrer_share", Triggers: []string{"purchase"}, Beneficiary: client.RuleBeneficiaryReferrer, Kind: client.RewardKindMoney,
				Amount: client.RewardAmount{Type: client.RewardAmountTypeBasisPoints, Value: 2000}, HoldSeconds: twoWeeks,
			}, {
				Key: "welcome_credit", Triggers: []string{"qualified"}, Beneficiary: client.RuleBeneficiaryReferee, Kind: client.RewardKindCredit,
				Amount: client.RewardAmount{Type: client.RewardAmountTypeFixed, Value: 1000}, HoldSeconds: twoWeeks,
			}},
		},
	})
	if err != nil {
		return uuid.Nil, err
	}
	_, err = grapevine.ActivateProgramWithResponse(ctx, program.JSON201.ID, nil)
	return program.JSON201.ID, err
}

// follow does what Bob's browser does, up to the redirect.
func follow(ctx context.Context, link string) (click uuid.UUID, err error) {
	visit, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return uuid.Nil, err
	}
	visit.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0") // a robot's click never wins
	answer, err := http.DefaultTransport.RoundTrip(visit)
	if err != nil {
		return uuid.Nil, err
	}
	defer answer.Body.Close()
	landing, err := url.Parse(answer.Header.Get("Location"))
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(landing.Query().Get("gv_click"))
}

func ptr[T any](v T) *T { return &v }
