package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// story is one telling of the worked example.
type story struct {
	p     *program
	c     *client.ClientWithResponses
	wrong *client.ClientWithResponses // with a key that is mistyped
	run   string                      // makes the names of this telling its own

	failures int

	workspace  client.Workspace
	program    uuid.UUID
	alice, bob uuid.UUID
	code       client.Code
	click      uuid.UUID
	signup     client.SignupResult
	order      client.NewConversion
	purchase   client.ConversionResult
}

func newStory(p *program, url, key string) (*story, error) {
	c, err := client.New(url, key)
	if err != nil {
		return nil, err
	}
	wrong, err := client.New(url, key+"x")
	return &story{p: p, c: c, wrong: wrong, run: strconv.FormatInt(time.Now().UnixMilli(), 36)}, err
}

// tell plays every chapter. An answer that is not as told is marked, and the story goes on; it ends where a request fails.
func (s *story) tell(ctx context.Context) error {
	for i, chapter := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"A program: 20 % of each purchase for the referrer, 10.00 USD of credit for the friend, both on hold for two weeks", s.playProgram},
		{"Alice gets a code, and a link to share", s.playCode},
		{"Bob follows her link", s.playClick},
		{"Bob signs up: who gets him, and why", s.playSignup},
		{"Bob buys for 99.99 USD: both earn", s.playPurchase},
		{"The answer got lost, the purchase is sent again: nothing happens twice", s.playRepetition},
		{"Two weeks later, by the clock of the test workspace", s.playMaturation},
		{"33.33 USD go back to Bob: a third of Alice's share goes with it, rounded to the cent on what is left", s.playRefund},
		{"Why does Alice have Bob, and why that much?", s.playExplanations},
		{"The decision, made again from what was stored", s.playReplay},
		{"The books", s.playBooks},
		{"Refusals that are answers: a signup is never blocked by its referral", s.playReasons},
		{"Refusals that are problems: nothing is stored, and the code says what to do", s.playProblems},
		{"The refusals have changed nothing", s.playEnd},
	} {
		s.p.say("\n%d. %s\n", i+1, chapter.title)
		if err := played(ctx, chapter.play); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if s.failures > 0 {
		s.p.say("\nNot as told: %d answers.\n", s.failures)
		return errFound
	}
	s.p.say("\nEverything is as told.\n")
	return nil
}

// played plays a chapter. The body of another status than the chapter tells of is not where the chapter looks for it.
func played(ctx context.Context, play func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the server answered what the story does not know: %v", v)
		}
	}()
	return play(ctx)
}

// told shows an answer of the server, and marks it when it is not the one of the story.
func (s *story) told(what string, got, want any) {
	mark := ""
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.failures++
		mark = fmt.Sprintf("   <- NOT AS TOLD: %v", want)
	}
	s.show(what, fmt.Sprint(got)+mark)
}

// show shows an answer that is different every time.
func (s *story) show(what string, got any) { s.p.say("   %-36s %v\n", what, got) }

// refused shows the problem that a request met.
func (s *story) refused(what string, err error, status int, code client.ProblemCode) error {
	got := "accepted"
	if refusal, ok := errors.AsType[*client.ProblemError](err); ok {
		got = fmt.Sprint(refusal.Status, " ", refusal.Code)
	} else if err != nil {
		return err
	}
	s.told(what, got, fmt.Sprint(status, " ", code))
	return nil
}

// rewards shows what both sides have.
func (s *story) rewards(list []client.Reward, alice, bob string) {
	got := map[uuid.UUID]string{}
	for _, r := range list {
		got[r.ParticipantID] = fmt.Sprintf("%s of %s, %s", money(r.Net, r.Currency), money(r.Granted, r.Currency), r.State)
	}
	s.told("reward of Alice", got[s.alice], alice)
	s.told("reward of Bob", got[s.bob], bob)
}

// balance shows what somebody has.
func (s *story) balance(ctx context.Context, who string, id uuid.UUID, want string) error {
	balances, err := s.c.GetParticipantBalancesWithResponse(ctx, id)
	if err != nil {
		return err
	}
	var got []string
	for _, b := range balances.JSON200.Data {
		got = append(got, fmt.Sprintf("%s: %s on hold, %s available", b.RewardKind, money(b.Pending, b.Currency), money(b.Available, b.Currency)))
	}
	s.told("balance of "+who, strings.Join(got, "; "), want)
	return nil
}

// key is an Idempotency-Key: made of the fact that it stands for, never of chance.
func (s *story) key(fact string) string { return s.name(fact) }

// name is an identifier in the system of the story's shop.
func (s *story) name(of string) string { return of + "-" + s.run }

func money(minor int64, currency string) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, minor/100, minor%100, currency)
}

func ptr[T any](v T) *T { return &v }

// valueOf is the id that a field holds; the zero one when it is null.
func valueOf(id nullable.Nullable[uuid.UUID]) uuid.UUID {
	v, err := id.Get()
	if err != nil {
		return uuid.Nil
	}
	return v
}
