package server

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/grapevine-referrals/grapevine/gen/client"
)

// What was paid and is taken back is carried forward: later rewards make up for it, and only what is left is paid.
func TestADebtIsCarriedForward(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	alice := p.alice.ParticipantID
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1000 })
	p.join("bob", func(n *client.NewSignup) { n.Code = ptr("alice-9") })
	p.buy("bob", "order-1", 10_000, nil)
	if out := p.run(false); out.Count != 0 || out.SkippedCount != 0 || out.Run.State != "ready" {
		t.Errorf("a run before the hold is over: %+v", out)
	}
	now := time.Now()
	p.moveClock(now.AddDate(0, 0, 15))
	dry := p.run(true)
	out := p.run(false)
	if fmt.Sprint(dry.Payouts) != fmt.Sprint(out.Payouts) || dry.Amount != out.Amount || out.Amount != 2000 || dry.Run != nil || !dry.Complete || !out.Complete {
		t.Errorf("dry %+v, real %+v", dry, out)
	}
	first := p.payout(out)
	p.has(alice, "0 available, 2000 reserved, 0 paid")
	p.paid(first.ID)
	p.has(alice, "0 available, 0 reserved, 2000 paid")
	p.refund("order-1", "refund-1", 10_000)
	p.has(alice, "-2000 available, 0 reserved, 2000 paid")
	p.buy("bob", "order-2", 7_500, nil)
	p.moveClock(now.AddDate(0, 0, 31))
	p.has(alice, "-500 available, 0 reserved, 2000 paid")
	for _, dry := range []bool{true, false} {
		out := p.run(dry)
		if out.Count != 0 || len(out.Skipped) != 1 || out.Skipped[0] != (client.PayoutSkip{ParticipantID: alice, Reason: "carry_forward", Balance: -500}) {
			t.Errorf("dry %t: %+v", dry, out)
		}
		if !dry {
			skips := must[*client.ListPayoutSkipsResult](t)(p.ListPayoutSkipsWithResponse(t.Context(), out.Run.ID, &client.ListPayoutSkipsParams{})).JSON200
			if fmt.Sprint(skips.Data) != fmt.Sprint(out.Skipped) || out.Run.Skipped != 1 {
				t.Errorf("the skips are %+v", skips.Data)
			}
		}
	}
	later := p.grant(p.program.ID, "alice", 1700, "money")
	out = p.run(false)
	if out.Amount != 1200 || out.Payouts[0].Offset != 2000 || out.Payouts[0].Rewards != 2 {
		t.Errorf("after the debt: %+v", out)
	}
	second := p.payout(out)
	items := must[*client.ListPayoutItemsResult](t)(p.ListPayoutItemsWithResponse(t.Context(), second.ID, &client.ListPayoutItemsParams{})).JSON200.Data
	if len(items) != 2 || items[0].Amount != 0 || items[0].Offset != 1500 || items[1] != (client.PayoutItem{RewardID: later.ID, Amount: 1200, Offset: 500}) {
		t.Errorf("items %+v", items)
	}
	p.paid(second.ID)
	p.has(alice, "0 available, 0 reserved, 3200 paid")
	year := int64(now.AddDate(0, 0, 15).Year())
	totals := must[*client.GetPayoutTotalsResult](t)(p.GetPayoutTotalsWithResponse(t.Context(), alice, &client.GetPayoutTotalsParams{Year: year})).JSON200
	if len(totals.Data) == 0 || totals.Data[0].Currency != "USD" {
		t.Errorf("totals %+v", totals)
	}
	p.w.books()
}

func TestMinimumAndKinds(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	refused[*client.CreatePayoutRunResult](t, "unknown_reference", "/currency")(p.CreatePayoutRunWithResponse(t.Context(), &client.CreatePayoutRunParams{},
		client.NewPayoutRun{Currency: "USD"}))
	p.policy(nil)
	p.grant(p.program.ID, "alice", 2499, "money")
	carol := p.grant(p.program.ID, "carol", 2500, "money").ParticipantID
	p.grant(p.program.ID, "dora", 9000, "credit")
	p.grant(p.program.ID, "emil", 9000, "money")
	emil := p.participant("emil").ID
	must[*client.SuspendParticipantResult](t)(p.SuspendParticipantWithResponse(t.Context(), emil, &client.SuspendParticipantParams{}, client.ActionReason{Reason: "look"}))
	before := p.w.number(digestSQL)
	dry := p.run(true)
	if p.w.number(digestSQL) != before {
		t.Error("a dry run wrote something")
	}
	out := p.run(false)
	want := []client.PayoutSkip{
		{ParticipantID: p.alice.ParticipantID, Reason: "below_minimum", Balance: 2499}, {ParticipantID: emil, Reason: "participant_suspended", Balance: 9000},
	}
	for _, o := range []client.PayoutRunOutcome{dry, out} {
		if o.Count != 1 || o.Amount != 2500 || o.Payouts[0].ParticipantID != carol || fmt.Sprint(o.Skipped) != fmt.Sprint(want) {
			t.Errorf("%+v", o)
		}
	}
	if again := p.run(false); again.Count != 0 || again.SkippedCount != 2 {
		t.Errorf("the run again: %+v", again)
	}
	p.w.books()
}

// digestSQL adds up what a dry run must leave as it is.
const digestSQL = `SELECT (SELECT count(*) FROM payouts) + (SELECT count(*) FROM payout_runs) + (SELECT count(*) FROM payout_skips) + (SELECT count(*) FROM payout_items)
	+ (SELECT count(*) FROM events) + (SELECT count(*) FROM ledger_transfers) + (SELECT coalesce(sum(version), 0) FROM rewards) + (SELECT coalesce(sum(balance), 0)::bigint FROM ledger_accounts WHERE kind = 'reserved')`

// Many runs at once never share a reward, and what is reserved is what their payouts pay.
func TestRunsAtOnceShareNothing(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1 })
	for i := range 12 {
		for range 3 {
			p.grant(p.program.ID, fmt.Sprint("payee-", i), int64(100+i), "money")
		}
	}
	for round := range 4 {
		errs := atOnce(10, func(i int) error {
			if i%2 == 0 {
				_, err := p.CreatePayoutRunWithResponse(t.Context(), &client.CreatePayoutRunParams{}, client.NewPayoutRun{Currency: "USD"})
				return err
			}
			p.grant(p.program.ID, fmt.Sprint("payee-", i), 50, "money")
			return nil
		})
		if n := count(errs, ""); n != 10 {
			t.Fatalf("round %d: %v", round, errs)
		}
	}
	p.run(false)
	for what, sql := range map[string]string{
		"rewards in several items":       `SELECT count(*) FROM (SELECT 1 FROM payout_items GROUP BY reward_id HAVING count(*) > 1) AS t`,
		"rewards in none":                `SELECT count(*) FROM rewards WHERE NOT EXISTS (SELECT FROM payout_items WHERE reward_id = rewards.id)`,
		"rewards that are available":     `SELECT count(*) FROM rewards WHERE state <> 'reserved'`,
		"difference to what was given":   `SELECT ((SELECT sum(granted) FROM rewards) - (SELECT sum(amount) FROM payouts))::bigint`,
		"difference to what is reserved": `SELECT ((SELECT sum(balance) FROM ledger_accounts WHERE kind = 'reserved') - (SELECT sum(amount) FROM payouts))::bigint`,
	} {
		if n := p.w.number(sql); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	p.w.books()
}

func TestApproval(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(func(n *client.NewPayoutPolicy) {
		n.Approval, n.ApprovalAmount, n.FourEyes = ptr(client.PayoutApprovalOverAmount), nullable.NewNullableWithValue[int64](3000), ptr(true)
	})
	p.grant(p.program.ID, "small", 3000, "money")
	p.grant(p.program.ID, "large", 3001, "money")
	out := p.run(false)
	if out.Payouts[0].State != "approved" || out.Payouts[1].State != "draft" {
		t.Errorf("%+v", out.Payouts)
	}
	refused[*client.ApprovePayoutRunResult](t, "forbidden", "")(p.ApprovePayoutRunWithResponse(t.Context(), out.Run.ID, &client.ApprovePayoutRunParams{}))
	draft := must[*client.ListPayoutsResult](t)(p.ListPayoutsWithResponse(t.Context(), &client.ListPayoutsParams{State: ptr(client.PayoutStateDraft)})).JSON200.Data[0]
	refused[*client.ApprovePayoutResult](t, "forbidden", "")(p.ApprovePayoutWithResponse(t.Context(), draft.ID, &client.ApprovePayoutParams{}))
	issued := must[*client.CreateAPIKeyResult](t)(p.CreateAPIKeyWithResponse(t.Context(), &client.CreateAPIKeyParams{}, client.NewAPIKey{
		Name: "colleague", Kind: "secret", Scopes: client.Scopes{"payouts:approve"},
	})).JSON201
	colleague := p.w.as(issued.Secret.MustGet())
	run := must[*client.ApprovePayoutRunResult](t)(colleague.ApprovePayoutRunWithResponse(t.Context(), out.Run.ID, &client.ApprovePayoutRunParams{})).JSON200
	if len(run.Payouts) != 1 || run.Payouts[0] != (client.PayoutStateTotal{State: "approved", Count: 2, Amount: 6001}) {
		t.Errorf("%+v", run)
	}
	refused[*client.SubmitPayoutResult](t, "forbidden", "")(colleague.SubmitPayoutWithResponse(t.Context(), draft.ID, &client.SubmitPayoutParams{}))
}

func TestTaxDataIsAskedForAboveTheThreshold(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(func(n *client.NewPayoutPolicy) { n.TaxThreshold = nullable.NewNullableWithValue[int64](10_000) })
	reward := p.grant(p.program.ID, "alice", 6000, "money")
	alice := reward.ParticipantID
	p.paid(p.payout(p.run(false)).ID)
	p.grant(p.program.ID, "alice", 4000, "money")
	second := p.payout(p.run(false)) // 10,000 in all is not above
	p.grant(p.program.ID, "alice", 2500, "money")
	if out := p.run(false); out.Count != 0 || out.Skipped[0].Reason != "tax_data_missing" {
		t.Errorf("above the threshold, with a payout under way: %+v", out)
	}
	p.paid(second.ID)
	now := p.participant("alice")
	changed := must[*client.UpdateParticipantResult](t)(p.UpdateParticipantWithResponse(t.Context(), alice, &client.UpdateParticipantParams{
		IfMatch: fmt.Sprintf("%q", fmt.Sprint(now.Version)),
	}, client.ParticipantChanges{TaxDataOnFile: ptr(true)})).JSON200
	if changed.TaxDataRecordedAt.IsNull() {
		t.Errorf("%+v", changed)
	}
	if out := p.run(false); out.Amount != 2500 {
		t.Errorf("with tax data: %+v", out)
	}
	totals := must[*client.GetPayoutTotalsResult](t)(p.GetPayoutTotalsWithResponse(t.Context(), alice, &client.GetPayoutTotalsParams{Year: int64(time.Now().UTC().Year())})).JSON200
	if fmt.Sprint(totals.Data) != fmt.Sprint([]client.PayoutTotal{{Currency: "USD", Paid: 10_000, Payouts: 2}}) || totals.TaxDataRecordedAt.IsNull() {
		t.Errorf("%+v", totals)
	}
}

// Names that a spreadsheet would take for formulas come out harmless, and amounts as decimals.
func TestExportIsNoFormula(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1 })
	names := []string{`=HYPERLINK("http://x","y")`, "+1", "-1", "@SUM(A1)", `a,"b"`, "plain", "＝1"}
	for i, name := range names {
		p.grant(p.program.ID, name, int64(5+100*i), "money")
	}
	out := p.run(false)
	res := must[*client.ExportPayoutRunResult](t)(p.ExportPayoutRunWithResponse(t.Context(), out.Run.ID))
	if !strings.HasPrefix(res.HTTPResponse.Header.Get("Content-Type"), "text/csv") || !strings.Contains(string(res.Body), "\r\n") {
		t.Errorf("%v", res.HTTPResponse.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(string(res.Body))).ReadAll()
	if err != nil || len(rows) != len(names)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	got := map[string]string{}
	for _, row := range rows[1:] {
		got[row[2]] = row[4]
		for _, cell := range row {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r") {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}
	for i, name := range names {
		if strings.ContainsAny(name[:1], "=+-@") || strings.HasPrefix(name, "＝") {
			name = "'" + name
		}
		if want := fmt.Sprintf("%d.05", i); got[name] != want {
			t.Errorf("%s gets %q, want %s", name, got[name], want)
		}
	}
	refused[*client.ExportPayoutRunResult](t, "not_found", "")(p.w.live().ExportPayoutRunWithResponse(t.Context(), out.Run.ID))
}

// A run of more participants than one transaction takes is finished by background work.
func TestALargeRunGoesOnInTheBackground(t *testing.T) {
	t.Parallel()
	p := startPlay(t, nil)
	p.policy(func(n *client.NewPayoutPolicy) { n.MinimumAmount = 1 })
	reward := p.grant(p.program.ID, "first", 100, "money")
	owner := p.w.database.Owner(t)
	for _, sql := range []string{
		`INSERT INTO participants SELECT (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(), 'external_id', 'n' || n))).*
			FROM participants AS p, generate_series(1, 1100) AS n WHERE p.external_id = 'first'`,
		`INSERT INTO rewards SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(), 'cause_id', gen_random_uuid(), 'participant_id', p.id))).*
			FROM rewards AS r, participants AS p WHERE p.external_id ~ '^n[0-9]' AND r.id = '` + reward.ID.String() + `'`,
		`INSERT INTO ledger_accounts SELECT a.workspace_id, p.id, a.currency, a.kind, a.balance, a.reward_kind FROM ledger_accounts AS a, participants AS p
			WHERE p.external_id ~ '^n[0-9]' AND a.participant_id = '` + reward.ParticipantID.String() + `'`,
		`INSERT INTO ledger_transfers SELECT (jsonb_populate_record(x, jsonb_build_object('id', gen_random_uuid(), 'participant_id', r.participant_id, 'reward_id', r.id))).*
			FROM ledger_transfers AS x, rewards AS r WHERE r.id <> x.reward_id AND x.reward_id = '` + reward.ID.String() + `'`,
	} {
		if _, err := owner.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	dry, out := p.run(true), p.run(false)
	if dry.Count != 1101 || dry.Complete || len(dry.Payouts) != 1000 || out.Count != 1000 || out.Complete || out.Run.State != "preparing" {
		t.Errorf("dry %d, real %d %s", dry.Count, out.Count, out.Run.State)
	}
	refused[*client.ApprovePayoutRunResult](t, "state_not_allowed", "")(p.ApprovePayoutRunWithResponse(t.Context(), out.Run.ID, &client.ApprovePayoutRunParams{}))
	p.moveClock(time.Now().Add(time.Minute))
	run := must[*client.GetPayoutRunResult](t)(p.GetPayoutRunWithResponse(t.Context(), out.Run.ID)).JSON200
	if run.State != "ready" || run.Payouts[0].Count != 1101 || run.Payouts[0].Amount != 110_100 {
		t.Errorf("%+v", run)
	}
	must[*client.ApprovePayoutRunResult](t)(p.ApprovePayoutRunWithResponse(t.Context(), out.Run.ID, &client.ApprovePayoutRunParams{}))
	res := must[*client.ExportPayoutRunResult](t)(p.ExportPayoutRunWithResponse(t.Context(), out.Run.ID))
	if n := strings.Count(string(res.Body), "\n"); n != 1102 {
		t.Errorf("the export has %d lines", n)
	}
}
