#!/usr/bin/env bash
# Looks for a newer tor. If there is one: pins it, builds and records every image of it, and opens a pull
# request with upstream's signatures in it. Needs `gh` and its token in GH_TOKEN.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo xtask update tor | tee update.txt
if [ -z "$(git status --porcelain sources.toml)" ]; then
    rm update.txt
    exit 0
fi
version=$(git diff --unified=0 sources.toml | sed -n 's/^+version = "\(.*\)"$/\1/p')
branch="tor-$version"
if git ls-remote --exit-code --heads origin "$branch" >/dev/null; then
    echo "$branch is there already"
    exit 0
fi
# All that a release has, so that nothing is left to record by hand.
for options in '' --without-arm '--with obfs4'; do
    # shellcheck disable=SC2086
    cargo xtask build-image --platform linux/amd64,linux/arm64 --record $options
done
cargo xtask verify --sources --markdown >evidence.txt
git switch -c "$branch"
git add sources.toml keys hashes
git -c user.name=watch -c user.email=watch@localhost commit -m "Pin tor $version"
gh auth setup-git
git push origin "$branch"
{ cat update.txt; echo; cat evidence.txt; } >body.txt
gh pr create --head "$branch" --title "Pin tor $version" --body-file body.txt
