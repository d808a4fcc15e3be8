#!/usr/bin/env bash
# Runs what `cargo xtask compose --notice` puts beside an exit, with Debian's busybox in an image that
# is made here, and reads the page as people would. Skips, aloud, where there is no container engine
# or package.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/compose.sh "the notice of an exit was not served"

place=$(mktemp -d)
chmod 755 "$place"
made=relaysmith-busybox:$$
compose() { "${compose[@]}" --project-name "notice$$" --file "$place/compose.yaml" "$@"; }
finish() {
    compose down >/dev/null 2>&1 || true
    docker image rm "$made" >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap finish EXIT

mkdir -p "$place/debian" "$place/root/bin" "$place/root/www"
(cd "$place/debian" && apt-get download -q busybox-static >/dev/null 2>&1) ||
    skip "apt has no package busybox-static"
dpkg --extract "$place"/debian/busybox-static_*.deb "$place/debian"
cp "$(find "$place/debian" -name busybox -path "*bin*" -type f | head -n 1)" "$place/root/bin/busybox"
tar --create --directory "$place/root" . | docker import --change 'ENV PATH=/bin' - "$made" >/dev/null

cargo build --quiet --locked --package xtask
xtask() { target/debug/xtask --quiet "$@" 2>/dev/null; }
xtask torrc exit --nickname "notice$$" --contact-email tor@example.org \
    --out "$place/config/torrc" --notice-out "$place/notice.html"
xtask compose "$place/config/torrc" --image "sha256:$(printf '%064d' 0)" \
    --notice "$place/notice.html" --notice-image "$made" --out "$place/compose.yaml"
# Port 80 may be somebody's.
port=$((20000 + $$ % 10000))
sed -i "s/\"80:8080\"/\"127.0.0.1:$port:8080\"/" "$place/compose.yaml"
compose up --detach notice
for _ in {1..40}; do
    if curl --silent --fail "http://127.0.0.1:$port/" >"$place/got"; then break; fi
    sleep 0.25
done
cmp "$place/notice.html" "$place/got"
grep --quiet 'example' "$place/got"
echo "the notice is served: $(wc -c <"$place/got") bytes"
