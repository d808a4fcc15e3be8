#!/usr/bin/env bash
# Starts the image as people first do: without a torrc, with a directory in its place, on a volume
# of somebody else, on one that is read-only or full, on a port that is taken, and as README says.
# Each time it has to say whose it is, where, and what fixes it; what it says is done. The image is in dist/ already. Skips, aloud, where there is no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/archive.sh

if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so nothing was started for the first time"
    exit 0
fi

as_root=()
((EUID == 0)) || as_root=(sudo)
place=$(mktemp -d)
first=tor-first$$
finish() {
    docker rm --force "$first" tor-relay$$ >/dev/null 2>&1 || true
    docker volume rm "tordata$$" >/dev/null 2>&1 || true
    "${as_root[@]}" rm -rf "$place"
}
trap finish EXIT

archive=$(loadable relay)
image=$(load relay)
mkdir -m 755 "$place/config" "$place/data"
chmod 755 "$place"
cargo build --quiet --locked --package xtask
target/debug/xtask --quiet torrc middle --nickname first --contact-email tor@example.org \
    --address 203.0.113.1 --out "$place/config/torrc" 2>/dev/null
config=type=bind,source=$place/config,target=/usr/local/etc/tor,readonly
data=type=bind,source=$place/data,target=/tordata

start() {
    docker run ${PLATFORM:+--platform "$PLATFORM"} --rm --read-only --cap-drop ALL --security-opt no-new-privileges "$@"
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
says "hint: on the host: \`mkdir -p config && printf "
echo "no torrc: ${said%%$'\n'*}"
# The hint is followed, in a directory that is no clone.
mkdir -m 755 "$place/hint"
fix=$(sed -n 's/^hint: on the host: `\([^`]*\)`; then mount .*/\1/p' <<<"$said")
mount=$(sed -n 's/^hint: .* mount the directory: `\([^`]*\)`$/\1/p' <<<"$said")
(
    cd "$place/hint"
    eval "$fix"
    eval "start --network none $mount $image --verify-config" | grep --quiet 'Configuration was valid'
)

mkdir -p "$place/missing"
mkdir -m 755 "$place/missing/torrc"
refuses "a directory" --network none \
    --mount "type=bind,source=$place/missing,target=/usr/local/etc/tor,readonly" "$image"
says "error: the torrc, /usr/local/etc/tor/torrc, is a directory"
says "\`sudo rmdir "
echo "a directory: ${said%%$'\n'*}"

"${as_root[@]}" chown 0:0 "$place/data"
refuses "a volume of somebody else" --network none --mount "$config" --mount "$data" "$image"
says "error: /tordata belongs to user 0, but tor runs as user 45553"
says "hint: on the host: \`sudo chown -R 45553:45553 "
echo "a volume of somebody else: $said"
# As it says; the path is that of the file system the directory is on.
fix=$(sed -n 's/^hint: on the host: `sudo \(chown -R 45553:45553 [^`]*\)`.*/\1/p' <<<"$said")
[[ $fix == *"${place##*/}/data" || $fix == *DIR ]]
"${as_root[@]}" chown -R 45553:45553 "$place/data"

refuses "a read-only volume" --network none --mount "$config" --mount "$data,readonly" "$image"
says "error: /tordata is mounted read-only; tor keeps its keys and state there"
says "hint: mount it without \`:ro\` or \`readonly\`"
echo "a read-only volume: ${said%%$'\n'*}"

refuses "a full volume" --network none --mount "$config" \
    --tmpfs /tordata:rw,size=16k,uid=45553,gid=45553,mode=700 "$image"
says "error: /tordata has no space left ("
echo "a full volume: ${said%%$'\n'*}"

# Fixed, it starts, and tor is what runs: process 1, under its own name. Nobody is reached.
docker run ${PLATFORM:+--platform "$PLATFORM"} --detach --name "$first" --read-only --cap-drop ALL --security-opt no-new-privileges \
    --memory 256m --network none --mount "$config" --mount "$data" "$image" >/dev/null
for _ in {1..60}; do
    health=$(docker exec "$first" relay-health) || true
    [[ $health != "starting: bootstrapped"* ]] || break
    sleep 0.5
done
[[ $health == "starting: bootstrapped 0%"* ]] || { echo "error: health: $health" >&2; exit 1; }
echo "health, asked by hand: $health"
docker exec "$first" relay-health --help | grep --quiet '^usage: relay-health'
cargo xtask --quiet --json status "$first" >"$place/status" || true
grep --quiet '"max_mem_in_queues": 134217728' "$place/status"
logs=$(docker logs "$first" 2>&1)
if grep --fixed-strings 'New control connection opened' <<<"$logs"; then
    echo "error: the log says so each time the health check asks" >&2
    exit 1
fi
grep --quiet '^note: MaxMemInQueues is 128 MB' <<<"$logs"
said=$(docker exec "$first" arm 2>&1 </dev/null) && { echo "error: arm without a terminal" >&2; exit 1; }
# (An image without arm has no such program.)
[[ $said != *$'\n'* ]] && [[ $said == "error: this draws on a terminal"* || $said == *"not found"* ]]
[[ $(docker top "$first" -eo pid,comm | tail -n 1) == *" tor" ]]
[[ $(docker inspect --format '{{.State.Health.Status}}' "$first") == starting ]]
[[ $(docker inspect --format '{{json .Config.Healthcheck.Test}}' "$first") == '["CMD","relay-health"]' ]]

mkdir -m 700 "$place/second"
"${as_root[@]}" chown 45553:45553 "$place/second"
refuses "a taken port" --network "container:$first" --mount "$config" \
    --mount "type=bind,source=$place/second,target=/tordata" "$image"
says "error: port 9001, which \`ORPort 9001 IPv4Only\` wants, is taken"
says "hint: on the host: \`ss -ltnp 'sport = :9001'\` shows by what"
echo "a taken port: ${said%%$'\n'*}"

docker stop --time 20 "$first" >/dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$first")
[[ $code == 0 ]] || { echo "error: it ended with $code" >&2; exit 1; }
# As README says, but in no network, and under names of its own.
readme=$(awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' README.md |
    sed "s#dist/tor-[^ ]*#$archive#; s#relaysmith/tor:[^ ]*#$image#; s#config/torrc#$place/readme/torrc#
         s#\$PWD/config#$place/readme#; s#tor-relay#tor-relay$$#; s#source=tordata#source=tordata$$#
         s#--publish 9001:9001#--network none#")
eval "$readme" >/dev/null 2>&1
for _ in {1..60}; do
    docker logs "tor-relay$$" 2>&1 | grep --quiet 'Bootstrapped 0%' && break
    sleep 0.5
done
docker stop "tor-relay$$" >/dev/null
docker logs "tor-relay$$" 2>&1 | grep 'will shut down in 30 seconds'
code=$(docker inspect --format '{{.State.ExitCode}}' "tor-relay$$")
[[ $code == 0 ]] || { echo "error: README's relay ended with $code" >&2; exit 1; }

start --network none "$image" --hash-password secret 2>/dev/null | grep --quiet '^16:'
echo "the first start says what is wrong, and tor ends as it does"
