#!/usr/bin/env bash
# Measures, on this machine, in one run: a cold build against the plain sequential script, a
# build with nothing to do, the check of all sources, the writing of layers, and the
# tool's own peak memory. Needs jq and, for the sequential script, python3.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cargo build --quiet --locked --package xtask
run() { target/debug/xtask --quiet "$@"; }
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{ printf "%.2f", $1 - $2 }'; }

cache=${RELAYSMITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaysmith}
mkdir "$place/sources"
run --json fetch | jq -r '.[] | "\(.path)\t\(.file)"' | while IFS=$'\t' read -r path file; do
    cp "$path" "$place/sources/$file"
done
mkdir -m 700 "$place/cache"
cp -R "$cache/downloads" "$place/cache/"
export RELAYSMITH_CACHE=$place/cache

start=$(now)
mkdir "$place/sequential"
ci/sequential.sh "$place/sources" "$place/sequential" "$jobs"
sequential=$(since "$start")
echo "sequential script       $sequential s"

start=$(now)
target/debug/xtask --quiet build-image --without-arm --out "$place/dist" >/dev/null &
builder=$!
peak=0
while kill -0 "$builder" 2>/dev/null; do
    seen=$(awk '/^VmHWM/ { print $2 }' "/proc/$builder/status" 2>/dev/null || true)
    ((${seen:-0} > peak)) && peak=$seen
    sleep 0.5
done
wait "$builder"
cold=$(since "$start")
echo "cold build              $cold s"
echo "ratio                   $(echo "$cold $sequential" | awk '{ printf "%.2f", $1 / $2 }')"
echo "tool's peak memory      $((peak / 1024)) MiB"

start=$(now)
run build-image --without-arm --out "$place/dist" >/dev/null
echo "nothing to do           $(since "$start") s"

start=$(now)
run verify --sources >/dev/null
echo "verify --sources        $(since "$start") s"

bytes=$(gzip -dc "$place"/dist/oci/blobs/sha256/* 2>/dev/null | wc -c || true)
rm -rf "$place/cache/images"
start=$(now)
run build-image --without-arm --out "$place/dist" >/dev/null
echo "layers                  $(since "$start") s for $((bytes / 1000000)) MB uncompressed"
