#!/usr/bin/env bash
# Proves the image with obfs4 in a private Tor network, against Debian's obfs4proxy as well, and
# in Docker where there is a daemon: read-only, without capabilities, on a port above 1024 and one
# below. Makes that image, of which everything but lyrebird is there once the other is. Logs are
# kept where it fails.
#
# usage: ci/obfs4.sh [TURNS]   with TURNS it only measures: so many pages through each bridge
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --package xtask --package testnet
place=target/obfs4
rm -rf "$place"
mkdir "$place"
target/debug/xtask --quiet build-image --with obfs4 --out "$place/dist" | grep '^record'
target/debug/xtask --quiet verify --with obfs4 --image "$place/dist/oci"
if ! target/debug/obfs4 "$PWD/$place/dist/oci" "$PWD/$place/network" "$@"; then
    echo "error: the logs are in $place/network/logs" >&2
    exit 1
fi
(($# == 0)) || exit 0

if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so the image with obfs4 was not run in one"
    rm -rf "$place"
    exit 0
fi
as_root=()
((EUID == 0)) || as_root=(sudo)
name=tor-obfs$$
network=$name
finish() {
    docker rm --force "$name" >/dev/null 2>&1 || true
    docker network rm "$network" >/dev/null 2>&1 || true
    "${as_root[@]}" rm -rf "$place"
}
trap finish EXIT
# This bridge is none of the real network: it reaches nobody.
docker network create --internal "$network" >/dev/null
image=$(docker load --quiet --input "$place"/dist/tor-*-arm-obfs4.tar | sed -n 's/^Loaded image: //p')
digest=$(docker image inspect --format '{{.Id}}' "$image")
limit=$(ulimit -Hn)
[[ $limit != unlimited && $limit -lt 65536 ]] || limit=65536

for port in "$((20000 + $$ % 10000))" 443; do
    config=$place/config$port
    target/debug/xtask --quiet torrc bridge --nickname "obfs$$" --contact-email tor@example.org \
        --or-port "$((30000 + $$ % 10000))" --obfs4-port "$port" --address 203.0.113.1 \
        --out "$config/torrc"
    data=$PWD/$place/data$port/obfs$$
    mkdir -p "${data%/*}"
    "${as_root[@]}" install -d -m 700 -o 45553 -g 45553 "$data"
    # The command that `compose` writes, but for the network, in which nothing can be published.
    target/debug/xtask --quiet compose "$config/torrc" --image "$digest" --open-files "$limit" \
        --data "${data%/*}" --docker-run 2>/dev/null |
        sed "s#^docker run #&--network $network #; /--publish/d" >"$place/run.sh"
    grep -q -e --read-only "$place/run.sh" && grep -q -e '--cap-drop ALL' "$place/run.sh"
    sh -eu "$place/run.sh" >/dev/null
    for _ in {1..60}; do
        line=$(target/debug/xtask --quiet bridge-line "$name" 2>/dev/null) && break
        sleep 0.5
    done
    [[ $line == "obfs4 203.0.113.1:$port "*" iat-mode=0" ]] || {
        docker logs "$name" >&2
        echo "error: on port $port, the bridge line is \`${line:-}\`" >&2
        exit 1
    }
    ip=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$name")
    # Whoever says nothing hears nothing.
    answer=$(timeout 3 bash -c "exec 3<>/dev/tcp/$ip/$port; printf 'GET / HTTP/1.1\r\n\r\n' >&3; cat <&3 | wc -c" || true)
    [[ -z $answer || $answer == 0 ]] || { echo "error: port $port answered" >&2; exit 1; }
    echo "in Docker, read-only and without capabilities: obfs4 on port $port"

    # Keys that another user brought there, from a backup: the health check says what helps.
    health() { docker exec "$name" relay-health || true; }
    "${as_root[@]}" chown -R 0:0 "$data/pt_state"
    docker restart "$name" >/dev/null
    said=
    for _ in {1..60}; do
        said=$(health)
        fix=$(sed -n 's/.*on the host: `sudo \(chown -R 45553:45553 [^`]*\)`.*/\1/p' <<<"$said")
        [[ -z $fix ]] || break
        sleep 0.5
    done
    # The name that the kernel has for it, which is that below the mount point it lies on.
    [[ -n $fix && $data == *"${fix##* }" ]] || { echo "error: no command helps: $said" >&2; exit 1; }
    "${as_root[@]}" chown -R 45553:45553 "$data"
    docker restart "$name" >/dev/null
    for _ in {1..60}; do
        [[ $(health) == *transport* || $(docker exec "$name" relay-health bridge-line) != "$line" ]] || break
        sleep 0.5
    done
    said=$(health)
    [[ $said != *transport* ]] || { echo "error: it did not help: $said" >&2; exit 1; }
    docker rm --force "$name" >/dev/null
    echo "keys of another user: the command that the health check names gives them back"
done
