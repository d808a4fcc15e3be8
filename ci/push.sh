#!/usr/bin/env bash
# Pushes the images of a release to a registry, by digest first and then under their tags; of an
# index all that it lists.
# Usage: ci/push.sh [--dry-run] FOLDER REPOSITORY. Needs skopeo; REGISTRY_USER and
# REGISTRY_TOKEN log in, if they are set.
set -euo pipefail

# run COMMAND...: shows the command, and runs it unless this is a dry run.
run() {
    local line
    printf -v line '%q ' "$@"
    echo "${line% }"
    ((dry_run)) || "$@"
}

dry_run=0
if [[ ${1:-} == --dry-run ]]; then
    dry_run=1
    shift
fi
(($# == 2)) || { echo "usage: $0 [--dry-run] FOLDER REPOSITORY" >&2 && exit 2; }
folder=$1 repository=$2

(cd "$folder" && sha256sum --check --strict --quiet SHA256SUMS)
if [[ -n ${REGISTRY_TOKEN:-} ]] && ! ((dry_run)); then
    REGISTRY_AUTH_FILE=$(mktemp)
    export REGISTRY_AUTH_FILE
    trap 'rm -f "$REGISTRY_AUTH_FILE"' EXIT
    # The file must not be there, or hold JSON.
    echo '{}' >"$REGISTRY_AUTH_FILE"
    skopeo login --username "$REGISTRY_USER" --password-stdin "${repository%%/*}" <<<"$REGISTRY_TOKEN"
fi
while read -r archive tag digest; do
    # A registry, and skopeo before it, refuses other bytes under that digest.
    run skopeo copy --all --preserve-digests "oci-archive:$folder/$archive" "docker://$repository@$digest"
    run skopeo copy --all --preserve-digests "docker://$repository@$digest" "docker://$repository:$tag"
done <"$folder/IMAGES"
