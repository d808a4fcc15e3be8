#!/usr/bin/env bash
# Loads both built images and runs them as a relay should run: read-only, no capabilities. They stay
# loaded: other scripts, beside this one, start containers of them.
# Skips, aloud, where there is no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/archive.sh

if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so the images were not run"
    exit 0
fi
run() {
    docker run ${PLATFORM:+--platform "$PLATFORM"} --rm --read-only --cap-drop ALL --security-opt no-new-privileges --network none "$@"
}
for variant in relay arm; do
    image=$(load "$variant")
    echo "loaded $image from $(loadable "$variant")"
    run "$image" --version
    run "$image" --verify-config --SocksPort 0 --ORPort 9001 --Nickname ci >/dev/null
    code=0
    run --entrypoint arm "$image" --version >/dev/null 2>&1 || code=$?
    [[ $variant,$code == arm,0 || $variant,$code == relay,127 ]] ||
        { echo "error: \`arm --version\` in $image ended with $code" >&2; exit 1; }
    user=$(docker image inspect --format '{{.Config.User}}' "$image")
    echo "$image runs read-only, without capabilities, as user $user"
done
