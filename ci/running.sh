#!/usr/bin/env bash
# Runs every command of docs/running.md, in its order, in a directory of its own, and looks
# whether the relay keeps its identity. The image is in dist/ already. Skips, aloud, where
# there is no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so docs/running.md was not run"
    exit 0
fi

place=$(mktemp -d)
mkdir "$place/relay"
finish() {
    docker rm --force tor-myrelay tor-mybridge >/dev/null 2>&1 || true
    docker network rm relay_default bridge_default >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap finish EXIT

# What the page's machine has and this one may lack.
sudo() { "$@"; }
((EUID == 0)) || unset -f sudo
docker() {
    if [[ $1 != compose ]]; then
        command docker "$@"
        return
    fi
    # `--file F`, then this file, then the rest.
    set -- "$2" "$3" --file "$place/internal.yaml" "${@:4}"
    if command docker compose version >/dev/null 2>&1; then
        command docker compose "$@"
    else
        docker-compose "$@"
    fi
}
# This relay is none of the real network: it reaches nobody.
printf 'networks:\n  default:\n    internal: true\n' >"$place/internal.yaml"
# await CONTAINER TEXT: until the relay, since it was started last, has logged this.
await() {
    local started
    started=$(command docker inspect --format '{{.State.StartedAt}}' "$1")
    for _ in {1..60}; do
        if command docker logs --since "$started" "$1" 2>&1 | grep --quiet "$2"; then
            return
        fi
        sleep 0.5
    done
    echo "error: $1 did not log \`$2\`:" >&2
    command docker logs --since "$started" "$1" >&2
    return 1
}
limit=$(ulimit -Hn)
cargo() {
    # An engine without rights of its own cannot allow more open files than it may have.
    if [[ $2 == compose && $limit != unlimited && $limit -lt 65536 ]]; then
        command cargo "$@" --open-files "$limit"
    else
        command cargo "$@"
    fi
}

# The blocks of commands, less the build, which is done.
# The image with obfs4 goes to a place of its own.
commands=$(awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' docs/running.md |
    grep -v '^cargo xtask build-image$' |
    sed "s#/srv/relay#$place/relay#; s#relay\(-keys\)\?\.tar#$place/&#; s#dist/obfs4#$place/obfs4#")

# Names that the page does not use.
before_='' run_=0 command_=''
while IFS= read -r line; do
    command_+=$line$'\n'
    # Up to where a command ends.
    if [[ $line == *\\ ]] || ! bash -n <<<"$command_" 2>/dev/null; then continue; fi
    run_=$((run_ + 1))
    echo "+ ${command_%$'\n'}"
    eval "$command_" </dev/null
    if [[ $command_ == *'"$BRIDGE/compose.yaml" up --detach'* ]]; then
        await tor-mybridge 'Registered server transport'
    elif [[ $command_ == *' up --detach'* ]]; then
        await tor-myrelay 'identity key ed25519 fingerprint'
        [[ $(command docker inspect --format '{{.State.Running}}' tor-myrelay) == true ]]
        now_=$(cat "$place/relay/data/myrelay/fingerprint")
        [[ -z $before_ || $now_ == "$before_" ]] || { echo "error: $before_ became $now_" >&2; exit 1; }
        before_=$now_
    elif [[ $command_ == *'kill --signal HUP'* ]]; then
        await tor-myrelay 'Received reload signal'
    elif [[ $command_ == *' --directory "$RELAY" .'* ]]; then
        # The other host has nothing yet.
        rm -rf "$place/relay"
    fi
    command_=''
done <<<"$commands"
[[ -z $command_ && $run_ -ge 20 && -n $before_ ]]
echo "docs/running.md: $run_ commands run; the relay stayed $before_"
