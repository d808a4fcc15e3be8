#!/usr/bin/env bash
# Puts a release together and pushes it as the workflow would, but to a registry on this
# machine; then looks at what arrived there.
#
# usage: ci/release.sh [OPTION...]   options of `cargo xtask release`, as `--platform`
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked --package xtask
target/debug/xtask release --dry-run "$@"
if ! command -v skopeo >/dev/null || ! command -v docker-registry >/dev/null; then
    echo "SKIPPED: no skopeo or no docker-registry here, so nothing was pushed to try it"
    exit 0
fi

scratch=$(mktemp -d)
registry=
cleanup() {
    [[ -z $registry ]] || kill "$registry"
    rm -rf "$scratch"
}
trap cleanup EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
host=127.0.0.1:$port
cat >"$scratch/config.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $scratch/data}}
http: {addr: "$host"}
END
# Plain HTTP, for this one registry: skopeo looks below the user's home.
export HOME=$scratch
mkdir -p "$HOME/.config/containers"
printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host" \
    >"$HOME/.config/containers/registries.conf"
docker-registry serve "$scratch/config.yml" >"$scratch/log" 2>&1 &
registry=$!
for ((i = 0; i < 100; i++)); do
    ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    sleep 0.1
done

ci/push.sh dist/release "$host/tor"
while read -r archive tag digest; do
    for reference in "$host/tor:$tag" "$host/tor@$digest"; do
        arrived=$(skopeo inspect --format '{{.Digest}}' "docker://$reference")
        [[ $arrived == "$digest" ]] || { echo "error: $reference is $arrived" >&2 && exit 1; }
    done
    skopeo copy --all --quiet "docker://$host/tor@$digest" "dir:$scratch/$tag"
    [[ $(sha256sum <"$scratch/$tag/manifest.json") == "${digest#sha256:}  -" ]]
    echo "$archive arrived as $digest"
done <dist/release/IMAGES

# Nothing else can be pushed under that digest.
other=$(sed -n 's/ .*//p; 1q' dist/release/IMAGES)
wrong=sha256:$(printf '0%.0s' {1..64})
if skopeo copy --all --quiet --preserve-digests "oci-archive:dist/release/$other" \
    "docker://$host/tor@$wrong" 2>/dev/null; then
    echo "error: the registry took an image under another digest" >&2
    exit 1
fi

# A release from elsewhere is the same, and one with another file is not.
other=$scratch/other
cp -R dist/release "$other"
sum() { (cd "$other" && awk '{ print $2 }' SHA256SUMS | xargs sha256sum >new && mv new SHA256SUMS); }
sed -i 's/"root": "[^"]*"/"root": "elsewhere"/' "$other"/*.provenance.json
sum
ci/compare.sh dist/release "$other"
echo | tee --append "$other"/hashes-*.json >/dev/null
sum
if ci/compare.sh dist/release "$other" >/dev/null 2>&1; then
    echo "error: a release with another file passes for the same" >&2
    exit 1
fi
