#!/usr/bin/env bash
# What can be said of the files without compiling them: format, shell scripts and recipes,
# workflows, and what the dependencies are.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo fmt --check --manifest-path fuzz/Cargo.toml
# SC2016: what stands in single quotes is code for another shell.
shellcheck --exclude=SC2016 .ci/run ci/*.sh
# The recipes are run by `sh -eu`; several flags in one variable are meant to be split.
shellcheck --shell=sh --severity=warning --exclude=SC2046,SC2164 src/build/recipe/*.sh
# SC2154: what a recipe sets that reads it.
shellcheck --shell=sh --severity=warning --exclude=SC2154 src/build/recipe/*/*.sh
echo "shellcheck: nothing to find"
ci/workflows.sh
if cargo deny --version >/dev/null 2>&1; then
    # It reads the dependencies of every platform.
    cargo fetch --locked --quiet
    cargo deny --offline check bans licenses sources
else
    echo "SKIPPED: no cargo-deny here (\`cargo install cargo-deny --locked\`)"
fi
