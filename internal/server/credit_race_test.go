package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// Thirty-two want a hundred each of fifteen hundred, in rewards that hold no whole number of hundreds.
func TestRacingRedemptionsNeverOverdraw(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	for i := range 10 {
		p.lend("bob", fmt.Sprint("gift-", i), 150, in(100-i))
	}
	errs := atOnce(32, func(i int) error {
		_, err := p.redeem("bob", fmt.Sprint("checkout-", i), 100)
		return err
	})
	if got, short := count(errs, ""), count(errs, "insufficient_balance"); got != 15 || short != 17 {
		t.Errorf("%d got theirs and %d did not: %v", got, short, errs)
	}
	p.expect("Bob", p.credit("bob"), "0 pending, 0 available, 1500 redeemed, 0 expired")
}

func TestOneRedemptionSentManyTimesAtOnceIsOne(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.lend("bob", "gift", 100, nil)
	var ids [16]uuid.UUID
	errs := atOnce(len(ids), func(i int) error {
		res, err := p.redeem("bob", "checkout", 100)
		switch {
		case err != nil:
		case res.JSON201 != nil:
			ids[i] = res.JSON201.ID
		default:
			ids[i] = res.JSON200.ID
		}
		return err
	})
	for i, id := range ids {
		if errs[i] != nil || id != ids[0] {
			t.Errorf("try %d: %s, %v", i, id, errs[i])
		}
	}
	voids := atOnce(8, func(int) error {
		_, err := p.void(ids[0])
		return err
	})
	if count(voids, "") != 1 || count(voids, "state_not_allowed") != 7 {
		t.Errorf("the voids: %v", voids)
	}
	p.expect("Bob", p.credit("bob"), "0 pending, 100 available, 0 redeemed, 0 expired")
}

// Redemptions, voids, refunds and holds of the same credit at once: whatever the order, the books say what the rewards say.
func TestRedemptionsRaceWithRefunds(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	p.buy("bob", "order-1", 10_000, nil)
	p.lend("bob", "gift", 500, in(60))
	p.moveClock(time.Now().AddDate(0, 0, 15))
	spent := p.spend("bob", "before", 200)
	errs := atOnce(16, func(i int) error {
		switch i {
		case 3:
			_, err := p.void(spent.ID)
			return err
		case 7:
			_, err := p.RecordReversalWithResponse(t.Context(), &client.RecordReversalParams{}, client.NewReversal{
				ConversionExternalID: "order-1", ConversionType: "purchase", ExternalID: "refund-1", Kind: "refund", Amount: ptr[int64](10_000),
			})
			return err
		}
		_, err := p.redeem("bob", fmt.Sprint("checkout-", i), 100)
		return err
	})
	if n := count(errs, "") + count(errs, "insufficient_balance"); n != 16 {
		t.Errorf("%v", errs)
	}
	p.healthy()
}

// Somebody with a credit of a cent for everything can spend it, at most ten thousand cents at a time: no more is locked either.
func TestARedemptionTakesOfSoManyRewards(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	w := p.lend("bob", "gift", 1, nil)
	if n := p.w.number(`WITH made AS (
		INSERT INTO rewards SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(), 'cause_id', gen_random_uuid()))).*
		FROM rewards AS r, generate_series(1, 10001) WHERE r.id = $1 RETURNING 1
	), booked AS (
		UPDATE ledger_accounts SET balance = balance + CASE kind WHEN 'available' THEN 10001 ELSE -10001 END
		WHERE participant_id = $2 AND kind IN ('available', 'expense') RETURNING 1
	) SELECT (SELECT count(*) FROM made) + (SELECT count(*) FROM booked)`, w.ID, w.ParticipantID); n != 10_003 {
		t.Fatalf("%d rows", n)
	}
	refused[*client.CreateCreditRedemptionResult](t, "insufficient_balance", "")(p.redeem("bob", "too-much", 10_003))
	refused[*client.CreateCreditRedemptionResult](t, "amount_not_allowed", "/amount")(p.redeem("bob", "too-many", 10_001))
	if got := p.spend("bob", "most", 10_000); len(got.Items) != 10_000 {
		t.Errorf("%d items", len(got.Items))
	}
	if got := p.spend("bob", "rest", 2); len(got.Items) != 2 {
		t.Errorf("%d items", len(got.Items))
	}
}
