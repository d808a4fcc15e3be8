#!/usr/bin/env bash
# Kills a build with SIGKILL at random moments, lets the next run go on, and checks that the
# end is the image of an undisturbed build, with nothing left over and nothing to clean up.
#
# usage: ci/kill.sh [--short | KILLS [GRACE]]
#   --short  two kills, of a build without arm
#   GRACE    each run may take so many seconds longer than the one before, at the most
set -euo pipefail
cd "$(dirname "$0")/.."
image=()
if [[ ${1:-} == --short ]]; then
    kills=2 grace=30 image=(--without-arm)
else
    kills=${1:-20} grace=${2:-5}
fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cargo build --quiet --locked --package xtask
run() { target/debug/xtask --quiet "$@"; }
digest() { sed -n 's/.*"manifest": "\(sha256:[0-9a-f]*\)".*/\1/p'; }

expected=$(run --json build-image "${image[@]}" --out "$place/expected" | digest)

# The downloads may stay: to fetch them 20 times is the mirrors' burden.
cache=${RELAYSMITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaysmith}
mkdir -m 700 "$place/cache"
cp -R "$cache/downloads" "$place/cache/"
export RELAYSMITH_CACHE=$place/cache

count=0
while ((count < kills)); do
    # Not by the function: then the kill would hit a shell.
    target/debug/xtask --quiet build-image "${image[@]}" --out "$place/dist" >/dev/null &
    victim=$!
    # Later runs get further: what was finished before a kill is not made again.
    sleep "$((RANDOM % (5 + grace * (count + 1)))).$((RANDOM % 10))"
    if kill -KILL "$victim" 2>/dev/null; then
        wait "$victim" || true
        count=$((count + 1))
        echo "kill $count: $(find "$place/cache/built" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) outputs are done"
    else
        wait "$victim"
        echo "the build had ended: again from nothing"
        rm -rf "$place/cache/built" "$place/cache/images"
    fi
done
got=$(run --json build-image "${image[@]}" --out "$place/dist" | digest)
echo "undisturbed $expected"
echo "killed      $got"
[[ $got == "$expected" ]]
left=$(find "$place/cache/work" -mindepth 1 | wc -l)
echo "left in the folder for unfinished work: $left entries"
((left == 0))
