#!/usr/bin/env bash
# The whole life of a referral with curl alone. It stops at the first answer that is not as told here.
#   GRAPEVINE_URL      where the server answers
#   GRAPEVINE_API_KEY  secret key of a test workspace
set -euo pipefail
: "${GRAPEVINE_URL:=http://127.0.0.1:8080}" "${GRAPEVINE_API_KEY:?is not set: the secret key of a test workspace}"

# Names of this run, so that it can be repeated in one workspace. Yours are the identifiers of your own system.
run=$(date +%s)-$$
alice=alice-$run
bob=bob-$run

headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

# request METHOD PATH [CURL-OPTION...]: sends it, shows it, and keeps status and body of the answer, its headers in a file.
request() {
  local method=$1 path=$2
  shift 2
  body=$(curl -sS -X "$method" "$GRAPEVINE_URL$path" -H "Authorization: Bearer $GRAPEVINE_API_KEY" -D "$headers" -w '\n%{http_code}' "$@")
  status=${body##*$'\n'}
  body=$(echo "${body%$'\n'*}")
  printf '\n%s %s -> %s\n%s\n' "$method" "$path" "$status" "$body"
}
get() { request GET "$1"; }
# post KEY PATH, the body on standard input. A key is made of the fact that it stands for: sent twice it is one request, and one fact.
post() { request POST "$2" -H "Idempotency-Key: $1" -H 'Content-Type: application/json' -d @-; }

tell() { printf '\n\n--- %s\n' "$*"; }
fail() {
  printf '\nNot as told in line %s: %s\n' "${BASH_LINENO[${#BASH_LINENO[@]} - 2]}" "$1" >&2
  exit 1
}
# expect STATUS [TEXT...]: the answer has this status and these texts in it, or the story ends here.
expect() {
  local text
  [ "$status" = "$1" ] || fail "the status is $status, not $1"
  shift
  for text in "$@"; do
    [[ $body == *"$text"* ]] || fail "the answer lacks $text"
  done
}

# field NAME: the first text or number of that name in the answer. A program would use a JSON parser.
field() {
  local value
  value=$(grep -oE "\"$1\":(\"[^\"]*\"|-?[0-9]+)" <<<"$body" | head -1) || fail "the answer has no $1"
  value=${value#*:}
  echo "${value//\"/}"
}
# header NAME: its value, empty when there is none. The name in lower case.
header() { tr -d '\r' <"$headers" | awk -v name="$1:" 'tolower($1) == name { print $2 }'; }
# created: the id of what was made, from the Location header.
created() { basename "$(header location)"; }

tell 'A program: 20 percent for the referrer, 10 USD of credit for the referee, both on hold for two weeks'
post "program-$run" /v1/programs <<JSON
{
  "name": "Friends of Acme", "currency": "USD", "landing_url": "https://www.acme.example/welcome",
  "rules": {
    "qualification": {"minimum_amount": 2000},
    "rewards": [
      {"key": "referrer_share", "triggers": ["purchase"], "beneficiary": "referrer", "kind": "money",
       "amount": {"type": "basis_points", "value": 2000}, "hold_seconds": 1209600},
      {"key": "welcome_credit", "triggers": ["qualified"], "beneficiary": "referee", "kind": "credit",
       "amount": {"type": "fixed", "value": 1000}, "hold_seconds": 1209600}
    ]
  }
}
JSON
expect 201 '"state":"draft"'
program=$(created)
request POST "/v1/programs/$program/activate" -H "Idempotency-Key: activate-$run"
expect 200 '"state":"active"'

tell 'Alice, by her identifier in your system, and her code'
request PUT "/v1/participants/by-external-id?external_id=$alice" -H 'Content-Type: application/json' -d '{"display_name": "Alice"}'
expect 201
alice_id=$(created)
post "code-$run" /v1/codes <<JSON
{"program_id": "$program", "participant_external_id": "$alice"}
JSON
expect 201 '"effective_state":"active"'
code=$(field value)
link=$(field link)

tell 'Bob follows the link in his browser; your landing page keeps gv_click until he signs up'
firefox='Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
landing=$(curl -sS -o /dev/null -w '%{redirect_url}' -A "$firefox" "$link")
printf '\nGET %s\n-> %s\n' "$link" "$landing"
[[ $landing == https://www.acme.example/welcome?gv_click=* ]] || fail 'the link does not lead to the landing page with a click'
click=${landing#*gv_click=}

tell 'Bob signs up: who gets him, and why'
post "signup-$run" /v1/signups <<JSON
{"program_id": "$program", "referee_external_id": "$bob", "external_id": "signup-$run", "click_ids": ["$click"]}
JSON
expect 201 '"attributed":true' '"reason":"ATTRIBUTED_LAST_TOUCH"'
referral=$(field referral_id)

tell 'Bob buys for 99.99 USD: 20.00 USD for Alice, 10.00 USD of credit for Bob'
buy() {
  post "order-$run" /v1/conversions <<JSON
{"program_id": "$program", "referee_external_id": "$bob", "source": "shop", "external_id": "order-$run", "type": "purchase",
 "amount": 9999, "currency": "USD"}
JSON
}
buy
expect 201 '"reason":"COUNTED"' '"granted":2000' '"granted":1000'
conversion=$(created)

tell 'The same again, as after a lost answer: the same answer, and nothing happens twice'
buy
expect 201 "$conversion"
[ "$(header idempotent-replayed)" = true ] || fail 'this is not the first answer'

tell "Alice's share is on hold; two weeks later, by the clock of the test workspace, it is hers"
get "/v1/rewards?participant_id=$alice_id"
expect 200 '"state":"pending"' '"net":2000'
reward=$(field id)
end_of_hold=$(field available_at)
post "clock-$run" /v1/test-clock <<JSON
{"now": "$end_of_hold"}
JSON
expect 200
get "/v1/rewards/$reward"
expect 200 '"state":"available"' '"net":2000'

tell 'A third of the purchase is refunded, and a third of the share goes with it'
refund() { # KEY AMOUNT
  post "$1" "/v1/conversions/$conversion/reversals" <<JSON
{"external_id": "$1", "kind": "refund", "amount": $2, "currency": "USD"}
JSON
}
refund "refund-$run" 3333
expect 201 '"net_amount":6666' '"reversed":667' '"net":1333'
get "/v1/participants/$alice_id/balances"
expect 200 '"available":1333' '"pending":0'

tell 'Why does Bob belong to Alice, why 13.33 USD, and do the books balance?'
get "/v1/referrals/$referral/explanation"
expect 200 "$click" '"reason":"ATTRIBUTED_LAST_TOUCH"'
get "/v1/rewards/$reward/explanation"
expect 200 '"reason":"GRANTED"' '"reason":"REVERSED_REFUND"'
get /v1/ledger/trial-balance
expect 200 '"balanced":true'

tell 'Refusals that are answers: a signup is never blocked by its referral'
type_code() { # KEY REFEREE CODE
  post "$1" /v1/signups <<JSON
{"program_id": "$program", "referee_external_id": "$2", "external_id": "$1", "code": "$3"}
JSON
}
type_code "self-$run" "$alice" "$code"
expect 201 '"attributed":false' '"reason":"SELF_REFERRAL"'
type_code "unknown-$run" "carol-$run" 'NO SUCH CODE'
expect 201 '"attributed":false' '"reason":"CODE_NOT_FOUND"'
type_code "second-$run" "$bob" "$code"
expect 200 '"attributed":false' '"reason":"ALREADY_ATTRIBUTED"' "$referral"

tell 'Refusals that are problems: the code says which'
refund "too-much-$run" 6667
expect 422 '"code":"reversal_exceeds_conversion"'
refund "refund-$run" 1
expect 422 '"code":"idempotency_key_reuse"'
GRAPEVINE_API_KEY=${GRAPEVINE_API_KEY}x get /v1/ledger/trial-balance
expect 401 '"code":"unauthenticated"'

tell 'All as told.'
