package schema_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// attempt is a statement that the application's role tries again and again. Of all tries as many as allowed succeed; the others fail
// with state, or touch no row when state is empty. @id is new for every try and @i counts the tries of a world.
type attempt struct {
	name    string
	setup   string
	sql     string
	allowed int
	state   string
}

const (
	unique     = "23505"
	foreignKey = "23503"
	check      = "23514"
	notNull    = "23502"
	forbidden  = "42501"

	tries = 8
	all   = tries
)

const (
	insertReferral = `INSERT INTO referrals (workspace_id, id, program_id, program_version_id, referrer_id, referee_id, decision_id, state, reason,
		attributed_at, qualify_by, ended_at, version, created_at) VALUES `
	insertCode   = `INSERT INTO codes (workspace_id, id, program_id, participant_id, value, folded_value, state, uses, timeline, version, created_at) VALUES `
	insertReward = `INSERT INTO rewards (workspace_id, id, program_id, program_version_id, participant_id, cause_kind, cause_id, rule_key, beneficiary,
		level, kind, currency, granted, reversed, capped, state, reason, available_at, version, created_at) VALUES `
	insertTransfer = `INSERT INTO ledger_transfers (workspace_id, id, participant_id, currency, reward_kind, from_kind, to_kind, amount, recipe, reason, reward_id,
		created_at) VALUES `
	insertConversion = `INSERT INTO conversions (workspace_id, id, program_id, referee_id, source, external_id, type, amount, currency, reversed_amount,
		base_currency, base_amount, state, reason, fingerprint, metadata, version, occurred_at, received_at) VALUES `
	insertRate     = `INSERT INTO exchange_rates (workspace_id, id, from_currency, to_currency, rate, source, effective_at, created_at) VALUES `
	insertReversal = `INSERT INTO reversals (workspace_id, id, source, external_id, conversion_external_id, conversion_type, kind, amount,
		restores_reversal_id, fingerprint, occurred_at, received_at) VALUES `
)

// cancelPayout cancels the payout of a world with its items, in one statement.
const cancelPayout = `WITH released AS (UPDATE payout_items SET live = false WHERE workspace_id = @w AND payout_id = @payout)
	UPDATE payouts SET state = 'cancelled', live = false WHERE workspace_id = @w AND id = @payout`

// attempts try to break what section 2 of the design promises of these tables.
var attempts = []attempt{
	// One live referral per referee, by whatever referrer and in whatever live state.
	{"a second live referral of a referee", "",
		insertReferral + `(@w, @id, @program, @version, CASE WHEN @i::int % 2 = 0 THEN @a::uuid ELSE @c::uuid END, @d, @decision,
			(ARRAY['attributed', 'qualified', 'under_review', 'churned'])[@i::int % 4 + 1], '', @now, @now, NULL, 1, @now)`, 1, unique},
	{"referrals that are not live", "",
		insertReferral + `(@w, @id, @program, @version, @a, @d, @decision, (ARRAY['expired', 'rejected', 'superseded'])[@i::int % 3 + 1], '', @now, @now, @now, 1, @now)`, all, ""},
	{"bringing several dead referrals of one referee back to life",
		insertReferral + `(@w, gen_random_uuid(), @program, @version, @a, @d, @decision, 'expired', '1', @now, @now, @now, 1, @now),
			(@w, gen_random_uuid(), @program, @version, @a, @d, @decision, 'expired', '2', @now, @now, @now, 1, @now)`,
		`UPDATE referrals SET state = 'attributed', ended_at = NULL WHERE workspace_id = @w AND referee_id = @d AND reason = (@i::int % 2 + 1)::text AND state = 'expired'`, 1, unique},

	// Referrer is not referee.
	{"a self-referral", "", insertReferral + `(@w, @id, @program, @version, @d, @d, @decision, 'attributed', '', @now, @now, NULL, 1, @now)`, 0, check},
	{"turning a referral into a self-referral", "", `UPDATE referrals SET referrer_id = referee_id WHERE workspace_id = @w`, 0, forbidden},
	{"giving a referral to somebody else", "", `UPDATE referrals SET referrer_id = @c WHERE workspace_id = @w`, 0, forbidden},
	{"ended and still alive", "", `UPDATE referrals SET ended_at = @now WHERE workspace_id = @w`, 0, check},
	{"ended at no time", "", `UPDATE referrals SET state = 'rejected' WHERE workspace_id = @w`, 0, check},
	{"qualified by nothing", "", `UPDATE referrals SET qualified_at = @now, qualifying_conversion_id = NULL WHERE workspace_id = @w`, 0, check},

	// Rates.
	{"two rates of a pair at one moment by one source", "", insertRate + `(@w, @id, 'GBP', 'USD', '1.' || @i::int, 'ecb', @now, @now)`, 1, unique},
	{"rates of one moment by several sources", "", insertRate + `(@w, @id, 'GBP', 'USD', '1.3', 's' || @i::int, @now, @now)`, all, ""},
	{"a rate that is none", "", insertRate + `(@w, @id, 'GBP', 'USD', (ARRAY['0', '0.00', '-1', '1e5', 'NaN', '01', '1.0000000000', ''])[@i::int + 1], 's', @now, @now)`, 0, check},
	{"a rate of a currency to itself", "", insertRate + `(@w, @id, 'USD', 'USD', '1', 's', @now, @now)`, 0, check},
	{"changing a rate", "", `UPDATE exchange_rates SET rate = '9' WHERE workspace_id = @w`, 0, forbidden},

	// Codes.
	{"the same folded code", "", insertCode + `(@w, @id, @program, @c, 'bob 1', 'BOB1', 'active', 0, '[]', 1, @now)`, 1, unique},
	{"giving a code to somebody else", "", `UPDATE codes SET participant_id = @c WHERE workspace_id = @w`, 0, forbidden},
	{"erasing one person twice", "", `INSERT INTO erasure_requests (workspace_id, id, participant_id, block_reuse, state, created_at)
		VALUES (@w, @id, @c, false, 'running', @now)`, 1, unique},
	{"more uses than max_uses", "", `UPDATE codes SET uses = uses + 1 WHERE workspace_id = @w AND id = @code`, 3, check},
	{"max_uses below uses", `UPDATE codes SET uses = 2 WHERE workspace_id = @w`, `UPDATE codes SET max_uses = 1 WHERE workspace_id = @w AND id = @code`, 0, check},
	{"uses below zero", "", `UPDATE codes SET uses = -1 WHERE workspace_id = @w AND id = @code`, 0, check},
	{"disabled without a reason", "", `UPDATE codes SET state = 'disabled' WHERE workspace_id = @w AND id = @code`, 0, check},
	{"more codes than the limit, by the conditional counter", "", `INSERT INTO program_participants (workspace_id, program_id, participant_id, codes, codes_limit)
		VALUES (@w, @program, @c, 1, 5) ON CONFLICT (workspace_id, program_id, participant_id) DO UPDATE
		SET codes = program_participants.codes + 1 WHERE program_participants.codes < EXCLUDED.codes_limit`, 5, ""},
	{"more codes than the limit, by force", "", `UPDATE program_participants SET codes = codes + 1 WHERE workspace_id = @w AND participant_id = @a`, 2, check},

	// Rewards.
	{"the same reward twice", "",
		insertReward + `(@w, @id, @program, @version, @b, 'conversion', @conversion, 'r', 'referee', 0, 'money', 'USD', 5, 0, 0, 'pending', '', @now, 1, @now)`, 1, unique},
	{"reversed beyond granted", "", `UPDATE rewards SET reversed = reversed + 400 WHERE workspace_id = @w AND id = @reward`, 2, check},
	{"reversed below zero", "", `UPDATE rewards SET reversed = reversed - 1 WHERE workspace_id = @w AND id = @reward`, 0, check},
	{"a grant below zero", "",
		insertReward + `(@w, @id, @program, @version, @b, 'manual', @id, 'r', 'referee', 0, 'money', 'USD', -5, 0, 0, 'pending', '', @now, 1, @now)`, 0, check},
	{"points counted in a currency", "",
		insertReward + `(@w, @id, @program, @version, @b, 'manual', @id, 'r', 'participant', 0, 'points', 'USD', 5, 0, 0, 'pending', '', @now, 1, @now)`, 0, check},
	{"a reward of an unknown kind", "",
		insertReward + `(@w, @id, @program, @version, @b, 'manual', @id, 'r', 'participant', 0, 'gift', 'XXX', 5, 0, 0, 'pending', '', @now, 1, @now)`, 0, check},
	{"granting less than was taken back", `UPDATE rewards SET reversed = 500 WHERE workspace_id = @w AND id = @reward`,
		`UPDATE rewards SET granted = 499 WHERE workspace_id = @w AND id = @reward`, 0, check},

	{"redeeming more than was granted", "", `UPDATE rewards SET redeemed = redeemed + 400 WHERE workspace_id = @w AND id = @credit`, 2, check},
	{"redeeming less than nothing", "", `UPDATE rewards SET redeemed = -1 WHERE workspace_id = @w AND id = @credit`, 0, check},
	{"redeeming what was redeemed and reversed, which is owed back", `UPDATE rewards SET reversed = 1000 WHERE workspace_id = @w AND id = @credit`,
		`UPDATE rewards SET redeemed = 1000 WHERE workspace_id = @w AND id = @credit`, all, ""},
	{"redeeming money", "", `UPDATE rewards SET redeemed = 1 WHERE workspace_id = @w AND id = @reward`, 0, check},
	{"money that expires", "", `UPDATE rewards SET expires_at = @now WHERE workspace_id = @w AND id = @reward`, 0, check},
	{"the same redemption twice", "", `INSERT INTO credit_redemptions (workspace_id, id, participant_id, reward_kind, currency, amount, external_id, created_at)
		VALUES (@w, @id, @c, 'credit', 'USD', 1, 'x', @now)`, 1, unique},
	{"a redemption of nothing", "", `INSERT INTO credit_redemptions (workspace_id, id, participant_id, reward_kind, currency, amount, external_id, created_at)
		VALUES (@w, @id, @c, 'credit', 'USD', 0, 'x', @now)`, 0, check},
	{"a redemption of money", "", `INSERT INTO credit_redemptions (workspace_id, id, participant_id, reward_kind, currency, amount, external_id, created_at)
		VALUES (@w, @id, @c, 'money', 'USD', 1, 'x', @now)`, 0, check},
	{"one item of a redemption twice", "", `INSERT INTO credit_redemption_items (workspace_id, redemption_id, reward_id, amount) VALUES (@w, @redemption, @reward, 1)`, 1, unique},
	{"voiding a redemption twice", "", `INSERT INTO credit_redemption_voids (workspace_id, redemption_id, note, lapsed, created_at)
		VALUES (@w, @redemption, 'again', 0, @now)`, 0, unique},
	{"changing a redemption", "", `UPDATE credit_redemptions SET amount = 1 WHERE workspace_id = @w`, 0, forbidden},

	// The ledger.
	{"a transfer of nothing", "", insertTransfer + `(@w, @id, @a, 'USD', 'money', 'pending', 'available', 0, 'mature', '', @reward, @now)`, 0, check},
	{"a transfer of less than nothing", "", insertTransfer + `(@w, @id, @a, 'USD', 'money', 'pending', 'available', -1, 'mature', '', @reward, @now)`, 0, check},
	{"a transfer from an account to itself", "", insertTransfer + `(@w, @id, @a, 'USD', 'money', 'pending', 'pending', 1, 'mature', '', @reward, @now)`, 0, check},
	{"a transfer to an account that does not exist", "", insertTransfer + `(@w, @id, @a, 'EUR', 'money', 'pending', 'available', 1, 'mature', '', @reward, @now)`, 0, foreignKey},
	{"a transfer out of the account of another kind of reward", "", insertTransfer + `(@w, @id, @a, 'USD', 'credit', 'pending', 'available', 1, 'mature', '', @reward, @now)`, 0, foreignKey},
	{"a transfer without an owner of accounts", "", insertTransfer + `(@w, @id, @c, 'USD', 'money', 'pending', 'available', 1, 'mature', '', @reward, @now)`, 0, foreignKey},
	{"a transfer by an unknown recipe", "", insertTransfer + `(@w, @id, @a, 'USD', 'money', 'pending', 'available', 1, 'gift', '', @reward, @now)`, 0, check},
	{"a transfer for no reward", "", insertTransfer + `(@w, @id, @a, 'USD', 'money', 'pending', 'available', 1, 'mature', '', NULL, @now)`, 0, notNull},
	{"pending below zero", "", `UPDATE ledger_accounts SET balance = balance - 300 WHERE workspace_id = @w AND currency = 'USD' AND kind = 'pending'`, 3, check},
	{"reserved below zero", "", `UPDATE ledger_accounts SET balance = -1 WHERE workspace_id = @w AND kind = 'reserved'`, 0, check},
	{"cash below zero", "", `UPDATE ledger_accounts SET balance = -1 WHERE workspace_id = @w AND kind = 'cash'`, 0, check},
	{"breakage below zero", "", `UPDATE ledger_accounts SET balance = -1 WHERE workspace_id = @w AND kind = 'breakage'`, 0, check},
	{"redeemed below zero", "", `UPDATE ledger_accounts SET balance = -1 WHERE workspace_id = @w AND kind = 'redeemed'`, 0, check},
	{"expense above zero", "", `UPDATE ledger_accounts SET balance = balance + 400 WHERE workspace_id = @w AND kind = 'expense'`, 2, check},
	{"available below zero, which is carried forward", "", `UPDATE ledger_accounts SET balance = balance - 1 WHERE workspace_id = @w AND kind = 'available'`, all, ""},
	{"the same account twice", "", `INSERT INTO ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind, balance) VALUES (@w, @c, 'USD', 'money', 'pending', 0)`, 1, unique},
	{"an account of an unknown kind", "", `INSERT INTO ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind, balance) VALUES (@w, @c, 'USD', 'money', 'gift', 0)`, 0, check},
	{"an account of an unknown kind of reward", "", `INSERT INTO ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind, balance) VALUES (@w, @c, 'USD', 'gift', 'pending', 0)`, 0, check},

	// Payouts.
	{"a reward in two live payouts", "", `INSERT INTO payout_items (workspace_id, payout_id, reward_id, amount, offset_amount, live)
		VALUES (@w, @payout2, @reward, 5, 0, true)`, 0, unique},
	{"a reward in one live payout after the other was cancelled", cancelPayout, `INSERT INTO payout_items (workspace_id, payout_id, reward_id, amount, offset_amount, live)
		VALUES (@w, @payout2, @reward, 5, 0, true)`, 1, unique},
	{"an item that is not live, of a live payout", "", `UPDATE payout_items SET live = false WHERE workspace_id = @w`, 0, foreignKey},
	{"a cancelled payout whose items live on", "", `UPDATE payouts SET state = 'cancelled', live = false WHERE workspace_id = @w AND id = @payout`, 0, foreignKey},
	{"a live payout that is cancelled", "", `UPDATE payouts SET state = 'cancelled' WHERE workspace_id = @w AND id = @payout`, 0, check},
	{"reviving the items of a cancelled payout", cancelPayout, `UPDATE payout_items SET live = true WHERE workspace_id = @w`, 0, foreignKey},
	{"giving an item to another payout", "", `UPDATE payout_items SET payout_id = @payout2 WHERE workspace_id = @w`, 0, forbidden},
	{"changing what an item pays", "", `UPDATE payout_items SET amount = amount + 1 WHERE workspace_id = @w`, 0, forbidden},
	{"changing what a payout pays", "", `UPDATE payouts SET amount = amount + 1 WHERE workspace_id = @w`, 0, forbidden},
	{"two payouts of one participant in a run", "", `INSERT INTO payouts (workspace_id, id, run_id, participant_id, currency, amount, offset_amount, state, live,
		provider, attempt, tries, version, created_at) VALUES (@w, @id, @run, @d, 'USD', 5, 0, 'draft', true, 'manual', 1, 0, 1, @now)`, 1, unique},
	{"a payout of nothing", "", `INSERT INTO payouts (workspace_id, id, run_id, participant_id, currency, amount, offset_amount, state, live,
		provider, attempt, tries, version, created_at) VALUES (@w, @id, @run, @d, 'USD', 0, 0, 'draft', true, 'manual', 1, 0, 1, @now)`, 0, check},
	{"one provider key for two payouts", "", `UPDATE payouts SET provider_key = 'k' WHERE workspace_id = @w`, 0, unique},
	{"paid at no time", "", `UPDATE payouts SET state = 'paid', provider_key = 'k' WHERE workspace_id = @w AND id = @payout`, 0, check},
	{"submitted without a key", "", `UPDATE payouts SET state = 'submitted' WHERE workspace_id = @w`, 0, check},
	{"two policies of a currency", "", `INSERT INTO payout_policies (workspace_id, id, currency, minimum_amount, approval, provider, four_eyes, version, created_at)
		VALUES (@w, @id, 'EUR', 0, 'manual', 'manual', false, 1, @now)`, 1, unique},
	{"an approval over no amount", "", `UPDATE payout_policies SET approval = 'over_amount' WHERE workspace_id = @w`, 0, check},
	{"a webhook to nowhere", "", `UPDATE payout_policies SET provider = 'webhook' WHERE workspace_id = @w`, 0, check},

	// Facts.
	{"the same conversion twice", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o1', 'purchase', 1, 'USD', 0, 'USD', 1, 'unmatched', '', '', '{}', 1, @now, @now)`, 1, unique},
	{"conversions of other types", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o1', 'type' || @i::int, 1, 'USD', 0, 'USD', 1, 'unmatched', '', '', '{}', 1, @now, @now)`, all, ""},
	{"a conversion below zero", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o1', 'purchase', -1, 'USD', 0, 'USD', -1, 'unmatched', '', '', '{}', 1, @now, @now)`, 0, check},
	{"reversing more than the conversion", "", `UPDATE conversions SET reversed_amount = reversed_amount + 4000 WHERE workspace_id = @w AND id = @conversion`, 2, check},
	{"reversing less than nothing", "", `UPDATE conversions SET reversed_amount = -1 WHERE workspace_id = @w AND id = @conversion`, 0, check},
	{"a sale in another currency without a rate", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o' || @i::int, 'purchase', 1, 'EUR', 0, 'USD', NULL, 'unmatched', '', '', '{}', 1, @now, @now)`, all, ""},
	{"a sale that is worth something without a rate", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o' || @i::int, 'purchase', 1, 'EUR', 0, 'USD', 1, 'unmatched', '', '', '{}', 1, @now, @now)`, 0, check},
	{"a sale that is worth another amount of its own currency", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o' || @i::int, 'purchase', 1, 'USD', 0, 'USD', 2, 'unmatched', '', '', '{}', 1, @now, @now)`, 0, check},
	{"a sale without a worth in its own currency", "",
		insertConversion + `(@w, @id, @program, @b, 'shop', 'o' || @i::int, 'purchase', 1, 'USD', 0, 'USD', NULL, 'unmatched', '', '', '{}', 1, @now, @now)`, 0, check},
	{"a rate that was never recorded", insertConversion + `(@w, gen_random_uuid(), @program, @b, 'shop', 'fx', 'purchase', 1, 'EUR', 0, 'USD', NULL, 'unmatched', '', '', '{}', 1, @now, @now)`,
		`UPDATE conversions SET base_amount = 1, exchange_rate_id = gen_random_uuid(), exchange_rate = '1.2', exchange_rate_source = 'other', exchange_rate_at = @now WHERE workspace_id = @w AND external_id = 'fx'`, 0, foreignKey},
	{"half a rate", insertConversion + `(@w, gen_random_uuid(), @program, @b, 'shop', 'fx', 'purchase', 1, 'EUR', 0, 'USD', NULL, 'unmatched', '', '', '{}', 1, @now, @now)`,
		`UPDATE conversions SET exchange_rate = '1.2' WHERE workspace_id = @w AND external_id = 'fx'`, 0, check},
	{"granting what has no rate", "", `UPDATE rewards SET state = 'pending_fx' WHERE workspace_id = @w AND granted > 0`, 0, check},
	{"changing the currency of a conversion", "", `UPDATE conversions SET base_currency = 'EUR' WHERE workspace_id = @w`, 0, forbidden},
	{"changing the amount of a conversion", "", `UPDATE conversions SET amount = amount * 2, base_amount = base_amount * 2 WHERE workspace_id = @w`, 0, forbidden},
	{"the same reversal twice", "", insertReversal + `(@w, @id, 'shop', 'r1', 'o', 'purchase', 'refund', 1, NULL, '', @now, @now)`, 1, unique},
	{"a reversal of nothing", "", insertReversal + `(@w, @id, 'shop', 'r1', 'o', 'purchase', 'refund', 0, NULL, '', @now, @now)`, 0, check},
	{"winning one dispute twice", "", insertReversal + `(@w, @id, 'shop', 'd' || @i::int, 'o', 'purchase', 'dispute_won', NULL, @chargeback, '', @now, @now)`, 1, unique},
	{"winning no dispute", "", insertReversal + `(@w, @id, 'shop', 'r1', 'o', 'purchase', 'dispute_won', NULL, NULL, '', @now, @now)`, 0, check},
	{"a refund that restores", "", insertReversal + `(@w, @id, 'shop', 'r1', 'o', 'purchase', 'refund', 1, @chargeback, '', @now, @now)`, 0, check},
	{"the same signup twice", "", `INSERT INTO signups (workspace_id, id, program_id, referee_id, external_id, fingerprint, metadata, occurred_at, received_at)
		VALUES (@w, @id, @program, @d, 's1', '', '{}', @now, @now)`, 1, unique},
	{"the same churn twice", "", `INSERT INTO churns (workspace_id, id, program_id, referee_id, kind, source, external_id, fingerprint, occurred_at, received_at)
		VALUES (@w, @id, @program, @b, 'churn', 'shop', 'c1', '', @now, @now)`, 1, unique},
	{"one click twice", "", `INSERT INTO clicks (workspace_id, id, batch_id, program_id, code_id, referrer_id, classification, source, consent, visitor, day, occurred_at, received_at)
		VALUES (@w, @event, @batch, @program, @code, @a, 'human', 'api', 'unknown', '', @today, @now, @now)`, 1, unique},
	{"settled and still waiting", "", `UPDATE unmatched_facts SET settled_at = @now WHERE workspace_id = @w`, 0, check},

	// Programs and their versions.
	{"the same number of a version twice", "", `INSERT INTO program_versions (workspace_id, id, program_id, number, rules, published_at) VALUES (@w, @id, @program, 2, '{}', @now)`, 1, unique},
	{"changing a published version", "", `UPDATE program_versions SET rules = '{"rewards": []}' WHERE workspace_id = @w`, 0, forbidden},
	{"a version that does not exist", "", `UPDATE programs SET current_version_id = @id WHERE workspace_id = @w`, 0, foreignKey},
	{"active without a version", "", `UPDATE programs SET current_version_id = NULL WHERE workspace_id = @w`, 0, check},
	{"ended at no time", "", `UPDATE programs SET state = 'ended' WHERE workspace_id = @w`, 0, check},
	{"an unknown state", "", `UPDATE programs SET state = 'open' WHERE workspace_id = @w`, 0, check},

	// Limits.
	{"more than a cap", "", `UPDATE reward_limits SET used = used + 2 WHERE workspace_id = @w`, 0, check},
	{"less than nothing under a cap", "", `UPDATE reward_limits SET used = used - 2 WHERE workspace_id = @w`, 0, check},
	{"the last of a cap twice", "", `UPDATE reward_limits SET used = used + 1 WHERE workspace_id = @w`, 1, check},
	{"a rate without its amount", "", `UPDATE rewards SET amount_type = 'fixed', amount_value = NULL WHERE workspace_id = @w`, 0, check},

	// Workspaces, participants and idempotency.
	{"a clock in a live workspace", "", `UPDATE workspaces SET clock_at = @now WHERE workspace_id = @w`, 0, check},
	{"the same participant twice", "", `INSERT INTO participants (workspace_id, id, external_id, state, metadata, version, created_at) VALUES (@w, @id, 'x', 'active', '{}', 1, @now)`, 1, unique},
	{"an e-mail address in clear", "", `UPDATE participants SET email_hash = 'jane@example.com' WHERE workspace_id = @w`, 0, check},
	{"claiming one idempotency key twice", "", `INSERT INTO idempotency_keys (workspace_id, key, operation, fingerprint, created_at) VALUES (@w, 'x', 'o', '', @now)`, 1, unique},
	{"another body under an idempotency key", "", `UPDATE idempotency_keys SET fingerprint = 'x' WHERE workspace_id = @w`, 0, forbidden},
	{"moving a row to another workspace", "", `UPDATE program_days SET workspace_id = @id WHERE workspace_id = @w`, 0, forbidden},
}

func TestInvariantsHoldAlone(t *testing.T) {
	t.Parallel()
	conns := []*pgx.Conn{dbtest.New(t).App(t)}
	for _, a := range attempts {
		a.mustHold(t, conns)
	}
}

func TestInvariantsHoldUnderConcurrency(t *testing.T) {
	t.Parallel()
	conns := several(t, dbtest.New(t))
	for _, a := range attempts {
		a.mustHold(t, conns)
	}
}

// Without its key or check an invariant does not hold, and the tests above would say so.
func TestBrokenInvariantsAreSeen(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, sql := range []string{
		`DROP INDEX referrals_referee_id_key`, `ALTER TABLE codes DROP CONSTRAINT codes_uses_check`,
		`ALTER TABLE ledger_accounts DROP CONSTRAINT ledger_accounts_balance_check`, `GRANT UPDATE ON conversions TO grapevine_app`,
	} {
		if _, err := d.Owner(t).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	conns := several(t, d)
	for _, name := range []string{
		"a second live referral of a referee", "more uses than max_uses", "pending below zero", "changing the amount of a conversion",
	} {
		i := slices.IndexFunc(attempts, func(a attempt) bool { return a.name == name })
		if succeeded, errs := attempts[i].run(t, conns); succeeded == attempts[i].allowed || len(errs) > 0 {
			t.Errorf("%s: %d tries succeeded, as if nothing was missing, %v", name, succeeded, errs)
		}
	}
}

func several(t *testing.T, d *dbtest.Database) []*pgx.Conn {
	t.Helper()
	conns := make([]*pgx.Conn, tries)
	for i := range conns {
		conns[i] = d.App(t)
	}
	return conns
}

func (a attempt) mustHold(t *testing.T, conns []*pgx.Conn) {
	t.Helper()
	succeeded, errs := a.run(t, conns)
	if succeeded != a.allowed {
		t.Errorf("%s: %d of %d tries on %d connections succeeded, want %d", a.name, succeeded, tries, len(conns), a.allowed)
	}
	for _, err := range errs {
		t.Errorf("%s: %v", a.name, err)
	}
}

// run tries the statement in a new world, on all connections at once, and counts the successes.
func (a attempt) run(t *testing.T, conns []*pgx.Conn) (succeeded int, errs []error) {
	t.Helper()
	w := newWorld(t, conns[0])
	if a.setup != "" {
		if _, err := conns[0].Exec(t.Context(), a.setup, pgx.NamedArgs(w)); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
	}
	var (
		done  sync.WaitGroup
		start = make(chan struct{})
		mu    sync.Mutex
	)
	for first, conn := range conns {
		done.Go(func() {
			<-start
			for i := first; i < tries; i += len(conns) {
				ok, err := a.try(t, conn, w, i)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else if ok {
					succeeded++
				}
				mu.Unlock()
			}
		})
	}
	close(start)
	done.Wait()
	return succeeded, errs
}

// try runs the statement in a transaction that stays open for a moment, so that tries at once overlap. It reports whether the
// statement took effect; any error but the expected one is returned.
func (a attempt) try(t *testing.T, conn *pgx.Conn, w world, i int) (bool, error) {
	tx, err := conn.Begin(t.Context())
	if err != nil {
		return false, err
	}
	tag, err := tx.Exec(t.Context(), a.sql, w.with(pgx.NamedArgs{"id": dbtest.ID(t), "i": i}))
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == a.state {
		return false, tx.Rollback(t.Context())
	}
	if err != nil {
		return false, errors.Join(err, tx.Rollback(t.Context()))
	}
	if _, err := tx.Exec(t.Context(), "SELECT pg_sleep(0.005)"); err != nil {
		return false, err
	}
	return tag.RowsAffected() > 0, tx.Commit(t.Context())
}
