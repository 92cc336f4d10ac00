#!/usr/bin/env bash
# Sees to it that the tests find what they need: as root on Debian it installs what is missing,
# otherwise it says exactly what to install and fails.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1; }
# The header shows that the C library's development files came with the compiler.
has_c() { has gcc && echo '#include <stdlib.h>' | gcc -E -x c - >/dev/null 2>&1; }
# The console is photographed in Japanese, too.
has_japanese_font() { has fc-list && [ -n "$(fc-list :lang=ja family)" ]; }

# The packages still missing, in one line.
missing() {
  local packages=()
  has_c || packages+=(gcc libc6-dev)
  has openssl || packages+=(openssl)
  has chromium || packages+=(chromium)
  has node || packages+=(nodejs)
  has npm || packages+=(npm)
  has ansible-playbook || packages+=(ansible-core)
  has curl || packages+=(curl)
  has jq || packages+=(jq)
  has_japanese_font || packages+=(fontconfig fonts-noto-cjk)
  echo "${packages[*]}"
}

if ! has go; then
  echo 'The tests need Go 1.26 or later on the PATH: https://go.dev/dl' >&2
  exit 1
fi

packages=$(missing)
if [ -z "$packages" ]; then
  echo 'all there: go, gcc, openssl, chromium, node, npm, ansible, curl, jq, a Japanese font'
  exit 0
fi

if [ "$(id -u)" != 0 ] || ! has apt-get; then
  cat >&2 <<TEXT
The tests need what is missing here. Nothing was run. Install it, then start again; on Debian:
  sudo apt-get update && sudo apt-get install -y $packages
Elsewhere: a C compiler (gcc) for SQLite and the race detector, the openssl command,
Chromium as the command "chromium", Node.js with npm, ansible-core, curl, jq, fontconfig and a font that has Japanese.
TEXT
  exit 1
fi

echo "installing: $packages"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086 # a list of words on purpose
apt-get -q install -y --no-install-recommends $packages

packages=$(missing)
if [ -n "$packages" ]; then
  echo "apt-get ended well, yet this is still missing: $packages" >&2
  exit 1
fi
