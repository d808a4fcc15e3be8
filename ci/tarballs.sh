#!/usr/bin/env bash
# The tests that want the real tarballs, which are too large to be committed: those of the image,
# from the cache.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# For each source the line of its name, then that of its place.
cargo build --quiet --locked --package xtask
target/debug/xtask --quiet fetch --json | sed -n 's/^ *"\(file\|path\)": "\(.*\)",$/\2/p' |
    while read -r file && read -r path; do
        ln -s "$path" "$place/$file"
    done
compgen -G "$place/tor-*.tar.gz" >/dev/null
RELAYSMITH_TARBALLS=$place cargo test --workspace --locked --test verify --test update
