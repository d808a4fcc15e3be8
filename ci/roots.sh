#!/usr/bin/env bash
# Builds everything from nothing in the Alpine root, make and perl included, and compares with
# the record, which a build with the host's own programs made. Skips, aloud, where Alpine's
# root file system cannot be had.
#
# usage: ci/roots.sh [FOLDER]
#   FOLDER  where its archive lies, if upstream is out of reach
set -euo pipefail
cd "$(dirname "$0")/.."
from=()
(($#)) && from=(--source-dir "$1")

if ! cargo xtask --quiet fetch alpine "${from[@]}" >/dev/null; then
    echo "SKIPPED: no Alpine root file system here, so nothing was built in one"
    exit 0
fi
cargo xtask verify --root alpine "${from[@]}"
echo "the Alpine root and the host's programs made the same image"
