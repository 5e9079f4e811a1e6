package doctor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

func TestNothingIsFoundWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	findings, err := Examine(t.Context(), c.App(t), all())
	if err != nil {
		t.Fatal(err)
	}
	more, err := Settlements(t.Context(), c.App(t), c.Store, c.engine, c.scope.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(findings, more...) {
		t.Error(f)
	}
}

func TestNothingIsFoundInAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	findings, err := Examine(t.Context(), dbtest.New(t).App(t), all())
	if err != nil || len(findings) > 0 {
		t.Errorf("%q, %v", findings, err)
	}
}

func TestExamineWritesNothing(t *testing.T) {
	t.Parallel()
	write := Check{Name: "write", find: statement(`INSERT INTO fact_keys SELECT workspace_id, 'x' FROM workspaces RETURNING key`)}
	if findings, err := Examine(t.Context(), dbtest.New(t).Owner(t), []Check{write}); err == nil {
		t.Errorf("a check could write: %q", findings)
	}
}

func TestChecksSayWhatTheyAsk(t *testing.T) {
	t.Parallel()
	for _, c := range Checks() {
		if !strings.HasSuffix(c.About, ".") || strings.HasPrefix(c.About, "-") {
			t.Errorf("%s says %q of itself", c.Name, c.About)
		}
		if len(faults[c.Name]) == 0 {
			t.Errorf("no fault is planted for %s", c.Name)
		}
	}
}

// fault is done to a healthy database; the check must then say something with tell in it.
type fault struct{ sql, tell string }

// faults are planted as the superuser, one at a time.
var faults = map[string][]fault{
	"ledger_sums_to_zero": {{`UPDATE ledger_accounts SET balance = balance + 7 WHERE kind = 'pending'`, "EUR money sums to"}},
	"balances_equal_transfers": {
		{`UPDATE ledger_accounts SET balance = balance + 7 WHERE kind = 'available'`, "holds"},
		{`DELETE FROM ledger_transfers WHERE recipe = 'mature'`, "its transfers make"},
		{`ALTER TABLE ledger_transfers DROP CONSTRAINT ledger_transfers_to_kind_fkey, DROP CONSTRAINT ledger_transfers_from_kind_fkey; DELETE FROM ledger_accounts WHERE kind = 'available'`, "it is missing"},
	},
	"rewards_equal_transfers": {
		{`UPDATE rewards SET granted = granted + 1`, "owed, its transfers hold"},
		{`UPDATE rewards SET reversed = reversed + 1 WHERE reversed < granted`, "owed, its transfers hold"},
		{`UPDATE rewards SET state = 'available' WHERE state = 'pending'`, "is available with"},
		{`UPDATE rewards SET state = 'pending' WHERE state = 'available'`, "is pending with"},
		{`DELETE FROM ledger_transfers`, "its transfers hold 0"},
	},
	"balances_equal_rewards": {
		{`UPDATE rewards SET granted = granted + 1`, "its rewards make"},
		{`UPDATE ledger_accounts SET balance = balance - 1 WHERE kind = 'available'`, "credit, 400 redeemed"},
		{`UPDATE rewards SET redeemed = 0`, "400 redeemed and 0 expired; its rewards make 1000, 0 and 0"},
		{`UPDATE rewards SET state = 'expired' WHERE redeemed > 0`, "its rewards make 0, 400 and 600"},
	},
	"redemptions_equal_items": {
		{`UPDATE credit_redemptions SET amount = amount + 1`, "its items of 400"},
		{`UPDATE rewards SET redeemed = redeemed + 1 WHERE redeemed > 0`, "its redemptions took 400"},
		{`DELETE FROM credit_redemption_voids`, "its redemptions took 1000"},
	},
	"payouts_equal_books": {
		{`UPDATE payouts SET amount = amount + 1`, "its items make"},
		{`UPDATE payout_items SET offset_amount = 1`, "its items make"},
		{`DROP INDEX payout_items_reward_id_key;
			INSERT INTO payout_runs SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).* FROM payout_runs AS r;
			INSERT INTO payouts SELECT (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(), 'run_id', r.id, 'provider_key', 'x'))).*
				FROM payouts AS p JOIN payout_runs AS r ON r.id <> p.run_id;
			INSERT INTO payout_items SELECT i.workspace_id, p.id, i.reward_id, i.amount, i.offset_amount, true FROM payout_items AS i JOIN payouts AS p ON p.id <> i.payout_id`,
			"is in 2 live payouts"},
		{`UPDATE payouts SET state = 'paid', paid_at = now()`, "is reserved, its payout is paid"},
		{`UPDATE rewards SET state = 'available' WHERE state = 'reserved'`, "is available, its payout is submitted"},
		{`UPDATE rewards SET state = 'reserved' WHERE state = 'available'`, "its payout is missing"},
		{`DELETE FROM payout_items`, "its payout is missing"},
		{`UPDATE payouts SET amount = amount - 1; UPDATE payout_items SET amount = amount - 1`, "its payouts say"},
	},
	"transfers_follow_rewards": {
		{`UPDATE ledger_transfers SET reward_id = (SELECT id FROM rewards WHERE rule_key = 'manual') WHERE recipe = 'accrue'`, "its reward"},
		{`INSERT INTO ledger_accounts SELECT workspace_id, participant_id, 'USD', kind, 0, reward_kind FROM ledger_accounts; UPDATE ledger_transfers SET currency = 'USD'`, "moves USD"},
		{`INSERT INTO ledger_accounts SELECT DISTINCT workspace_id, participant_id, currency, kind, 0, 'points' FROM ledger_accounts; UPDATE ledger_transfers SET reward_kind = 'points'`, "points of"},
	},
	"one_live_referral": {
		{`DROP INDEX referrals_referee_id_key;
			INSERT INTO referrals SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).* FROM referrals AS r WHERE state = 'qualified'`, "has 2 live referrals"},
		{`ALTER TABLE referrals DROP CONSTRAINT referrals_referrer_id_check; UPDATE referrals SET referrer_id = referee_id`, "on both sides"},
	},
	"base_amounts": {
		{priced("rate", "2 * amount + 1"), "by its rate, stored is"},
		{priced("'3'", "2 * amount"), "another rate than the one that it names"},
	},
	"no_cycles": {
		{`UPDATE referrals SET referrer_id = (SELECT id FROM participants WHERE external_id = 'eve')
			WHERE referee_id = (SELECT id FROM participants WHERE external_id = 'ann')`, "through itself"},
		{`ALTER TABLE referrals DROP CONSTRAINT referrals_referrer_id_check; UPDATE referrals SET referrer_id = referee_id WHERE state = 'qualified'`, "through itself"},
	},
	"decisions_name_referrals": {
		{`UPDATE attribution_decisions SET attributed = false`, "disagree"},
		{`UPDATE attribution_decisions SET referrer_id = referee_id WHERE attributed`, "disagree"},
		{`UPDATE referrals SET code_id = NULL`, "disagree"},
		{`UPDATE attribution_decisions SET attributed = true, referral_id = id, referrer_id = referee_id WHERE NOT attributed`, "does not exist"},
	},
	"decisions_replay": {
		{`UPDATE attribution_decisions SET answer = replace(answer, 'ATTRIBUTED_EXPLICIT_CODE', 'ATTRIBUTED_LAST_TOUCH')`, "replays to"},
		{`UPDATE attribution_decisions SET inputs = replace(inputs, '"active"', '"paused"'), inputs_hash = sha256(replace(inputs, '"active"', '"paused"')::bytea)`, "replays to"},
		{`UPDATE attribution_decisions SET inputs = inputs || ' '`, "another hash"},
		{`UPDATE attribution_decisions SET inputs_hash = '\x00'`, "another hash"},
		{`UPDATE attribution_decisions SET inputs = 'x', inputs_hash = sha256('x')`, "cannot be replayed"},
	},
	"code_uses": {
		{`UPDATE codes SET uses = uses + 1`, "counts"},
		{`UPDATE codes SET uses = 0`, "counts 0 uses"},
	},
	"codes_counted": {
		{`UPDATE program_participants SET codes = 0`, "counts 0 codes"},
		{`UPDATE program_participants SET codes = codes + 1`, "counts 2 codes"},
		{`DELETE FROM program_participants`, "counts 0 codes"},
	},
	"limits_equal_rewards": {
		{`UPDATE rewards SET limits = '{budget:lifetime/1970-01-01}'`, "holds 0, its rewards make"},
		{`INSERT INTO reward_limits SELECT workspace_id, program_id, participant_id, 'cap:x:month', '2026-01-01', 1, 1 FROM rewards LIMIT 1`, "holds 1, its rewards make 0"},
	},
	"referrer_months_equal_facts": {
		{`UPDATE referrer_months SET qualified = qualified + 1`, " qualified "},
		{`UPDATE referrer_months SET conversions = conversions + 1`, " conversions "},
		{`UPDATE referrer_months SET revenue = revenue - 1`, " revenue "},
		{`DELETE FROM referrer_months`, " has 0 "},
	},
	"program_days_equal_facts":  counterFaults("program_days"),
	"referrer_days_equal_facts": counterFaults("referrer_days"),
	"visitor_days_equal_clicks": {
		{`DELETE FROM visitor_days`, "2 are missing who did"},
		{`INSERT INTO visitor_days SELECT workspace_id, program_id, day, referrer_id, 'ghost' FROM visitor_days LIMIT 1`, "1 visitors are stored who did not click"},
		{`DELETE FROM click_batches`, "missing"},
	},
	"markers_cover_clicks": {
		{`UPDATE click_batches SET last_click_id = '00000000-0000-0000-0000-000000000000'`, "outside its range"},
		{`UPDATE click_batches SET first_click_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'`, "outside its range"},
	},
	"no_stale_facts": {
		{`UPDATE conversions SET state = 'unmatched' WHERE external_id = '1'`, "is unmatched, and referral"},
		{`UPDATE reversals SET conversion_external_id = '1' WHERE conversion_external_id = '6'`, "which exists"},
		{`INSERT INTO unmatched_facts SELECT workspace_id, gen_random_uuid(), 'churn', id, program_id, referee_id, 'x', 'waiting', '', received_at FROM churns`, "covers it"},
		{`INSERT INTO unmatched_facts SELECT s.workspace_id, gen_random_uuid(), 'signup', s.id, s.program_id, s.referee_id, 'click:' || k.id, 'waiting', '', s.received_at
			FROM signups AS s, clicks AS k`, "waits for click"},
		{`DELETE FROM unmatched_facts`, "waits for nothing"},
	},
	"nothing_overdue": {
		{`UPDATE rewards SET available_at = '2026-01-01', created_at = '2026-01-01' WHERE state = 'pending'`, "rewards should have matured"},
		{`UPDATE rewards SET expires_at = '2026-01-01', created_at = '2026-01-01' WHERE state = 'available' AND kind = 'credit'`, "rewards should have expired"},
		{`UPDATE referrals SET state = 'attributed', qualify_by = '2026-01-01', created_at = '2026-01-01' WHERE state = 'qualified'`, "referrals should have expired"},
	},
	"partitions_ahead": {{`DO $$ BEGIN EXECUTE 'DROP TABLE clicks_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYYMM'); END $$`, "no partition"}},
	"default_partition_empty": {{`INSERT INTO clicks SELECT workspace_id, '00000000-0000-7000-8000-000000000001', batch_id, program_id, code_id, referrer_id, classification, source,
		consent, visitor, visitor_key, address_hash, utm, referrer_host, day, occurred_at, received_at FROM clicks LIMIT 1`, "1 clicks in the default partition"}},
	"log_is_whole": {
		{`UPDATE events SET data = data || '{"granted": 1}' WHERE type = 'reward.granted'`, "(changed)"},
		{`UPDATE events SET type = 'reward.granted' WHERE id = (SELECT event_id FROM event_seals WHERE seq = 7)`, "from number 7 of"},
		{`UPDATE events SET created_at = created_at + interval '1 microsecond' WHERE id = (SELECT event_id FROM event_seals WHERE seq = 1)`, "from number 1 of"},
		{`UPDATE events SET note = 'never said' WHERE note IS NOT NULL`, "(changed)"},
		{`UPDATE event_seals SET hash = sha256('x') WHERE seq = 5`, "from number 5 of"},
		{`SET LOCAL session_replication_role = replica; DELETE FROM events WHERE id = (SELECT event_id FROM event_seals WHERE seq = 9)`, "from number 9 of"},
		{`DELETE FROM event_seals WHERE seq = 3`, "from number 3 of"},
		{`DELETE FROM event_seals WHERE seq > 3`, "from number 4 of"},
		{`SET LOCAL session_replication_role = replica; DELETE FROM events WHERE id IN (SELECT event_id FROM event_seals WHERE seq > 3);
			DELETE FROM event_seals WHERE seq > 3`, "from number 4 of"},
		{`DELETE FROM event_heads`, "from number 1 of"},
		{`DELETE FROM event_batches`, "(stray)"},
		{`UPDATE event_heads SET hash = sha256('x')`, "(end)"},
		{`INSERT INTO events SELECT workspace_id, '00000000-0000-7000-8000-000000000001', type, subject_type, subject_id, data, created_at FROM events LIMIT 1`, "(stray)"},
		{`WITH e AS (INSERT INTO events SELECT workspace_id, '00000000-0000-7000-8000-000000000001', type, subject_type, subject_id, data, created_at FROM events LIMIT 1 RETURNING *)
			INSERT INTO event_seals SELECT e.workspace_id, h.seq + 1, e.id, sha256('x') FROM e JOIN event_heads AS h USING (workspace_id)`, "(end)"},
		{`SET LOCAL session_replication_role = replica; CREATE TEMPORARY TABLE pair ON COMMIT DROP AS SELECT * FROM event_seals WHERE seq IN (4, 6);
			DELETE FROM event_seals WHERE seq IN (4, 6);
			INSERT INTO event_seals SELECT workspace_id, 10 - seq, event_id, hash FROM pair`, "from number 4 of"},
	},
	"durable": {{`SET LOCAL synchronous_commit = off`, "synchronous_commit is off"}},
}

// priced makes every sale one in pounds, which are 2 euros each, with a rate and a worth of the fault's choice.
func priced(rate, worth string) string {
	return `INSERT INTO exchange_rates SELECT workspace_id, gen_random_uuid(), 'GBP', 'EUR', '2', 's', '2020-01-01'::timestamptz, now() FROM workspaces;
		UPDATE conversions SET currency = 'GBP', base_amount = ` + worth + `, exchange_rate_id = r.id, exchange_rate = ` + rate + `, exchange_rate_source = r.source,
			exchange_rate_at = r.effective_at
		FROM exchange_rates AS r WHERE r.workspace_id = conversions.workspace_id`
}

// counterFaults changes every counter of a table alone, and takes rows away.
func counterFaults(table string) []fault {
	out := []fault{{"DELETE FROM " + table, " counts 0 "}}
	for _, counter := range []string{
		"clicks", "human_clicks", "unique_visitors", "signups", "referrals", "qualified", "conversions", "revenue", "reversed_revenue",
		"rewards_granted", "rewards_reversed",
	} {
		out = append(out, fault{fmt.Sprintf("UPDATE %s SET %s = %s + 1", table, counter, counter), " " + counter + " "})
	}
	return append(out,
		fault{`UPDATE signups SET occurred_at = occurred_at - interval '2 days'`, " signups "},
		fault{`UPDATE referrals SET attributed_at = attributed_at - interval '2 days'`, " referrals "},
		fault{`UPDATE referrals SET qualified_at = qualified_at - interval '2 days'`, " qualified "},
		fault{`UPDATE conversions SET amount = amount + 1, base_amount = base_amount + 1`, " revenue "},
		fault{`UPDATE conversions SET base_reversed_amount = 0`, " reversed_revenue "},
		fault{`UPDATE rewards SET granted = granted + 1`, " rewards_granted "},
		fault{`UPDATE clicks SET classification = 'bot'`, " human_clicks "},
		fault{`DELETE FROM click_batches`, " clicks "})
}

func TestEveryCheckSeesItsFaults(t *testing.T) {
	t.Parallel()
	conn := newClinic(t).Owner(t)
	for _, c := range Checks() {
		for _, f := range faults[c.Name] {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), f.sql); err != nil {
				t.Errorf("%s: %s: %v", c.Name, f.sql, err)
			} else if found := strings.Join(find(t, tx, c.Name), "\n"); !strings.Contains(found, f.tell) {
				t.Errorf("%s: %s: found %q, want something with %q", c.Name, f.sql, found, f.tell)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDurableSettingsAreNoFinding(t *testing.T) {
	t.Parallel()
	tx, err := dbtest.New(t).Owner(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `SET LOCAL synchronous_commit = on`); err != nil {
		t.Fatal(err)
	}
	for _, f := range find(t, tx, "durable") {
		if strings.Contains(f, "synchronous_commit") {
			t.Error(f)
		}
	}
}

// What the engine would settle differently is told, and nothing is repaired: each fault stays and the findings add up.
func TestSettlementsSeeFaults(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	owner := c.Owner(t)
	for _, f := range []fault{
		{`UPDATE conversions SET reversed_amount = 0 WHERE external_id = '1'`, "conversion.reversed"},
		{`UPDATE rewards SET reversed = 0 WHERE state = 'held'`, "reward.reversed"},
		{`UPDATE rewards SET reversed = reversed + 1 WHERE state = 'pending' AND reversed = 0`, "reward.reinstated"},
		{`DELETE FROM credit_redemption_items; DELETE FROM ledger_transfers USING rewards AS r WHERE r.id = reward_id AND r.beneficiary = 'referee'; DELETE FROM rewards WHERE beneficiary = 'referee'`, "reward.granted"},
		{`UPDATE referrals SET state = 'attributed', qualified_at = NULL, qualifying_conversion_id = NULL WHERE state = 'qualified'`, "referral.qualified"},
		{`UPDATE referrals SET state = 'qualified' WHERE state = 'churned'`, "referral.churned"},
	} {
		if _, err := owner.Exec(t.Context(), f.sql); err != nil {
			t.Fatalf("%s: %v", f.sql, err)
		}
		findings, err := Settlements(t.Context(), c.App(t), c.Store, c.engine, c.scope.Now)
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(findings); !strings.Contains(text, f.tell) {
			t.Errorf("%s: found %s, want %s", f.sql, text, f.tell)
		}
	}
}

func TestCyclesAreFoundOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		above []int32
		want  int
	}{
		"nothing":            {nil, 0},
		"a chain":            {[]int32{1, 2, none}, 0},
		"a chain from above": {[]int32{none, 0, 1}, 0},
		"a tree":             {[]int32{2, 2, 3, none}, 0},
		"itself":             {[]int32{0}, 1},
		"a pair":             {[]int32{1, 0}, 1},
		"a ring with a tail": {[]int32{1, 2, 3, 1}, 1},
		"two rings":          {[]int32{1, 0, 3, 2}, 2},
	} {
		if got := cycles(c.above); len(got) != c.want {
			t.Errorf("%s: %d cycles, want %d", name, len(got), c.want)
		}
	}
}
