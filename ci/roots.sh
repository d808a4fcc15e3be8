#!/usr/bin/env bash
# Builds everything from nothing in the Alpine root, make and perl included, in namespaces and
# again in containers, and compares each with the record, which a build with the host's own
# programs made. Skips, aloud, what this machine lacks. Perl is built twice, so it takes long:
# .ci/run leaves it out.
#
# usage: ci/roots.sh [FOLDER]
#   FOLDER  where the archive of the root lies, if upstream is out of reach
set -euo pipefail
cd "$(dirname "$0")/.."
from=()
(($#)) && from=(--source-dir "$1")

if ! cargo xtask --quiet fetch alpine "${from[@]}" >/dev/null; then
    echo "SKIPPED: no Alpine root file system here, so nothing was built in one"
    exit 0
fi
cargo xtask verify --root alpine --engine namespaces "${from[@]}"
echo "the Alpine root and the host's programs made the same image"
if ! docker version >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so nothing was built in containers"
    exit 0
fi
cargo xtask verify --root alpine --engine docker "${from[@]}"
echo "containers and namespaces made the same image"
