#!/usr/bin/env bash
# Drafts a release of what `cargo xtask release` put together; a person publishes it.
# Usage: ci/draft.sh [--dry-run] FOLDER TAG. Needs `gh`, and GH_TOKEN with the right to write.
set -euo pipefail

# run COMMAND...: shows the command, and runs it unless this is a dry run.
run() {
    local line
    printf -v line '%q ' "$@"
    echo "${line% }"
    ((dry_run)) || "$@"
}

dry_run=0
if [[ ${1:-} == --dry-run ]]; then
    dry_run=1
    shift
fi
(($# == 2)) || { echo "usage: $0 [--dry-run] FOLDER TAG" >&2 && exit 2; }
folder=$1 tag=$2

(cd "$folder" && sha256sum --check --strict --quiet SHA256SUMS)
notes="Built from signed sources; docs/verifying.md says how to check it."
while read -r _ name digest; do
    notes+=$'\n'"- \`$name\`: \`$digest\`"
done <"$folder/IMAGES"
# Who vouches for each input is the same for every image; the one with all inputs has the longest.
table=$(find "$folder" -name '*.evidence.md' -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
[[ -z $table ]] || notes+=$'\n\n'$(<"$table")
run gh release create "$tag" --draft --verify-tag --title "$tag" --notes "$notes" "$folder"/*
