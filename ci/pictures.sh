#!/usr/bin/env bash
# Draws the pictures of README.md and docs/benchmarks.md from what programs really print: a build, a
# check of a torrc, the first page of `arm`; and what was measured, from docs/pictures/*.tsv. The
# image is in dist/ already. Needs tmux, Docker and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/archive.sh

place=$(mktemp -d)
. ci/terminal.sh
name=relaysmith-picture-$$
finish() {
    close
    docker rm --force "$name" >/dev/null 2>&1 || true
    rm -rf "$place" example
}
[[ ! -e example ]] || { echo "error: example/ is there already; it is made and removed here" >&2; exit 1; }
trap finish EXIT
cargo build --quiet --locked --package xtask

# picture FILE TITLE: what is on the screen, without the empty lines at its end.
picture() {
    sleep 0.5
    screen_in_colour | sed -e '/^ended with/d' -e :a -e '/^\n*$/{$d;N;ba' -e '}' |
        python3 ci/picture.py "$2" >"docs/pictures/$1.svg"
    echo "docs/pictures/$1.svg"
}

window 140 50 xterm-256color "printf '$ cargo xtask build-image\n'; target/debug/xtask build-image"
shows '^time'
picture build 'cargo xtask build-image, once everything is built'

mkdir example
cat >example/torrc <<'END'
Nickname myrelay
ContactInfo Ada <ada@example.org> #1
ORPort 443 NoListen
ORPort 9001 NoAdvertise
BandwidthRate 10
Log notice file /var/log/tor/notices.log
END
window 120 60 xterm-256color "printf '$ cargo xtask check-torrc example/torrc\n'; target/debug/xtask check-torrc example/torrc"
shows '^ended with'
picture check-torrc 'cargo xtask check-torrc'

# A relay that reaches nobody.
target/debug/xtask --quiet torrc middle --nickname myrelay --contact-email tor@example.org \
    --address 203.0.113.1 --out "$place/config/torrc" 2>/dev/null
chmod 755 "$place" "$place/config"
docker run --detach --name "$name" --network none --read-only --cap-drop ALL \
    --mount "type=bind,source=$place/config,target=/usr/local/etc/tor,readonly" \
    --tmpfs /tordata:rw,uid=45553,gid=45553,mode=700 "$(load arm)" >/dev/null
for _ in {1..60}; do
    [[ $(docker exec "$name" relay-health) != starting:* ]] || break
    sleep 0.5
done
window 100 30 xterm-256color "docker exec --interactive --tty --env TERM=xterm-256color $name arm"
shows 'page 1 / 5'
picture arm 'arm, its first page'

for table in docs/pictures/*.tsv; do
    python3 ci/spread.py "$table" >"${table%.tsv}.svg"
    echo "${table%.tsv}.svg"
done
