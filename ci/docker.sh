#!/usr/bin/env bash
# Runs the compose file that `cargo xtask compose` writes, by `docker-compose` 1.29 or
# `docker compose`, and looks from outside whether the relay is as confined as it should be.
# The image is in dist/ already. Skips, aloud, where there is no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/archive.sh
. ci/compose.sh "the compose file was not run"

as_root=()
((EUID == 0)) || as_root=(sudo)
place=$(mktemp -d)
name=tor-composed$$
finish() {
    compose down >/dev/null 2>&1 || true
    "${as_root[@]}" rm -rf "$place"
}
trap finish EXIT
# This relay is none of the real network: it reaches nobody.
printf 'networks:\n  default:\n    internal: true\n' >"$place/internal.yaml"
compose() { "${compose[@]}" --file "$place/compose.yaml" --file "$place/internal.yaml" "$@"; }
fail() {
    echo "error: $1" >&2
    docker logs "$name" >&2 || true
    exit 1
}

image=$(load arm)
digest=$(docker image inspect --format '{{.Id}}' "$image")

cargo build --quiet --locked --package xtask
xtask() { target/debug/xtask --quiet "$@"; }
# Free as far as one can know; nobody has to reach it.
port=$((20000 + $$ % 10000))
xtask torrc middle --nickname "composed$$" --contact-email tor@example.org --or-port "$port" \
    --address 203.0.113.1 --out "$place/config/torrc"
limit=$(ulimit -Hn)
[[ $limit != unlimited && $limit -lt 65536 ]] || limit=65536
xtask compose "$place/config/torrc" --image "$digest" --open-files "$limit" \
    --out "$place/compose.yaml" --data "$place/data" 2>/dev/null
data=$place/data/composed$$
mkdir -p "${data%/*}"
mkdir -m 700 "$data"

"${as_root[@]}" chown 45553:45553 "$data"

compose up --detach
for _ in {1..60}; do
    fingerprint=$(docker logs "$name" 2>&1 | sed -n "s/.*key fingerprint is '\(.*\)'.*/\1/p")
    [[ -z $fingerprint ]] || break
    sleep 0.5
done
[[ -n $fingerprint ]] || fail "the relay did not start"
echo "relay: $fingerprint"

is() {
    local what=$1 expected=$2 got=$3
    [[ $got == "$expected" ]] || fail "$what: expected $expected, got $got"
    echo "$what: $got"
}
ask() { docker inspect --format "$1" "$name"; }
process=$(ask '{{.State.Pid}}')
status() { awk -v field="$1:" '$1 == field { print $2 }' "/proc/$process/status"; }
is "user" 45553 "$(status Uid)"
is "capabilities in effect" 0000000000000000 "$(status CapEff)"
is "capabilities to be had" 0000000000000000 "$(status CapBnd)"
is "no new privileges" 1 "$(status NoNewPrivs)"
is "root file system is read-only" true "$(ask '{{.HostConfig.ReadonlyRootfs}}')"
is "open files" "$limit" "$(awk '/^Max open files/ { print $4 }' "/proc/$process/limits")"
is "running" true "$(ask '{{.State.Running}}')"
is "port" "$port" "$(ask "{{(index (index .HostConfig.PortBindings \"$port/tcp\") 0).HostPort}}")"
is "fingerprint in the data" "$fingerprint" "$("${as_root[@]}" cat "$data/fingerprint")"

compose stop >/dev/null 2>&1
is "exit code after stop" 0 "$(ask '{{.State.ExitCode}}')"
