#!/usr/bin/env bash
# Runs the linters of .golangci.yml over the module, or over the packages that are named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.ci/tools.sh
# Two checkouts may be linted at once on one build server.
exec .ci/bin/golangci-lint run --allow-parallel-runners --timeout 15m "$@"
