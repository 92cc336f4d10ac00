#!/usr/bin/env bash
# Measures as docs/performance.md tells it: satellite and load generators are
# processes on this machine, over TLS on loopback. Prints Markdown.
#   docs/measure.sh [devices known ...]     the device path (default: 1000 100000)
#   docs/measure.sh api [devices known]     the API beside it (default: 100000); ROUNDS=5 ROUND=8s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
server=
finish() {
  jobs -p | xargs -r kill 2>/dev/null || true
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

# stop ends the satellite, whose books must balance.
stop() {
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
  "$work/satellite" --data "$1/sat" audit verify | tail -1
}

memory() { awk '/VmRSS|VmHWM/ { printf "%s %d MB  ", $1, $2 / 1024 } END { print "" }' "/proc/$server/status"; }

devices() { # DEVICES KNOWN ...
  limits
  for count in "$@"; do
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
    memory
    stop "$dir"
  done
}

# polled DIR EVERY OUT: 64 API clients poll the licenses until their process is killed; it is $!.
polled() {
  "$work/smartagent" poll --url "$(cat "$1/url")" --ca "$1/sat/ca.pem" --clients "$1/clients" --path /api/v1/accounts/A/licenses \
    --body '{"limit":-1}' --every "$2" --duration 1h --json >"$3" &
}

# beside DIR: devices ask at 64 connections, with each way of polling in turn.
beside() {
  local dir=$1 rounds=${ROUNDS:-5} n=0 mode poll every
  for _ in $(seq 64); do
    "$work/satellite" --data "$dir/sat" --json api-client create --name "Poller $((++n))" --role system-admin >>"$dir/clients" 2>>"$dir/log"
  done
  for _ in $(seq "$rounds"); do
    for mode in alone once-a-second unpaused; do
      poll=
      if [ $mode != alone ]; then
        every=1s
        [ $mode = once-a-second ] || every=0
        polled "$dir" $every "$dir/poll.$mode"
        poll=$!
        sleep 1
      fi
      result=$(fleet "$dir" authorize 500 64 "${ROUND:-8s}")
      echo "$(value rate_per_second <<<"$result") $(value p99_ms <<<"$result") $(value errors <<<"$result")" >>"$dir/devices.$mode"
      if [ -n "$poll" ]; then
        kill "$poll"
        wait "$poll" || true
        echo "$(value rate_per_second <"$dir/poll.$mode") $(value p99_ms <"$dir/poll.$mode")" >>"$dir/polls.$mode"
      fi
    done
  done
  echo "| 64 API clients poll | authorizations per second | of those alone | p99 ms | errors | answers to them per second | p99 ms |"
  echo '|---|---|---|---|---|---|---|'
  for mode in alone once-a-second unpaused; do
    # The ratio is that of the same round: the machine differs more between rounds.
    ratio=$(paste "$dir/devices.alone" "$dir/devices.$mode" | awk '{ print $4 / $1 }' | median 1)
    errors=$(awk '{ sum += $3 } END { print sum }' "$dir/devices.$mode")
    answers='| |'
    [ $mode = alone ] || answers="$(printf '%.0f | %.1f' "$(median 1 <"$dir/polls.$mode")" "$(median 2 <"$dir/polls.$mode")") |"
    printf '| %s | %.0f | %.2f | %.1f | %d | %s\n' "$mode" "$(median 1 <"$dir/devices.$mode")" "$ratio" "$(median 2 <"$dir/devices.$mode")" "$errors" "$answers"
  done
}

median() { awk -v column="$1" '{ print $column }' | sort -n | awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }

# lists DIR: the list of all devices, with the highest memory of the satellite meanwhile.
lists() {
  local dir=$1 base token limit times
  base=$(sed 's|^\(https://[^/]*\).*|\1|' "$dir/url")
  token=$(jq -s '.[0] | {grant_type: "client_credentials", client_id, client_secret}' "$dir/clients" |
    curl -sS --cacert "$dir/sat/ca.pem" -H 'Content-Type: application/json' --data @- "$base/oauth/token" | jq -r .access_token)
  echo '| rows asked for | rows | MB | seconds | first byte s | memory before, MB | highest, MB |'
  echo '|---|---|---|---|---|---|---|'
  for limit in 1 1000 -1 -1 -1; do
    before=$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$server/status")
    echo 5 >"/proc/$server/clear_refs" # the highest mark begins anew
    times=$(curl -sS --cacert "$dir/sat/ca.pem" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' --data "{\"limit\":$limit}" \
      --output "$dir/list" --write-out '%{size_download} %{time_total} %{time_starttransfer}' "$base/api/v1/accounts/A/devices")
    # shellcheck disable=SC2086 # a list of words on purpose
    printf '| %s | %d | %.1f | %.2f | %.3f | %d | %d |\n' $limit "$(jq '.devices | length' "$dir/list")" \
      $(awk '{ print $1 / 1e6, $2, $3 }' <<<"$times") "$before" "$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$server/status")"
  done
}

api() { # DEVICES KNOWN
  dir=$work/$1
  start "$dir"
  fleet "$dir" register "$1" 64 1h >/dev/null
  echo "Devices known: $1"
  echo
  beside "$dir"
  echo
  lists "$dir"
  echo
  stop "$dir"
}

nproc | sed 's/^/Cores: /'
echo
if [ "${1:-}" = api ]; then
  api "${2:-100000}"
elif [ $# -gt 0 ]; then
  devices "$@"
else
  devices 1000 100000
fi
