#!/usr/bin/env bash
# Compiles everything with the oldest Rust that Cargo.toml promises. rustup installs it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
rustup toolchain install "$version" --profile minimal
CARGO_TARGET_DIR=target/oldest-rust cargo "+$version" check --workspace --all-targets --locked
echo "Rust $version compiles it"
