package schema_test

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/dbtest"
)

// What becomes of a column's text when the person is erased whom it may be about.
const (
	goes  = "taken away, or made a pseudonym"
	keyed = "a hash that tells nothing without a key"
	short = "kept for a week at most"
	never = "about no person: ids, names of things, numbers, reasons"
)

// fates has every column that can hold a text of a caller's choice. internal/server tries that what goes is gone.
var fates = map[string]string{
	goes: `churns.external_id churns.fingerprint clicks.address_hash clicks.referrer_host clicks.utm clicks.visitor clicks.visitor_key
		codes.folded_value codes.value conversions.external_id conversions.fingerprint conversions.metadata credit_redemption_voids.note
		credit_redemptions.external_id credit_redemptions.note events.note events.note_salt idempotency_keys.body idempotency_keys.headers
		participants.display_name participants.email_hash participants.external_id participants.metadata payouts.note
		reversals.conversion_external_id reversals.external_id reversals.fingerprint reversals.note rewards.note signups.external_id
		signups.fingerprint signups.metadata unmatched_facts.waits_for visitor_days.visitor`,
	keyed: `erasure_requests.reference_hash erasure_tombstones.hash events.note_digest fact_keys.key`,
	short: `idempotency_keys.fingerprint idempotency_keys.key`,
	never: `api_keys.last_four api_keys.name api_keys.prefix api_keys.scopes api_keys.secret_hash attribution_decisions.answer
		attribution_decisions.inputs attribution_decisions.inputs_hash attribution_decisions.reason churns.source codes.timeline
		conversions.exchange_rate conversions.exchange_rate_source conversions.reason conversions.source conversions.type conversions.upline
		event_checkpoints.hash event_heads.hash event_seals.hash events.data events.subject_type events.type exchange_rates.rate
		exchange_rates.source exchange_rates.to_currency idempotency_keys.operation ledger_transfers.currency ledger_transfers.from_kind
		ledger_transfers.reason ledger_transfers.reward_kind ledger_transfers.to_kind participants.group_name participants.group_timeline
		payout_policies.webhook_secret payout_policies.webhook_url payout_runs.currency payout_runs.note payouts.currency
		payouts.provider_key payouts.provider_reference program_versions.rules programs.allowed_hosts programs.landing_url programs.name
		programs.time_zone programs.timeline referrals.reason reversals.conversion_type reversals.currency reversals.source
		reward_limits.name rewards.amount_type rewards.limits rewards.reason rewards.rule_key tier_periods.rule_key unmatched_facts.reason
		workspaces.hash_key workspaces.link_host workspaces.name workspaces.slug`,
}

// openTexts are the columns that no check binds to a list of values.
const openTexts = `
	SELECT c.relname || '.' || a.attname
	FROM pg_class AS c
	JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	JOIN pg_type AS t ON t.oid = a.atttypid
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname !~ '^schema_migrations'
		AND t.typname !~ '^_?(uuid|bool|int2|int4|int8|date|timestamptz)$'
		AND NOT EXISTS (
			SELECT FROM pg_constraint AS k
			WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
				AND pg_get_constraintdef(k.oid) ~ '= ANY \(ARRAY\[|\^\[A-Z\]\{3\}\$'
		)`

// A column that is added must say what an erasure does with it.
func TestEveryTextHasAFateWhenAPersonIsErased(t *testing.T) {
	t.Parallel()
	rows, err := dbtest.New(t).Owner(t).Query(t.Context(), openTexts)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for fate, list := range fates {
		for column := range strings.FieldsSeq(list) {
			if known[column] != "" {
				t.Errorf("%s is told of twice", column)
			}
			known[column] = fate
		}
	}
	for _, column := range columns {
		if known[column] == "" {
			t.Errorf("nobody says what an erasure does with %s", column)
		}
		delete(known, column)
	}
	for column := range known {
		t.Errorf("%s is no open text", column)
	}
}

func TestWhatGoesIsInAStatementOfTheErasure(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../sql/queries/erasures.sql")
	if err != nil {
		t.Fatal(err)
	}
	for column := range strings.FieldsSeq(fates[goes]) {
		table, name, _ := strings.Cut(column, ".")
		written := false
		for statement := range strings.SplitSeq(string(text), "-- name: ") {
			_, set, ok := strings.Cut(statement, "UPDATE "+table)
			written = written || ok && strings.Contains(set, name+" = ")
		}
		if !written {
			t.Errorf("no statement of sql/queries/erasures.sql sets %s", column)
		}
	}
}
