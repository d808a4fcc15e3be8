#!/usr/bin/env bash
# Measures the built image's tor as a relay against Debian's, in one private network, in
# turns: bytes per second, processor seconds per gigabyte, peak memory.
#
# usage: ci/bench-relay.sh [TURNS]
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --package xtask --package testnet
place=target/bench-relay
rm -rf "$place"
mkdir "$place"
target/debug/bench-relay "$PWD/dist/oci" "$PWD/$place" "${1:-9}"
rm -rf "$place"
