#!/usr/bin/env bash
# Builds the last release again from nothing, with the tool as it was then, and compares it
# with the record it was released with.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=$(git tag --list 'tor-*' --sort=-creatordate | head -n 1)
if [[ -z $tag ]]; then
    echo "SKIPPED: nothing was released yet"
    exit 0
fi
place=$(mktemp -d)
trap 'git worktree remove --force "$place"' EXIT
git worktree add --detach "$place" "$tag"
cd "$place"
cargo xtask verify
echo "$tag can still be built"
