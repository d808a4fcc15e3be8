#!/usr/bin/env bash
# Installs what the build and the tests need and a bare Debian 12 lacks. Rust itself comes
# from https://rustup.rs: Debian 12's is too old.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "error: there is no cargo; install Rust 1.89 or newer, see https://rustup.rs" >&2
    exit 1
fi

packages=()
# need PACKAGE TEST...: installs the package unless the test passes.
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
# Asks a Prometheus in ci/monitoring.sh.
need curl command -v curl
need gcc command -v cc
need git command -v git
# Signs, as people do, in the tests of attestations.
need gnupg command -v gpg
# The private network of ci/network.sh: its addresses, and the authorities and clients.
need iproute2 command -v ip
need libc6-dev test -e /usr/include/stdio.h
need make command -v make
# Another implementation of obfs4, for ci/obfs4.sh.
need obfs4proxy command -v obfs4proxy
need perl command -v perl
# pip is asked for the index it is configured with; it installs nothing.
need python3-pip python3 -m pip --version
# A terminal to see arm in.
need tmux command -v tmux
need tor command -v tor-gencert
# Runs the image for arm64, by emulation: ci/arm64.sh.
[[ $(uname -m) == aarch64 ]] || need qemu-user-static command -v qemu-aarch64-static
# Reads the scripts and the recipes.
need shellcheck command -v shellcheck
# Pushes a release to a registry on this machine. Debian starts a registry once it is
# installed: only where nobody lives.
need skopeo command -v skopeo
[[ -z ${CI:-} ]] || need docker-registry command -v docker-registry
# Checks what Prometheus is told: tests/monitoring.rs. Debian starts one, too.
[[ -z ${CI:-} ]] || need prometheus command -v promtool

if ((${#packages[@]})); then
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" apt-get install -qy --no-install-recommends "${packages[@]}"
    # Debian starts a tor of its own; nobody here asked for a client of the real network.
    if [[ " ${packages[*]} " == *' tor '* && -d /run/systemd/system ]]; then
        "${as_root[@]}" systemctl disable --now tor.service
    fi
fi

# Checks what the dependencies are: ci/static.sh. Unoptimized, it is compiled in half the time.
if [[ -n ${CI:-} ]] && ! cargo deny --version >/dev/null 2>&1; then
    cargo install cargo-deny --version 0.20.2 --locked --debug
fi
