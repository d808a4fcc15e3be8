#!/usr/bin/env bash
# Loads the built image and runs it as a relay should run: read-only, no capabilities.
# Skips, aloud, where there is no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so the image was not run"
    exit 0
fi

archive=$(find dist -maxdepth 1 -name 'tor-*.tar' | sort | head -n 1)
image=$(docker load --quiet --input "$archive" | sed -n 's/^Loaded image: //p')
echo "loaded $image from $archive"
trap 'docker image rm --force "$image" >/dev/null' EXIT

run() {
    docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --network none "$@"
}

run "$image" --version
run "$image" --verify-config --SocksPort 0 --ORPort 9001 --Nickname ci >/dev/null
echo "the image runs read-only, without capabilities, as user $(docker image inspect --format '{{.Config.User}}' "$image")"
