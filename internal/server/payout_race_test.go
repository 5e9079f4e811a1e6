package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// Two hands at one payout, again and again: it ends in a state that one of the orders explains, and the money is where that says.
func TestTwoHandsAtOnePayout(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1 })
	approve := func(id uuid.UUID) (err error) {
		_, err = p.ApprovePayoutWithResponse(t.Context(), id, &client.ApprovePayoutParams{})
		return err
	}
	cancel := func(id uuid.UUID) (err error) { _, err = p.cancelPayout(id); return err }
	submit := func(id uuid.UUID) (err error) {
		_, err = p.SubmitPayoutWithResponse(t.Context(), id, &client.SubmitPayoutParams{})
		return err
	}
	paid := func(id uuid.UUID) (err error) { _, err = p.markPaid(id, "paid", nil); return err }
	fail := func(id uuid.UUID) (err error) {
		_, err = p.MarkPayoutFailedWithResponse(t.Context(), id, &client.MarkPayoutFailedParams{}, client.FailureReport{Reason: "no such account"})
		return err
	}
	for name, c := range map[string]struct {
		before    []func(uuid.UUID) error
		at        [2]func(uuid.UUID) error
		successes map[int]bool
		ends      map[client.PayoutState]string
	}{
		"approve and cancel": {nil, [2]func(uuid.UUID) error{approve, cancel}, map[int]bool{1: true, 2: true}, // cancelled after it, or before
			map[client.PayoutState]string{"cancelled": "700 available, 0 reserved, 0 paid"}},
		"submit and cancel": {[]func(uuid.UUID) error{approve}, [2]func(uuid.UUID) error{submit, cancel}, map[int]bool{1: true},
			map[client.PayoutState]string{"cancelled": "700 available, 0 reserved, 0 paid", "submitted": "0 available, 700 reserved, 0 paid"}},
		"paid and failed": {[]func(uuid.UUID) error{approve, submit}, [2]func(uuid.UUID) error{paid, fail}, map[int]bool{1: true},
			map[client.PayoutState]string{"paid": "0 available, 0 reserved, 700 paid", "failed": "0 available, 700 reserved, 0 paid"}},
	} {
		for round := range 6 {
			reward := p.grant(p.program.ID, fmt.Sprint(name, round), 700, "money")
			id := p.payout(p.run(false)).ID
			for _, step := range c.before {
				if err := step(id); err != nil {
					t.Fatal(err)
				}
			}
			errs := atOnce(8, func(i int) error { return c.at[i%2](id) })
			end := p.read(id)
			won := count(errs, "")
			if won+count(errs, "state_not_allowed") != 8 || c.ends[end.State] == "" {
				t.Errorf("%s: %s after %v", name, end.State, errs)
			}
			if end.State != "paid" && !c.successes[won] { // the same report of a payment is answered again
				t.Errorf("%s: %d of 8 had an effect", name, won)
			}
			p.has(reward.ParticipantID, c.ends[end.State])
			if end.State == "cancelled" { // nothing stays for the next round's run
				p.paid(p.payout(p.run(false)).ID)
			}
		}
	}
	p.w.books()
}

// Sixty-four clients buy, refund, charge back, win disputes, run, approve, submit, pay, fail, return, retry, cancel, ban, publish and
// move the clock at once. Nothing fails but by a refusal, no reward is in two payouts, and the books are right.
func TestPayoutsRaceWithEverythingElse(t *testing.T) {
	t.Parallel()
	p := startPlay(t, func(n *client.NewProgram) { (*n.Rules.Rewards)[0].HoldSeconds = ptr[int64](1) })
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1 })
	for i := range 6 {
		code := p.code(p.program.ID, fmt.Sprint("payee-", i), nil)
		for k := range 2 {
			p.join(fmt.Sprint("friend-", i, "-", k), func(n *client.NewSignup) { n.Code = &code.Value })
		}
	}
	var mu sync.Mutex
	now, orders := time.Now(), 0
	order := func() int { mu.Lock(); defer mu.Unlock(); orders++; return orders }
	tick := func() time.Time { mu.Lock(); defer mu.Unlock(); now = now.Add(time.Second); return now }
	move := func(i int) error {
		page, err := p.ListPayoutsWithResponse(t.Context(), &client.ListPayoutsParams{})
		if err != nil || len(page.JSON200.Data) == 0 {
			return err
		}
		one := page.JSON200.Data[i%len(page.JSON200.Data)]
		switch one.State {
		case "draft":
			_, err = p.ApprovePayoutWithResponse(t.Context(), one.ID, &client.ApprovePayoutParams{})
		case "approved":
			if i%5 == 0 {
				_, err = p.cancelPayout(one.ID)
			} else {
				_, err = p.SubmitPayoutWithResponse(t.Context(), one.ID, &client.SubmitPayoutParams{})
			}
		case "submitted":
			if i%3 == 0 {
				_, err = p.MarkPayoutFailedWithResponse(t.Context(), one.ID, &client.MarkPayoutFailedParams{}, client.FailureReport{Reason: "closed"})
			} else {
				_, err = p.markPaid(one.ID, "ref", nil)
			}
		case "paid":
			if i%4 == 0 {
				_, err = p.ReturnPayoutWithResponse(t.Context(), one.ID, &client.ReturnPayoutParams{}, client.FailureReport{Reason: "came back"})
			}
		case "failed", "returned":
			_, err = p.RetryPayoutWithResponse(t.Context(), one.ID, &client.RetryPayoutParams{})
		}
		return err
	}
	undo := func(i int) error {
		n := order()
		if n < 8 {
			return nil
		}
		kind := client.ReversalKind("refund")
		if i%2 == 0 {
			kind = "chargeback"
		}
		res, err := p.RecordReversalWithResponse(t.Context(), &client.RecordReversalParams{}, client.NewReversal{
			ConversionExternalID: fmt.Sprint("order-", n-(i%8)), ConversionType: "purchase", ExternalID: fmt.Sprint("undo-", n), Kind: kind, Amount: ptr[int64](3_333),
		})
		if err == nil && res.JSON201 != nil && kind == "chargeback" && i%3 == 0 {
			_, err = p.RestoreReversalWithResponse(t.Context(), res.JSON201.Reversal.ID, &client.RestoreReversalParams{}, client.NewDisputeWin{ExternalID: fmt.Sprint("won-", n)})
		}
		return err
	}
	work := func(i int) error {
		switch i % 8 {
		case 0, 1:
			_, err := p.RecordConversionWithResponse(t.Context(), &client.RecordConversionParams{}, client.NewConversion{
				ProgramID: p.program.ID, RefereeExternalID: fmt.Sprint("friend-", i%6, "-", i%2), ExternalID: fmt.Sprint("order-", order()), Type: "purchase", Amount: 9_999,
				Currency: "USD",
			})
			return err
		case 2, 3:
			return undo(i)
		case 4:
			_, err := p.CreatePayoutRunWithResponse(t.Context(), &client.CreatePayoutRunParams{}, client.NewPayoutRun{Currency: "USD"})
			return err
		case 5:
			_, err := p.MoveTestClockWithResponse(t.Context(), &client.MoveTestClockParams{}, client.NewTestClock{Now: tick()})
			return err
		}
		return move(i)
	}
	allowed := []client.ProblemCode{"", "state_not_allowed", "reversal_exceeds_conversion", "conflict", "request_in_progress"}
	for round := range 10 {
		errs := atOnce(64, func(i int) error {
			if round == 4 && i == 7 {
				_, err := p.ban(p.participant("payee-3").ID)
				return err
			}
			return work(i + 7*round)
		})
		n := 0
		for _, code := range allowed {
			n += count(errs, code)
		}
		if n != len(errs) {
			t.Errorf("round %d: %v", round, errs)
		}
	}
	for what, sql := range map[string]string{
		"rewards in two live payouts":       `SELECT count(*) FROM (SELECT 1 FROM payout_items WHERE live GROUP BY reward_id HAVING count(*) > 1) AS t`,
		"reserved, beyond the live payouts": `SELECT (SELECT coalesce(sum(balance), 0) FROM ledger_accounts WHERE kind = 'reserved') - (SELECT coalesce(sum(amount), 0) FROM payouts WHERE state IN ('draft', 'approved', 'submitted', 'failed', 'returned'))::bigint`,
		"cash, beyond what is paid":         `SELECT ((SELECT coalesce(sum(balance), 0) FROM ledger_accounts WHERE kind = 'cash') - (SELECT coalesce(sum(amount), 0) FROM payouts WHERE state = 'paid'))::bigint`,
		"rewards that only seem reserved":   `SELECT count(*) FROM rewards WHERE state = 'reserved' AND NOT EXISTS (SELECT FROM payout_items WHERE reward_id = rewards.id AND live)`,
	} {
		if n := p.w.number(sql); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	if seen := p.w.text(`SELECT string_agg(DISTINCT type, ' ' ORDER BY type) FROM events WHERE type LIKE 'payout.%'`); strings.Count(seen, " ") < 5 {
		t.Errorf("too little happened: %s", seen)
	}
	p.w.books()
}
