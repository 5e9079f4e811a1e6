#!/usr/bin/env bash
# Runs every example against a live server of its own: fresh PostgreSQL, fresh workspace, a free port. An example gets GRAPEVINE_URL and
# GRAPEVINE_API_KEY (secret, of the test workspace).
set -uo pipefail
cd "$(dirname "$0")/../.."
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
node_bin=$PWD/internal/tools/node_modules/.bin
# The account that PostgreSQL runs as must be able to enter.
work=$(mktemp -d)
chmod 711 "$work"
server=
cleanup() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server"
  rm -rf "$work"
}
trap cleanup EXIT

give_up() {
  printf 'examples: %s; the server said:\n' "$1" >&2
  tail -20 "$work/server.log" >&2
  exit 1
}

port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
operator=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export GRAPEVINE_URL=http://127.0.0.1:$port
env -u DATABASE_URL GRAPEVINE_DATA_DIR="$work/data" GRAPEVINE_LISTEN="127.0.0.1:$port" GRAPEVINE_OPERATOR_TOKEN="$operator" \
  bin/grapevine serve >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 300); do
  curl -fs "$GRAPEVINE_URL/readyz" >/dev/null && break
  kill -0 "$server" 2>/dev/null || give_up 'the server ended'
  sleep 0.2
done
pair=$(curl -fsS "$GRAPEVINE_URL/v1/workspaces" -H "Authorization: Bearer $operator" -H 'Idempotency-Key: examples' \
  -H 'Content-Type: application/json' -d '{"name": "Examples"}') || give_up 'no workspace was made'
GRAPEVINE_API_KEY=$(node -p 'JSON.parse(process.argv[1]).test_key' "$pair")
export GRAPEVINE_API_KEY

worked_example() {
  "$node_bin/redocly" respect examples/worked-example.arazzo.yaml --server "grapevine=$GRAPEVINE_URL" \
    --input "api_key=$GRAPEVINE_API_KEY,landing_url=http://localhost:$port/livez"
}

ts_quickstart() (
  cd examples/ts-quickstart && npm ci --ignore-scripts --loglevel=error && npm start --silent
)

failed=0
example() {
  local name=$1 start=$SECONDS
  printf '\n## %s\n' "$name"
  shift
  if "$@"; then
    printf '## ok after %d s: %s\n' $((SECONDS - start)) "$name"
  else
    printf '## FAILED: %s\n' "$name" >&2
    failed=1
  fi
}
example 'the worked example (Arazzo)' worked_example
example 'the worked example (grapevine example)' bin/grapevine example
example 'Go quickstart' go -C examples/go-quickstart run .
example 'TypeScript quickstart' ts_quickstart
example 'curl' bash examples/curl/run.sh
example 'the rendered contract in a browser' node internal/tools/docs-browser.mjs "$GRAPEVINE_URL"
[ $failed -eq 0 ] || give_up 'an example failed'
