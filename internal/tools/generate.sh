#!/usr/bin/env bash
# Makes all of gen/ from openapi/ and sql/, byte for byte the same every time. The new tree is made aside and takes the old one's
# place only when it is complete.
set -euo pipefail
cd "$(dirname "$0")/../.."
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true LC_ALL=C
node_bin=$PWD/internal/tools/node_modules/.bin
stage=$(mktemp -d "$PWD/.generate.XXXXXX")
trap 'rm -rf "$stage"' EXIT

# Says what it does; shows what the tool said only when it failed.
step() {
  local name=$1
  shift
  printf '  %s\n' "$name"
  if ! "$@" >"$stage/log" 2>&1; then
    cat "$stage/log" >&2
    printf 'generate: %s failed: %s\n' "$name" "$*" >&2
    exit 1
  fi
}

bundle() {
  "$node_bin/redocly" bundle openapi/openapi.yaml --config openapi/redocly.yaml \
    --component-renaming-conflicts-severity error -o "$1"
}

queries() {
  # sqlc writes beside its configuration, so it gets a copy in the new tree.
  cp sqlc.yaml "$stage/sqlc.yaml"
  ln -s "$PWD/sql" "$stage/sql"
  # Without cgo sqlc needs no C compiler and builds faster; the output is the same.
  CGO_ENABLED=0 go tool -modfile=internal/tools/go.mod sqlc generate -f "$stage/sqlc.yaml"
}

server() {
  go tool -modfile=internal/tools/go.mod oapi-codegen -config openapi/codegen/server.yaml -o "$gen/api/api.gen.go" "$gen/openapi.yaml"
}

go_client() {
  cp openapi/sdk/go/* LICENSE "$gen/client/"
  go tool -modfile=internal/tools/go.mod oapi-codegen -config openapi/codegen/client.yaml -o "$gen/client/client.gen.go" "$gen/openapi.yaml"
}

typescript_client() {
  cp openapi/sdk/typescript/{package.json,tsconfig.json} LICENSE "$gen/typescript/"
  cp openapi/sdk/typescript/src/*.ts "$gen/typescript/src/"
  GRAPEVINE_CONTRACT="$gen/openapi.yaml" GRAPEVINE_TYPESCRIPT_OUT="$gen/typescript/src/generated" \
    "$node_bin/openapi-ts" -f openapi/codegen/typescript.mjs
}

gen=$stage/gen
mkdir -p "$gen"/{api,client,typescript/src}
step 'contract, YAML' bundle "$gen/openapi.yaml"
step 'contract, JSON' bundle "$gen/openapi.json"
step 'contract, Go package' cp openapi/codegen/spec.go.txt "$gen/spec.go"
step 'server' server
step 'Go client' go_client
step 'TypeScript client' typescript_client
step 'queries' queries
chmod -R u=rwX,go=rX "$gen"

rm -rf gen
mv "$gen" gen
