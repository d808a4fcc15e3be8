#!/usr/bin/env bash
# Holds the manifests of `compose --kubernetes` against the schemas that Kubernetes publishes, in their
# strict form: an unknown field is an error. The schemas come from the Python package index, into a
# folder of their own. Skips, aloud, where they cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.37.0
tools=${CARGO_TARGET_DIR:-$PWD/target}/kubernetes-schemas
if ! [[ -d $tools/kubernetes_validate ]] && ! python3 -m pip install --quiet --disable-pip-version-check \
    --root-user-action ignore --target "$tools" "kubernetes-validate==$version" >/dev/null; then
    echo "SKIPPED: the schemas of Kubernetes cannot be installed here, so no manifest was held against them"
    exit 0
fi
valid() { PYTHONPATH=$tools python3 -m kubernetes_validate --strict --quiet -k "${version%.*}" "$1"; }

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
. ci/relays.sh

# manifests NAME OPTION...: of a public relay and an exit, and of a bridge.
manifests() {
    xtask compose "$place/middle/torrc" "$place/exit/torrc" --image "$image" --out "$place/$1.yaml" "${@:2}"
    xtask compose "$place/bridge/torrc" --image "$image" --out "$place/$1-bridge.yaml" "${@:2}"
}
manifests balanced --kubernetes
manifests host --kubernetes=host-port
for file in "$place"/*.yaml; do
    valid "$file"
    kinds=$(grep --count '^kind: ' "$file")
    echo "${file##*/}: $kinds objects, as Kubernetes ${version%.*} wants them"
done
# What it does not know is refused: the check can fail.
sed 's/readOnlyRootFilesystem/readOnlyRoot/' "$place/host.yaml" >"$place/wrong.yaml"
cmp --quiet "$place/host.yaml" "$place/wrong.yaml" && { echo 'error: nothing to spoil in host.yaml' >&2; exit 1; }
if valid "$place/wrong.yaml" >/dev/null 2>&1; then
    echo 'error: an unknown field was not refused' >&2
    exit 1
fi
