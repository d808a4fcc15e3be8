#!/usr/bin/env bash
# Proves the built image in a private Tor network; testnet/src/lib.rs says what that is. The
# image is in dist/, or in the folder DIST, already. Logs are kept where it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --package xtask --package testnet
place=target/network
rm -rf "$place"
mkdir "$place"
if ! target/debug/network "$PWD/${DIST:-dist}/oci" "$PWD/$place"; then
    echo "error: the logs are in $place/logs" >&2
    exit 1
fi
rm -rf "$place"
