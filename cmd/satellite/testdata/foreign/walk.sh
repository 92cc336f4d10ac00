# walk.sh ACCOUNT SERIAL LICENSE QUANTITY: lists what an account has, creates and revokes a token, and transfers a
# device and licenses from Default to Lab. Ends with an error where something is not so when it is read back.
set -euo pipefail
. ./satellite.sh
serial=$2 license=$3 quantity=$4
account=/api/v1/accounts/$(escape "$1")
default=$account/virtual-accounts/Default lab=$account/virtual-accounts/Lab

# holds FILTER [options of jq]: the answer is a success, and what the filter says.
holds() { jq -e "${@:2}" ".status == \"SUCCESS\" and ($1)" <<<"$answer" >/dev/null || wrong "$1 in $answer"; }
wrong() { echo "not so: $1" >&2; exit 1; }
quantities() { api "$account/licenses" --data '{"limit": -1}' | jq -c --arg license "$license" '[.licenses[] | select(.license == $license) | {(.virtualAccount): .quantity}] | add'; }

answer=$(api /services/api/smart-accounts-and-licensing/v2/accounts)
holds 'any(.accounts[]; .accountName == $name)' --arg name "$1"
answer=$(api /backend/api/v1/upstream_satellites/accounts --data null)
holds 'any(.accounts[]; .name == $name)' --arg name "$1"
answer=$(api "$account/virtual-accounts")
holds '[.virtualAccounts[].name] == ["Default", "Lab"]'
before=$(quantities)
answer=$(api "$default/devices?limit=-1")
holds '.totalRecords == 2 and any(.devices[]; .sudi.udiSerialNumber == $serial)' --arg serial "$serial"
device=$(jq -c --arg serial "$serial" '.devices[] | select(.sudi.udiSerialNumber == $serial) | {sudi, productTagName, targetVirtualAccount: "Lab"}' <<<"$answer")

answer=$(api "$default/tokens" --data '{"description": "Created with curl", "expiresAfterDays": 30, "exportControlled": "Not Allowed"}')
token=$(jq -er .tokenInfo.token <<<"$answer")
answer=$(api "$default/tokens")
holds 'any(.tokens[]; .token == $token)' --arg token "$token"
answer=$(api "$default/tokens/revoke" --data "{\"tokens\": [\"$token\"]}")
holds true
answer=$(api "$default/tokens")
holds 'all(.tokens[]; .token != $token)' --arg token "$token"

answer=$(api "$default/devices/transfer" --data "{\"productInstances\": [$device]}")
holds true
answer=$(api "$lab/devices")
holds '[.devices[].sudi.udiSerialNumber] == [$serial]' --arg serial "$serial"
answer=$(api "$default/licenses/transfer" --data "{\"licenses\": [{\"license\": \"$license\", \"licenseType\": \"PERPETUAL\", \"quantity\": $quantity, \"targetVirtualAccount\": \"Lab\"}]}")
holds true
answer=$(quantities)
jq -e --argjson before "$before" --argjson quantity "$quantity" \
  '.Default == $before.Default - $quantity and .Lab == ($before.Lab // 0) + $quantity' <<<"$answer" >/dev/null || wrong "$before became $answer"
echo walked to the end
