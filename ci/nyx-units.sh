#!/usr/bin/env bash
# Runs nyx's and stem's own unit tests: the patched trees, under the Python that was built
# for the image. Those that do not apply are in src/build/recipe/nyx/units-left-out.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${RELAYSMITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaysmith}
cargo build --quiet --locked --package xtask
key=$(target/debug/xtask --quiet --json plan | python3 -c '
import json, sys
print(next(step["key"] for step in json.load(sys.stdin) if step["step"] == "python"))')
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

# tree NAME: the pinned source with its patches.
tree() {
    local digest
    digest=$(sed -n "/^name = \"$1\"\$/,/^sha256/s/^sha256 = \"\(.*\)\"/\1/p" sources.toml)
    mkdir "$place/$1"
    tar -xf "$cache/downloads/sha256/$digest" -C "$place/$1" --strip-components 1
    cat patches/"$1"/*.patch | (cd "$place/$1" && GIT_DIR=none git apply)
}
tree stem
tree nyx

# units NAME TESTS FOLDER: in a terminal, which nyx's tests draw on.
units() {
    echo "$1:"
    (cd "$place/$1" && TERM=xterm-256color HOME=$place LC_ALL=C.UTF-8 script --quiet --return --command \
        "stty columns 120 rows 50
        '$cache/built/$key/out/bin/python3.13' -B -W ignore '$OLDPWD/ci/nyx-units.py' \
            '$OLDPWD/src/build/recipe/nyx/units-left-out.txt' $2 '$3'" "$place/$1.log" >/dev/null) || {
        tail -n 60 "$place/$1.log" >&2
        exit 1
    }
    grep ' left out' "$place/$1.log"
}
units stem test/unit .
units nyx test "$place/stem"
