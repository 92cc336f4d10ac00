#!/usr/bin/env bash
# Measures the device path as docs/performance.md tells it: satellite and fleet
# are two processes on this machine, over TLS on loopback. Prints Markdown.
#   docs/measure.sh [devices known ...]     (default: 1000 100000)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
known=("$@")
[ ${#known[@]} -gt 0 ] || known=(1000 100000)
work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
go build -o "$work/" ./cmd/...

limits() {
  echo '| limit, one core | per second |'
  echo '|---|---|'
  go test ./certs -run '^$' -bench 'SignP256|VerifyP256|IssueDevice|Handshake' -benchtime 1s |
    awk '/^Benchmark/ { sub(/^Benchmark/, "", $1); sub(/-[0-9]+$/, "", $1); printf "| %s | %d |\n", $1, 1e9 / $3 }'
  go test ./satellite/store -run '^$' -bench 'Update' -benchtime 1s |
    awk '/^Benchmark/ { sub(/^Benchmark/, "", $1); sub(/-[0-9]+$/, "", $1); printf "| durable %s | %d |\n", $1, 1e9 / $3 }'
}

# start DIR: a satellite whose account is registered; its device URL is in DIR/url.
start() {
  local dir=$1 bin=$work
  mkdir -p "$dir"
  "$bin/satellite" serve --data "$dir/sat" --listen 127.0.0.1:0 --ready-file "$dir/ready" >"$dir/log" 2>&1 &
  server=$!
  until [ -s "$dir/ready" ]; do sleep 0.05; done
  {
    "$bin/ssm" --data "$dir/up" account create --name A --email a@a.example
    "$bin/ssm" --data "$dir/up" license add --account A --virtual-account Satellite --tag T --name T --quantity 100000000
    "$bin/ssm" --data "$dir/up" root --out "$dir/root.pem"
    "$bin/satellite" --data "$dir/sat" account create --name A --email a@a.example
    "$bin/satellite" --data "$dir/sat" upstream trust "$dir/root.pem"
    "$bin/satellite" --data "$dir/sat" sync request --out "$dir/r.ssmreq"
    "$bin/ssm" --data "$dir/up" sync answer "$dir/r.ssmreq" --out "$dir/r.ssmres"
    "$bin/satellite" --data "$dir/sat" sync apply "$dir/r.ssmres"
    "$bin/satellite" --data "$dir/sat" token create --accept-agreement >"$dir/token"
  } >>"$dir/log" 2>&1
  sed 's/.*"device_url":"\([^"]*\)".*/\1/' "$dir/ready" >"$dir/url"
}

fleet() { # DIR OP DEVICES CONCURRENCY DURATION
  "$work/smartagent" fleet --url "$(cat "$1/url")" --ca "$1/sat/ca.pem" --token "$(cat "$1/token")" --tag T \
    --op "$2" --devices "$3" --concurrency "$4" --duration "$5" --json 2>/dev/null
}

cpu() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

value() { sed -n 's/^ *"'"$1"'": \([0-9.]*\),\{0,1\}$/\1/p'; }

nproc | sed 's/^/Cores: /'
echo
limits
for count in "${known[@]}"; do
  dir=$work/$count
  start "$dir"
  fleet "$dir" register "$count" 64 1h >/dev/null
  echo
  echo "| $count devices known | concurrent | per second | p50 ms | p99 ms | server CPU ms each | errors |"
  echo '|---|---|---|---|---|---|---|'
  for op in register authorize; do
    for concurrency in 1 16 64; do
      devices=500
      [ $op = authorize ] || devices=20000
      before=$(cpu)
      result=$(fleet "$dir" $op $devices $concurrency 8s)
      spent=$(($(cpu) - before))
      awk -v op=$op -v c=$concurrency -v spent=$spent -v n="$(value operations <<<"$result")" -v setup=$([ $op = authorize ] && echo $devices || echo 0) \
        -v rate="$(value rate_per_second <<<"$result")" -v p50="$(value p50_ms <<<"$result")" -v p99="$(value p99_ms <<<"$result")" -v errors="$(value errors <<<"$result")" \
        'BEGIN { printf "| %s | %d | %d | %.1f | %.1f | %.2f | %d |\n", op, c, rate, p50, p99, spent * 10 / (n + setup), errors }'
    done
  done
  echo
  awk '/VmRSS|VmHWM/ { printf "%s %d MB  ", $1, $2 / 1024 } END { print "" }' "/proc/$server/status"
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
  "$work/satellite" --data "$dir/sat" audit verify | tail -1
done
