#!/usr/bin/env bash
# Everything that must hold before a commit: what the tests need, format, vet, lint, race tests.
# Asks nothing and reads no input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

say() { printf '\n== %s\n' "$*"; }

# Tests that build the programs must not fail because the checkout belongs to another user.
export GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"
# SQLite and the race detector are C.
export CGO_ENABLED=1

say 'what the tests need'
.ci/need.sh
.ci/newman.sh

say 'format'
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
  printf 'Not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
  exit 1
fi

say 'vet'
go vet ./...

say 'lint'
.ci/lint.sh

say 'tests'
.ci/bin/gotestsum --format pkgname-and-test-fails -- -race -timeout 30m ./...
