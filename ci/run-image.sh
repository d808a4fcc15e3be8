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
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
cargo build --quiet --locked --package xtask
for role in bridge middle exit; do
    mkdir -m 755 "$place/$role"
    target/debug/xtask --quiet torrc "$role" --nickname ci --contact-email tor@example.org \
        --address 203.0.113.1 --out "$place/$role/torrc" 2>/dev/null
done

for variant in relay arm; do
    image=$(load "$variant")
    echo "loaded $image from $(loadable "$variant")"
    run "$image" --version
    run "$image" --verify-config --SocksPort 0 --ORPort 9001 --Nickname ci >/dev/null
    for role in bridge middle exit; do
        run --mount "type=bind,source=$place/$role,target=/usr/local/etc/tor,readonly" "$image" \
            --verify-config | grep 'Configuration was valid' >/dev/null
    done
    code=0
    run --entrypoint arm "$image" --version >/dev/null 2>&1 || code=$?
    [[ $variant,$code == arm,0 || $variant,$code == relay,127 ]] ||
        { echo "error: \`arm --version\` in $image ended with $code" >&2; exit 1; }
    user=$(docker image inspect --format '{{.Config.User}}' "$image")
    echo "$image runs read-only, without capabilities, as user $user"
done
