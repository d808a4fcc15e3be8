#!/usr/bin/env bash
# Measures, on this machine, in one run: a cold build of the default image, with arm, against the
# plain sequential script, by the clock and in processor seconds, and whether both made the same
# programs; a build with nothing to do; the check of all sources; the writing of layers. Needs jq
# and, for the sequential script, python3 and patch.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cargo build --quiet --locked --package xtask
run() { target/debug/xtask --quiet "$@"; }
# timed NAME COMMAND...: prints and keeps its time by the clock and of the processors.
declare -A clock processors
timed() {
    local name=$1 TIMEFORMAT='%R %U %S' real user system
    shift
    read -r real user system < <({ time "$@" >"$place/log" 2>&1; } 2>&1)
    wait $!
    clock[$name]=$real
    processors[$name]=$(awk "BEGIN { print $user + $system }")
    printf '%-22s%8.2f s %8.2f CPU s\n' "$name" "$real" "${processors[$name]}"
}
ratio() { awk "BEGIN { printf \"%.2f\", $1 / $2 }"; }

cache=${RELAYSMITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaysmith}
mkdir "$place/sources"
run --json fetch | jq -r '.[] | "\(.path)\t\(.file)"' | while IFS=$'\t' read -r path file; do
    cp "$path" "$place/sources/$file"
done
mkdir -m 700 "$place/cache"
cp -R "$cache/downloads" "$place/cache/"
export RELAYSMITH_CACHE=$place/cache

run plan --json | jq -r '.[] | .step + (.covers[] | select(startswith("SOURCE_DATE_EPOCH: ")) | .[18:])' \
    >"$place/sources/epochs"

mkdir "$place/sequential"
timed 'sequential script' ci/sequential.sh "$place/sources" "$place/sequential" "$jobs"
timed 'cold build' run build-image --out "$place/dist"
echo "ratio                 $(ratio "${clock[cold build]}" "${clock[sequential script]}"), of the" \
    "processors $(ratio "${processors[cold build]}" "${processors[sequential script]}")"
for program in tor nyx; do
    cmp "$place/sequential/out/$program/bin/$program" \
        "$place"/cache/built/*/out/bin/"$program" && echo "$program is the same in both"
done
timed 'nothing to do' run build-image --out "$place/dist"
timed 'verify --sources' run verify --sources
rm -rf "$place/cache/images"
timed 'layers' run build-image --out "$place/dist"
