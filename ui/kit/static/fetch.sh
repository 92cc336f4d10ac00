#!/bin/sh
# Fetches the vendored assets again: the same pinned packages of the npm
# registry, checked by digest, unpacked beside this file with their licenses.
# Run it only to change a version or to add an icon; the result is committed.
#
#   ui/kit/static/fetch.sh            needs npm, tar and openssl
set -eu

here=$(cd "$(dirname "$0")" && pwd)
icons=$here/../icons
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# package NAME VERSION SHA512 unpacks a package into $work/package, or stops
# if the registry answers with other bytes than the ones reviewed here.
package() {
	rm -rf "$work/package"
	file=$(cd "$work" && npm pack --silent "$1@$2")
	digest=$(openssl dgst -sha512 -binary "$work/$file" | openssl base64 -A)
	if [ "$digest" != "$3" ]; then
		echo "$1@$2: sha512 is $digest, want $3; nothing of it was copied" >&2
		exit 1
	fi
	tar -xzf "$work/$file" -C "$work"
}

# keep FROM TO copies one file of the unpacked package. Source maps are not
# kept, so the comment that points a browser to one goes, too.
keep() {
	mkdir -p "$(dirname "$2")"
	sed '/sourceMappingURL=/s|/[*/][#@] *sourceMappingURL=[^ *]*\( *\*/\)\{0,1\}||' "$work/package/$1" >"$2"
}

# binary FROM TO copies one file as it is.
binary() {
	mkdir -p "$(dirname "$2")"
	cp "$work/package/$1" "$2"
}

package @tabler/core 1.6.1 'lgmR9gcxRp5JlLxcmRi9Rz85JrEvH6Bz71KnlcPVSa97wtwQNjgSs3g3fxwbAlulHyRMghhIV04QUuW3pqDsIg=='
keep dist/css/tabler.min.css "$here/tabler/tabler.min.css"
# This package ships no license file: tabler/LICENSE.txt is the MIT text of its
# repository with the years and holders that stand at the top of the CSS.

package htmx.org 2.0.11 'Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA=='
keep dist/htmx.min.js "$here/htmx/htmx.min.js"
keep LICENSE "$here/htmx/LICENSE.txt"

package swagger-ui-dist 5.35.0 'U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ=='
keep swagger-ui-bundle.js "$here/swagger-ui/swagger-ui-bundle.js"
keep swagger-ui.css "$here/swagger-ui/swagger-ui.css"
keep LICENSE "$here/swagger-ui/LICENSE.txt"
keep NOTICE "$here/swagger-ui/NOTICE.txt"
# The licenses of what the bundle holds, under the name that it says itself.
keep swagger-ui-bundle.js.LICENSE.txt "$here/swagger-ui/swagger-ui-bundle.js.LICENSE.txt"

package @fontsource-variable/inter 5.3.0 'OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA=='
binary files/inter-latin-wght-normal.woff2 "$here/inter/inter-latin.woff2"
keep LICENSE "$here/inter/LICENSE.txt"

package @tabler/icons 3.51.0 '0pinvPZz7YeX+OSfxuEAbnEPWbocVXW5iU8h5lh41pYG8sZuQfpWECC980lxOT0clGIcNGn8xsBr+zKaRGdA/g=='
rm -f "$icons"/*.svg
for name in \
	adjustments-horizontal alert-triangle api arrow-down arrow-left arrow-right \
	arrow-up arrow-up-right arrows-exchange arrows-sort bell bookmark building certificate check chevron-down \
	chevron-left chevron-right circle-check circle-minus \
	clipboard-data clock clock-check columns-3 copy dots-vertical download \
	external-link file file-export file-spreadsheet file-zip filter \
	heartbeat help-circle history info-circle key language \
	layout-dashboard lifebuoy list-search lock logout menu-2 moon \
	network pencil plus printer qrcode refresh router \
	satellite search selector server-2 settings shield-lock stack-2 sun \
	trash upload user users x
do
	binary "icons/outline/$name.svg" "$icons/$name.svg"
done
keep LICENSE "$icons/LICENSE.txt"
