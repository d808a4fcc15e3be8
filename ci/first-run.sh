#!/usr/bin/env bash
# Starts the image as people first do: without a torrc, on a volume of somebody else, on one
# that is read-only, on a port that is taken. Each time it has to say whose it is, where, and
# what mends it. The image is in dist/ already. Skips, aloud, where there is no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so nothing was started for the first time"
    exit 0
fi

as_root=()
((EUID == 0)) || as_root=(sudo)
place=$(mktemp -d)
first=tor-first$$
finish() {
    docker rm --force "$first" >/dev/null 2>&1 || true
    "${as_root[@]}" rm -rf "$place"
}
trap finish EXIT

archive=$(find dist -maxdepth 1 -name 'tor-*.tar' | sort | head -n 1)
image=$(docker load --quiet --input "$archive" | sed -n 's/^Loaded image: //p')
mkdir -m 755 "$place/config" "$place/data"
chmod 755 "$place"
cargo xtask --quiet torrc middle --nickname first --contact-email tor@example.org \
    --address 203.0.113.1 --out "$place/config/torrc" 2>/dev/null
config=type=bind,source=$place/config,target=/usr/local/etc/tor,readonly
data=type=bind,source=$place/data,target=/tordata

start() {
    docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges "$@"
}
# What it says, when it does not start.
refuses() {
    local what=$1 code=0
    shift
    said=$(start "$@" 2>&1) || code=$?
    if [[ $code != 1 ]]; then
        echo "error: $what: expected code 1, got $code and: $said" >&2
        exit 1
    fi
}
says() {
    if ! grep --quiet --fixed-strings -- "$1" <<<"$said"; then
        printf 'error: expected `%s`, got:\n%s\n' "$1" "$said" >&2
        exit 1
    fi
}

refuses "no torrc" --network none "$image"
says "error: there is no torrc: /usr/local/etc/tor/torrc does not exist"
says "hint: write one with \`cargo xtask torrc middle"
echo "no torrc: ${said%%$'\n'*}"

"${as_root[@]}" chown 0:0 "$place/data"
refuses "a volume of somebody else" --network none --mount "$config" --mount "$data" "$image"
says "error: /tordata belongs to user 0, but tor runs as user 45553"
says "hint: on the host: \`sudo chown -R 45553:45553 "
echo "a volume of somebody else: $said"
# As it says; the path is that of the file system the directory is on.
mend=$(sed -n 's/^hint: on the host: `sudo \(chown -R 45553:45553 [^`]*\)`.*/\1/p' <<<"$said")
[[ $mend == *"${place##*/}/data" || $mend == *DIR ]]
"${as_root[@]}" chown -R 45553:45553 "$place/data"

refuses "a read-only volume" --network none --mount "$config" --mount "$data,readonly" "$image"
says "error: /tordata is mounted read-only; tor keeps its keys and state there"
says "hint: mount it without \`:ro\` or \`readonly\`"
echo "a read-only volume: ${said%%$'\n'*}"

# Mended, it starts, and tor is what runs: process 1, under its own name. Nobody is reached.
docker run --detach --name "$first" --read-only --cap-drop ALL --security-opt no-new-privileges \
    --network none --mount "$config" --mount "$data" "$image" >/dev/null
for _ in {1..60}; do
    health=$(docker exec "$first" relay-health) || true
    [[ $health != "starting: bootstrapped"* ]] || break
    sleep 0.5
done
[[ $health == "starting: bootstrapped 0%"* ]] || { echo "error: health: $health" >&2; exit 1; }
echo "health, asked by hand: $health"
[[ $(docker top "$first" -eo pid,comm | tail -n 1) == *" tor" ]]
[[ $(docker inspect --format '{{.State.Health.Status}}' "$first") == starting ]]
[[ $(docker inspect --format '{{json .Config.Healthcheck.Test}}' "$first") == '["CMD","relay-health"]' ]]

mkdir -m 700 "$place/second"
"${as_root[@]}" chown 45553:45553 "$place/second"
refuses "a taken port" --network "container:$first" --mount "$config" \
    --mount "type=bind,source=$place/second,target=/tordata" "$image"
says "error: port 9001, which \`ORPort 9001 IPv4Only\` wants, is taken"
says "hint: \`ss -ltnp 'sport = :9001'\` shows by what"
echo "a taken port: ${said%%$'\n'*}"

docker stop --time 20 "$first" >/dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$first")
[[ $code == 0 ]] || { echo "error: it ended with $code" >&2; exit 1; }
start --network none "$image" --hash-password secret 2>/dev/null | grep --quiet '^16:'
echo "the first start says what is wrong, and tor ends as it does"
