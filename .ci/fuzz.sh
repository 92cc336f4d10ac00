#!/usr/bin/env bash
# Runs every fuzz target of the module for a while: fuzz.sh [DURATION], 10s by default.
# Go fuzzes one target per call, so they are listed first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
duration=${1:-10s}

# go test -list prints the names of a package, then "ok", the package and the time.
listed=$(go test -list '^Fuzz' ./...)
targets=$(awk '/^Fuzz/ { names[++n] = $1 } $1 == "ok" { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }' <<<"$listed")
if [ -z "$targets" ]; then
  echo 'There is no fuzz target.' >&2
  exit 1
fi
while read -r package name; do
  echo "== $package $name"
  go test -run '^$' -fuzz "^$name\$" -fuzzminimizetime 10x -fuzztime "$duration" "$package" </dev/null
done <<<"$targets"
