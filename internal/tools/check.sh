#!/usr/bin/env bash
# The gate: every step with its name, its time and, when it fails, the command that repairs it. All steps run, so that one run shows
# everything that is wrong. Steps may be named: internal/tools/check.sh format vet
set -uo pipefail
cd "$(dirname "$0")/../.."
exec 2>&1

# name | command | how to repair
steps='
format    | make -s check-format    | make format
modules   | make -s check-modules   | go mod tidy (and copy gen/client/go.* to openapi/sdk/go when it is theirs)
vet       | make -s vet             | change what go vet names; make vet runs it alone
lint      | make -s lint-go         | change what staticcheck names; make lint-go runs it alone
contract  | make -s lint-contract   | change openapi/ as Redocly says; make lint-contract runs it alone
breaking  | make -s check-breaking  | take the breaking change back; make check-breaking runs it alone
generated | make -s check-generated | make generate && git add gen
queries   | make -s sqlc-vet        | change sql/queries as PostgreSQL says; make sqlc-vet runs it alone
sdk       | make -s sdk             | change openapi/sdk/typescript; make sdk runs it alone
tests     | make -s test            | make test
race      | make -s test-race       | make test-race
examples  | make -s examples        | make examples
'

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }
summary=() failed=0 began=$SECONDS
while IFS='|' read -r name command repair; do
  name=$(trim "$name") command=$(trim "$command") repair=$(trim "$repair")
  [ -z "$name" ] && continue
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  printf '\n=== %s: %s\n' "$name" "$command"
  start=$SECONDS
  if $command </dev/null; then verdict=ok; else verdict=FAILED; fi
  took=$((SECONDS - start))
  printf -- '--- %s: %s after %d s\n' "$name" "$verdict" "$took"
  line=$(printf '%-10s %-6s %5d s' "$name" "$verdict" "$took")
  if [ "$verdict" = FAILED ]; then
    failed=1
    printf '    repair: %s\n' "$repair"
    line+="   repair: $repair"
  fi
  summary+=("$line")
done <<<"$steps"

if [ ${#summary[@]} -eq 0 ]; then
  printf 'check: no such step: %s\n' "$*" >&2
  exit 2
fi
printf '\n=== summary, %d s\n' $((SECONDS - began))
printf '%s\n' "${summary[@]}"
exit $failed
