#!/usr/bin/env bash
# Compares two releases that were put together on different machines: all files are equal, but
# for where each says that it was built. Usage: ci/compare.sh FOLDER FOLDER.
set -euo pipefail
(($# == 2)) || { echo "usage: $0 FOLDER FOLDER" >&2 && exit 2; }

for folder in "$@"; do
    (cd "$folder" && sha256sum --check --strict --quiet SHA256SUMS)
done
diff --brief --recursive --exclude=SHA256SUMS --exclude='*.provenance.json' "$1" "$2"
elsewhere() {
    grep --invert-match --extended-regexp '^ +"(engine|root)": ' "$1"
}
for provenance in "$1"/*.provenance.json; do
    diff --unified <(elsewhere "$provenance") <(elsewhere "$2/${provenance##*/}")
done
echo "$1 and $2 are the same release"
