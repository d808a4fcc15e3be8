#!/usr/bin/env bash
# Feeds every reader of what others wrote with what libFuzzer makes of fuzz/corpus/, for so many
# seconds each. Needs a nightly Rust and cargo-fuzz; `cargo test` runs the corpus without either.
#
# usage: ci/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

if ! rustup toolchain list 2>/dev/null | grep --quiet '^nightly' || ! command -v cargo-fuzz >/dev/null; then
    echo 'SKIPPED: `rustup toolchain install nightly --profile minimal` and `cargo install cargo-fuzz --locked` are needed'
    exit 0
fi
for target in fuzz/fuzz_targets/*.rs; do
    name=$(basename "$target" .rs)
    echo "== $name"
    # What it finds goes to a folder that git ignores; the corpus stays as it is.
    mkdir -p "fuzz/target/found/$name"
    cargo +nightly fuzz run "$name" "fuzz/target/found/$name" "fuzz/corpus/$name" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048
done
