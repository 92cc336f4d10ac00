#!/usr/bin/env bash
# Builds the pinned tools of .ci/tools/go.mod into .ci/bin. Go's build cache makes a second call cheap,
# and a newer Go rebuilds them, which golangci-lint demands.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# For this machine, whatever the caller cross-compiles for; none of them needs C.
GOOS='' GOARCH='' CGO_ENABLED=0 GOFLAGS='-buildvcs=false' go build -C tools -o ../bin/ tool
