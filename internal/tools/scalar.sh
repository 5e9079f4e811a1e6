#!/usr/bin/env bash
# Fetches the viewer of /docs from its npm package and keeps it compressed beside its version and checksum. Without a version: the one
# that scalar.sum names, which must then have the same checksum.
set -euo pipefail
cd "$(dirname "$0")/../server/docs"
read -r known package <scalar.sum
version=${1:-${package##*@}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm pack --silent --pack-destination "$work" "@scalar/api-reference@$version" >/dev/null
tar -xzf "$work"/*.tgz -C "$work" package/dist/browser/standalone.js
script=$work/package/dist/browser/standalone.js
read -r checksum _ < <(sha256sum "$script")
if [ "$version" = "${package##*@}" ] && [ "$checksum" != "$known" ]; then
  printf 'scalar: the checksum of %s is %s, scalar.sum says %s\n' "$version" "$checksum" "$known" >&2
  exit 1
fi
gzip -9nc "$script" >scalar.js.gz
printf '%s  @scalar/api-reference@%s\n' "$checksum" "$version" >scalar.sum
printf 'scalar: %s, %d bytes compressed\n' "$version" "$(wc -c <scalar.js.gz)"
