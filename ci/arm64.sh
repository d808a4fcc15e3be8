#!/usr/bin/env bash
# Builds the images for arm64 and the index for both platforms, and lets the scripts that run the
# image for this machine run the one for arm64, by qemu's emulation: tor in containers, each
# message of the first start, `arm` page by page, and relays in a private network.
#
# With `compiler`, the compiler for arm64 compiles parts of the image for both platforms.
#
# usage: ci/arm64.sh [build] [run] [compiler]   without arguments the first two
#
# Skips, aloud, what needs emulation where the kernel cannot be told of it: that takes root, and
# qemu-user-static.
set -euo pipefail
cd "$(dirname "$0")/.."

parts=("${@:-build}")
(($# > 0)) || parts+=(run)
wanted() { [[ " ${parts[*]} " == *" $1 "* ]]; }
export DIST=dist/arm64 MACHINE=aarch64 PLATFORM=linux/arm64

if wanted build; then
    cargo build --quiet --locked --package xtask
    xtask=target/debug/xtask
    # Each ends with a code of its own if it is not the recorded one.
    "$xtask" --quiet build-image --target aarch64-linux-musl --out "$DIST" --without-arm
    "$xtask" --quiet build-image --target aarch64-linux-musl --out "$DIST"
    both=linux/amd64,linux/arm64
    "$xtask" --quiet build-image --platform "$both" --out dist/platforms --without-arm
    "$xtask" --quiet build-image --platform "$both" --out dist/platforms
    "$xtask" verify --image dist/platforms/oci
    "$xtask" diff "$DIST/oci" dist/platforms/tor-*-arm.tar
    # Pushed as one image, where there is a registry to try it.
    ci/release.sh --platform "$both"
fi
wanted run || wanted compiler || exit 0

# Emulation for every program of that machine, also where qemu itself is not to be seen (F).
formats=/proc/sys/fs/binfmt_misc
entry=relaysmith-arm64-$$
rule=/usr/lib/binfmt.d/qemu-aarch64.conf
registered=
finish() {
    [[ -z $registered ]] || echo -1 >"$formats/$entry"
}
trap finish EXIT
emulates() { grep --quiet --no-messages '^flags: .*F' "$formats"/*aarch64*; }
if [[ $(uname -m) != aarch64 ]] && ! emulates; then
    [[ -e $formats/register ]] || mount -t binfmt_misc none "$formats" 2>/dev/null || true
    if ! [[ -w $formats/register && -e $rule ]]; then
        echo "SKIPPED: no emulation of arm64 here: it takes root and \`apt-get install qemu-user-static\`," \
            "so neither the images nor the compiler were run"
        exit 0
    fi
    sed "s/^:qemu-aarch64:/:$entry:/" "$rule" >"$formats/register"
    registered=1
fi

if wanted compiler; then
    cargo build --quiet --locked --package xtask
    target/debug/xtask verify --vary=build-machine
fi
wanted run || exit 0

ci/run-image.sh
ci/first-run.sh
# Emulated, everything takes several times as long.
PATIENCE=10 ci/arm.sh
ci/network.sh
