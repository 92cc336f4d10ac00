#!/usr/bin/env bash
# Installs the newman that .ci/newman/package-lock.json pins, which runs docs/examples/collection.json in a
# test. Nothing is done where that one is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/newman"
# npm writes this file last, so it tells a whole installation.
if [ node_modules/.package-lock.json -nt package-lock.json ]; then
  exit 0
fi
# No script of a package runs: newman needs none.
npm ci --ignore-scripts --no-audit --no-fund
