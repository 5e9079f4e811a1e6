package settlement_test

import (
	"testing"
	"time"

	"github.com/grapevine-referrals/grapevine/internal/rules"
	"github.com/grapevine-referrals/grapevine/internal/rules/settlement"
)

func keepsQualification(d *rules.Document) { d.Qualification.RevokeOnReversal = false }

func TestReversal(t *testing.T) {
	t.Parallel()
	chargeback := func(id string, amount int64, after time.Duration) settlement.Reversal {
		return undo(id, settlement.Chargeback, amount, after)
	}
	qualified := stored("qualified", "COUNTED")
	tell(t, []tale{
		{"a full refund owes nothing any more and takes the qualification back",
			with(story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 0, 3*day))), qualified), `
			attributed REVERSED_REFUND
			c1 reversed REVERSED_REFUND`},
		{"a new purchase inside the window qualifies again",
			with(story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 10_000, 3*day)), purchase("c2", 5_000, 20*day)), qualified), `
			qualified COUNTED by c2
			c1 reversed REVERSED_REFUND
			c2 counted COUNTED
			referee for c2: 1000 of 1000 GRANTED
			referrer for c2: 1000 of 1000 GRANTED`},
		{"a full refund after the window expires the referral",
			with(story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 0, 100*day))), qualified, seen(100*day)), `
			expired QUALIFICATION_WINDOW_EXPIRED
			c1 reversed REVERSED_REFUND`},
		{"when a renewal came after the window, it cannot take the place of the purchase",
			with(story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 0, 100*day)), renewal("c2", 10_000, 95*day)), qualified, seen(100*day)), `
			expired QUALIFICATION_WINDOW_EXPIRED
			c1 reversed REVERSED_REFUND
			c2 counted QUALIFICATION_WINDOW_EXPIRED`},
		{"a refund that came before its purchase is granted and taken back at once", story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 4_000, 30*time.Minute))), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 1200 of 2000 REVERSED_REFUND`},
		{"one refund of a third of 99.99", story(program(), purchase("c1", 9_999, time.Hour, refund("r1", 3_333, day))), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 1333 of 2000 REVERSED_REFUND`},
		{"a refund of a cent that does not move the share", story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 1, day))), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"a refund that leaves exactly the minimum keeps the qualification", story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 8_000, day))), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 400 of 2000 REVERSED_REFUND`},
		{"a refund that leaves a cent less takes it back, with everything",
			with(story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 8_001, day))), qualified), `
			attributed BELOW_MINIMUM
			c1 partially_reversed REVERSED_REFUND`},
		{"unless the program keeps it", story(program(keepsQualification), purchase("c1", 10_000, time.Hour, refund("r1", 8_001, day))), `
			qualified COUNTED by c1
			c1 partially_reversed REVERSED_REFUND
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 400 of 2000 REVERSED_REFUND`},
		{"a program that keeps it still loses it to a full refund",
			with(story(program(keepsQualification), purchase("c1", 10_000, time.Hour, refund("r1", 0, day))), qualified), `
			attributed REVERSED_REFUND
			c1 reversed REVERSED_REFUND`},
		{"the qualification moves to the next purchase that reaches the minimum",
			story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 9_000, 5*day)), purchase("c2", 1_500, day), purchase("c3", 3_000, 2*day), renewal("c4", 1_000, 3*day)), `
			qualified COUNTED by c3
			c1 partially_reversed REVERSED_REFUND
			c2 counted BELOW_MINIMUM
			c3 counted COUNTED
			c4 counted COUNTED
			referee for c3: 1000 of 1000 GRANTED
			referrer for c3: 600 of 600 GRANTED
			referrer for c4: 200 of 200 GRANTED`},
		{"and back when the dispute is won",
			story(program(), purchase("c1", 10_000, time.Hour, chargeback("r1", 9_000, 5*day), won("r2", "r1", 9*day)), purchase("c3", 3_000, 2*day)), `
			qualified COUNTED by c1
			c1 counted DISPUTE_WON
			c3 counted COUNTED
			referee for c1: 1000 of 1000 DISPUTE_WON
			referrer for c1: 2000 of 2000 DISPUTE_WON
			referrer for c3: 600 of 600 GRANTED`},
		{"a dispute won after the window qualifies an expired referral again",
			with(story(program(), purchase("c1", 10_000, time.Hour, chargeback("r1", 0, 5*day), won("r2", "r1", 100*day))), seen(100*day), stored("expired", "QUALIFICATION_WINDOW_EXPIRED")), `
			qualified COUNTED by c1
			c1 counted DISPUTE_WON
			referee for c1: 1000 of 1000 DISPUTE_WON
			referrer for c1: 2000 of 2000 DISPUTE_WON`},
		{"a chargeback after a partial refund takes what is left",
			with(story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 4_000, day), chargeback("r2", 10_000, 2*day))), qualified), `
			attributed REVERSED_CHARGEBACK
			c1 reversed REVERSED_CHARGEBACK`},
		{"and winning the dispute restores exactly that",
			story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 4_000, day), chargeback("r2", 10_000, 2*day), won("r3", "r2", 3*day))), `
			qualified COUNTED by c1
			c1 partially_reversed DISPUTE_WON
			referee for c1: 1000 of 1000 DISPUTE_WON
			referrer for c1: 1200 of 2000 DISPUTE_WON`},
		{"a refund of a renewal touches the renewal only",
			story(program(), purchase("c1", 10_000, time.Hour), renewal("c2", 5_000, 30*day, undo("r1", settlement.Fraud, 0, 31*day)), renewal("c3", 5_000, 60*day)), `
			qualified COUNTED by c1
			c1 counted COUNTED
			c2 reversed REVERSED_FRAUD
			c3 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED
			referrer for c3: 1000 of 1000 GRANTED`},
		{"a refused refund changes nothing", story(program(), purchase("c1", 10_000, time.Hour, refund("r1", 12_000, day))), `
			qualified COUNTED by c1
			c1 counted COUNTED
			referee for c1: 1000 of 1000 GRANTED
			referrer for c1: 2000 of 2000 GRANTED`},
		{"what joining paid is not touched by a refund", with(story(program(joining), purchase("c1", 10_000, time.Hour, refund("r1", 0, day))), qualified), `
			attributed REVERSED_REFUND
			c1 reversed REVERSED_REFUND
			join-referee for R: 300 of 300 GRANTED
			join-referrer for R: 300 of 300 GRANTED`},
	})
}

// TestThreeRefundsOfAThird: 20 % of 99.99 is 20.00, and three refunds of 33.33 take 6.67, 6.66 and 6.67.
func TestThreeRefundsOfAThird(t *testing.T) {
	t.Parallel()
	var refunds []settlement.Reversal
	owed := int64(2_000)
	for i, want := range []int64{667, 666, 667} {
		refunds = append(refunds, refund(string(rune('a'+i)), 3_333, time.Duration(i+1)*day))
		// Without a minimum, so that the qualification outlives the second refund.
		d := program(func(d *rules.Document) { d.Qualification.MinimumAmount = 0 })
		var net int64
		for _, due := range settlement.Settle(story(d, purchase("c1", 9_999, time.Hour, refunds...))).Rewards {
			if due.Rule.Key == "referrer" {
				net = due.Net
			}
		}
		if owed-net != want {
			t.Errorf("refund %d takes %d, want %d", i+1, owed-net, want)
		}
		owed = net
	}
	if owed != 0 {
		t.Errorf("%d is left", owed)
	}
}
