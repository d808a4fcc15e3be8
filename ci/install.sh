#!/usr/bin/env bash
# Installs what the build and the tests need and a bare Debian 12 lacks. Rust itself comes
# from https://rustup.rs: Debian 12's is too old.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "error: there is no cargo; install Rust 1.89 or newer, see https://rustup.rs" >&2
    exit 1
fi

# program:package
needed=(cc:gcc make:make perl:perl python3:python3)
packages=()
for pair in "${needed[@]}"; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair##*:}")
done
if ((${#packages[@]})); then
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" apt-get install -qy --no-install-recommends "${packages[@]}"
fi
