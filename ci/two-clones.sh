#!/usr/bin/env bash
# Two clones in different places, built by different users under different umasks, time
# zones and locales, with one job and with several: one digest.
# Needs root, to be two users. Prints the digests; exits with 1 if they differ.
#
# usage: ci/two-clones.sh [--short]
#   --short  one other clone, without arm, compared with what this one has built
set -euo pipefail
cd "$(dirname "$0")/.."

if ((EUID != 0)); then
    echo "SKIPPED: only root can build as two users"
    exit 0
fi

places=$(mktemp -d)
trap 'rm -rf "$places"' EXIT
chmod 755 "$places"

# The downloads are shared: to fetch them again is the mirrors' burden.
cargo build --quiet --locked --package xtask
target/debug/xtask --quiet fetch >/dev/null
downloads=${RELAYSMITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaysmith}/downloads
dependencies=$PWD/target
digest() { sed -n 's/.*"manifest": "\(sha256:[0-9a-f]*\)".*/\1/p'; }
image=()
[[ ${1:-} != --short ]] || image=(--without-arm)

# build NAME USER UMASK TZ LOCALE JOBS: clones, builds, leaves the digest in $places/NAME.digest.
build() {
    local name=$1 user=$2 home=$places/home-$1 clone=$places/$1
    git clone --quiet . "$clone"
    # The tool knows the clone it was compiled in.
    CARGO_TARGET_DIR=$dependencies cargo build --quiet --locked --package xtask \
        --manifest-path "$clone/Cargo.toml"
    install -m 755 "$dependencies/debug/xtask" "$clone/relaysmith"
    mkdir -p "$home/cache"
    chmod 700 "$home/cache"
    cp -R "$downloads" "$home/cache/"
    chown -R "$user:$user" "$clone" "$home"
    (
        cd "$clone"
        umask "$3"
        env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME="$home" TZ="$4" LC_ALL="$5" LANG="$5" \
            RELAYSMITH_CACHE="$home/cache" \
            setpriv --reuid "$user" --regid "$user" --clear-groups \
            ./relaysmith --quiet --json build-image "${image[@]}" --offline --jobs "$6" --out "$home/dist"
    ) | digest >"$places/$name.digest"
    echo "$name: user $user, umask $3, TZ $4, $5, $6 jobs: $(cat "$places/$name.digest")"
    [[ -s $places/$name.digest ]]
}

if [[ ${1:-} == --short ]]; then
    target/debug/xtask --quiet --json build-image "${image[@]}" --out "$places/here" |
        digest >"$places/first.digest"
else
    build first 0 022 UTC C 1
fi
build second-clone-in-a-longer-place 12345 077 Asia/Kathmandu C.UTF-8 4
cmp "$places/first.digest" "$places/second-clone-in-a-longer-place.digest"
echo "both clones built the same image"
