package schema_test

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// world is a workspace with one row in every table, by the names under which statements speak of its ids.
type world pgx.NamedArgs

// worldIDs are made anew for every world.
var worldIDs = []string{
	"w", "key", "program", "version", "a", "b", "c", "d", "code", "batch", "click", "signup", "decision", "referral", "conversion",
	"chargeback", "rate", "churn", "fact", "reward", "transfer", "event", "credit", "redemption", "policy", "run", "payout", "payout2",
	"payout3", "erasure",
}

// worldRows are written in this order. a refers b; c and d are strangers. b bought for 10,000, which earns a 1,000.
var worldRows = []string{
	`INSERT INTO workspaces (workspace_id, name, mode, slug, paired_workspace_id, hash_key, created_at)
	 VALUES (@w, 'w', 'live', 'slug', @w, decode(repeat('00', 32), 'hex'), @now)`,
	`INSERT INTO api_keys (workspace_id, id, name, kind, prefix, last_four, secret_hash, scopes, created_at)
	 VALUES (@w, @key, 'k', 'secret', 'gv', '0000', decode(repeat('00', 32), 'hex'), '{}', @now)`,
	`INSERT INTO idempotency_keys (workspace_id, key, operation, fingerprint, created_at) VALUES (@w, 'k', 'o', '', @now)`,
	`INSERT INTO programs (workspace_id, id, name, currency, state, landing_url, allowed_hosts, honor_pending_seconds, time_zone, timeline, version, created_at)
	 VALUES (@w, @program, 'p', 'USD', 'draft', 'https://x', '{}', 0, 'UTC', '[]', 1, @now)`,
	`INSERT INTO program_versions (workspace_id, id, program_id, number, rules, published_at) VALUES (@w, @version, @program, 1, '{}', @now)`,
	`UPDATE programs SET current_version_id = @version, state = 'active' WHERE workspace_id = @w AND id = @program`,
	`INSERT INTO participants (workspace_id, id, external_id, state, metadata, version, created_at)
	 VALUES (@w, @a, 'a', 'active', '{}', 1, @now), (@w, @b, 'b', 'active', '{}', 1, @now),
		(@w, @c, 'c', 'active', '{}', 1, @now), (@w, @d, 'd', 'active', '{}', 1, @now)`,
	`INSERT INTO program_participants (workspace_id, program_id, participant_id, codes, codes_limit) VALUES (@w, @program, @a, 1, 3)`,
	`INSERT INTO codes (workspace_id, id, program_id, participant_id, value, folded_value, state, max_uses, uses, timeline, version, created_at)
	 VALUES (@w, @code, @program, @a, 'ALICE-9', 'ALICE9', 'active', 3, 0, '[]', 1, @now)`,
	`INSERT INTO clicks (workspace_id, id, batch_id, program_id, code_id, referrer_id, classification, source, consent, visitor, day, occurred_at, received_at)
	 VALUES (@w, @click, @batch, @program, @code, @a, 'human', 'api', 'unknown', '', @today, @now, @now)`,
	`INSERT INTO click_batches (workspace_id, id, first_click_id, last_click_id) VALUES (@w, @batch, @click, @click)`,
	`INSERT INTO signups (workspace_id, id, program_id, referee_id, external_id, fingerprint, metadata, occurred_at, received_at)
	 VALUES (@w, @signup, @program, @b, 's', '', '{}', @now, @now)`,
	`INSERT INTO attribution_decisions (workspace_id, id, program_id, program_version_id, signup_id, referee_id, door, attributed, reason, referrer_id,
		code_id, referral_id, inputs, inputs_hash, answer, decided_at)
	 VALUES (@w, @decision, @program, @version, @signup, @b, 'signup', true, 'ATTRIBUTED_EXPLICIT_CODE', @a, @code, @referral, '{}', '', '{}', @now)`,
	`INSERT INTO referrals (workspace_id, id, program_id, program_version_id, referrer_id, referee_id, code_id, signup_id, decision_id, state, reason,
		attributed_at, qualify_by, version, created_at)
	 VALUES (@w, @referral, @program, @version, @a, @b, @code, @signup, @decision, 'attributed', 'ATTRIBUTED_EXPLICIT_CODE', @now, @now, 1, @now)`,
	`INSERT INTO conversions (workspace_id, id, program_id, referee_id, referral_id, source, external_id, type, amount, currency, reversed_amount,
		base_currency, base_amount, state, reason, fingerprint, metadata, version, occurred_at, received_at)
	 VALUES (@w, @conversion, @program, @b, @referral, 'api', 'o', 'purchase', 10000, 'USD', 0, 'USD', 10000, 'counted', 'COUNTED', '', '{}', 1, @now, @now)`,
	`UPDATE referrals SET state = 'qualified', qualified_at = @now, qualifying_conversion_id = @conversion WHERE workspace_id = @w AND id = @referral`,
	`INSERT INTO reversals (workspace_id, id, source, external_id, conversion_external_id, conversion_type, kind, fingerprint, occurred_at, received_at)
	 VALUES (@w, @chargeback, 'api', 'r', 'o', 'purchase', 'chargeback', '', @now, @now)`,
	`INSERT INTO exchange_rates (workspace_id, id, from_currency, to_currency, rate, source, effective_at, created_at)
	 VALUES (@w, @rate, 'EUR', 'USD', '1.10', 'ecb', @now, @now)`,
	`INSERT INTO churns (workspace_id, id, program_id, referee_id, kind, source, external_id, fingerprint, occurred_at, received_at)
	 VALUES (@w, @churn, @program, @b, 'churn', 'api', 'c', '', @now, @now)`,
	`INSERT INTO unmatched_facts (workspace_id, id, kind, fact_id, waits_for, state, reason, received_at)
	 VALUES (@w, @fact, 'churn', @churn, 'referral:x', 'waiting', 'NO_REFERRAL', @now)`,
	`INSERT INTO fact_keys (workspace_id, key) VALUES (@w, 'k')`,
	`INSERT INTO rewards (workspace_id, id, program_id, program_version_id, referral_id, conversion_id, participant_id, cause_kind, cause_id, rule_key,
		beneficiary, level, kind, currency, granted, reversed, capped, state, reason, available_at, version, created_at)
	 VALUES (@w, @reward, @program, @version, @referral, @conversion, @a, 'conversion', @conversion, 'r', 'referrer', 1, 'money', 'USD', 1000, 0, 0,
		'pending', 'GRANTED', @now, 1, @now)`,
	`INSERT INTO ledger_accounts (workspace_id, participant_id, currency, reward_kind, kind, balance)
	 VALUES (@w, @a, 'USD', 'money', 'expense', -1000), (@w, @a, 'USD', 'money', 'pending', 1000), (@w, @a, 'USD', 'money', 'available', 0), (@w, @a, 'USD', 'money', 'reserved', 0),
		(@w, @a, 'USD', 'money', 'cash', 0), (@w, @a, 'USD', 'money', 'breakage', 0), (@w, @a, 'USD', 'money', 'redeemed', 0), (@w, @a, 'EUR', 'money', 'pending', 0)`,
	`INSERT INTO ledger_transfers (workspace_id, id, participant_id, currency, reward_kind, from_kind, to_kind, amount, recipe, reason, reward_id, created_at)
	 VALUES (@w, @transfer, @a, 'USD', 'money', 'expense', 'pending', 1000, 'accrue', 'GRANTED', @reward, @now)`,
	`INSERT INTO rewards (workspace_id, id, program_id, program_version_id, participant_id, cause_kind, cause_id, rule_key, beneficiary, level, kind, currency,
		granted, reversed, capped, state, reason, available_at, expires_at, version, created_at)
	 VALUES (@w, @credit, @program, @version, @c, 'manual', @credit, 'manual', 'participant', 0, 'credit', 'USD', 1000, 0, 0, 'available', 'MANUAL', @now, @now, 1, @now)`,
	`INSERT INTO credit_redemptions (workspace_id, id, participant_id, reward_kind, currency, amount, external_id, created_at)
	 VALUES (@w, @redemption, @c, 'credit', 'USD', 400, 'checkout', @now)`,
	`INSERT INTO credit_redemption_items (workspace_id, redemption_id, reward_id, amount) VALUES (@w, @redemption, @credit, 400)`,
	`INSERT INTO credit_redemption_voids (workspace_id, redemption_id, note, lapsed, created_at) VALUES (@w, @redemption, 'n', 0, @now)`,
	`INSERT INTO payout_policies (workspace_id, id, currency, minimum_amount, approval, provider, four_eyes, version, created_at)
	 VALUES (@w, @policy, 'USD', 0, 'manual', 'manual', false, 1, @now)`,
	`INSERT INTO payout_runs (workspace_id, id, policy_id, currency, state, created_by, after_participant_id, skipped, created_at)
	 VALUES (@w, @run, @policy, 'USD', 'ready', @key, @a, 0, @now)`,
	`INSERT INTO payouts (workspace_id, id, run_id, participant_id, currency, amount, offset_amount, state, live, provider, attempt, tries, version, created_at)
	 VALUES (@w, @payout, @run, @b, 'USD', 5, 0, 'draft', true, 'manual', 1, 0, 1, @now), (@w, @payout2, @run, @c, 'USD', 5, 0, 'draft', true, 'manual', 1, 0, 1, @now),
		(@w, @payout3, @run, @a, 'USD', 5, 0, 'cancelled', false, 'manual', 1, 0, 1, @now)`,
	`INSERT INTO payout_items (workspace_id, payout_id, reward_id, amount, offset_amount, live) VALUES (@w, @payout, @reward, 5, 0, true)`,
	`INSERT INTO payout_skips (workspace_id, run_id, participant_id, reason, balance) VALUES (@w, @run, @a, 'carry_forward', -5)`,
	`INSERT INTO events (workspace_id, id, type, subject_type, subject_id, data, created_at) VALUES (@w, @event, 't', 's', @program, '{}', @now)`,
	`INSERT INTO erasure_requests (workspace_id, id, participant_id, block_reuse, state, created_at) VALUES (@w, @erasure, @d, true, 'running', @now)`,
	`INSERT INTO erasure_tombstones (workspace_id, hash, erasure_request_id) VALUES (@w, decode(repeat('00', 32), 'hex'), @erasure)`,
	`INSERT INTO event_batches (workspace_id, id, event_ids) VALUES (@w, @event, ARRAY[@event::uuid])`,
	`INSERT INTO event_seals (workspace_id, seq, event_id, hash) VALUES (@w, @seq, @event, decode(repeat('00', 32), 'hex'))`,
	`INSERT INTO event_checkpoints (workspace_id, seq, hash) VALUES (@w, @seq, decode(repeat('00', 32), 'hex'))`,
	`INSERT INTO event_heads (workspace_id, seq, hash) VALUES (@w, 1, decode(repeat('00', 32), 'hex'))`,
	`INSERT INTO program_days (workspace_id, program_id, day, shard) VALUES (@w, @program, @today, 0)`,
	`INSERT INTO referrer_days (workspace_id, participant_id, program_id, day, shard) VALUES (@w, @a, @program, @today, 0)`,
	`INSERT INTO reward_limits (workspace_id, program_id, participant_id, name, period, used, ceiling) VALUES (@w, @program, @a, 'cap:r:month', @today, 1, 2)`,
	`INSERT INTO referrer_months (workspace_id, participant_id, program_id, month, qualified, conversions, revenue) VALUES (@w, @a, @program, @today, 0, 0, 0)`,
	`INSERT INTO tier_periods (workspace_id, program_id, participant_id, rule_key, starts_on, ends_on, close_at, version)
	 VALUES (@w, @program, @a, 'r', @today, '2026-12-01', @now, 1)`,
	`INSERT INTO resettlements (workspace_id, program_id, participant_id, due_at, since, after_id) VALUES (@w, @program, @a, @now, @now, @a)`,
	`INSERT INTO visitor_days (workspace_id, program_id, day, referrer_id, visitor) VALUES (@w, @program, @today, @a, '')`,
}

// newWorld writes a world in the application's role.
func newWorld(t *testing.T, conn *pgx.Conn) world {
	t.Helper()
	w := world{"now": "2026-11-01T00:00:00Z", "today": "2026-11-01", "seq": rand.Int64N(1<<40) + 100}
	for _, name := range worldIDs {
		w[name] = dbtest.ID(t)
	}
	for _, sql := range worldRows {
		if _, err := conn.Exec(t.Context(), sql, pgx.NamedArgs(w)); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return w
}

// with adds names for one statement.
func (w world) with(more pgx.NamedArgs) pgx.NamedArgs {
	args := maps.Clone(pgx.NamedArgs(w))
	maps.Copy(args, more)
	return args
}
