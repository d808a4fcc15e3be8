#!/usr/bin/env bash
# A build that is not what was recorded ends with a code of its own and names what differs, also
# where another user of the image explains some of it. Uses what is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

xtask=$PWD/target/debug/xtask
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git ls-files -z | tar --create --null --files-from - | tar --extract --directory "$clone"
cd "$clone"

# expect CODE TEXT ARGUMENT...: how build-image ends and what it says.
expect() {
    local code=0
    "$xtask" --quiet build-image "${@:3}" >out 2>&1 || code=$?
    if [[ $code != "$1" ]] || ! grep --quiet --fixed-strings -- "$2" out; then
        cat out >&2
        echo "error: build-image ${*:3}: expected exit code $1 and \"$2\", got $code" >&2
        exit 1
    fi
    echo "exit code $1 and \"$2\": build-image ${*:3}"
}

expect 0 'same as hashes/'
record=$(sed -n 's/.*same as \(hashes.*json\).*/\1/p' out)
expect 0 "except for what --uid 12345 changes" --uid 12345

# Another tor than the one that is built here.
sed -i '0,/"bin\/tor": "sha256:..../s//"bin\/tor": "sha256:0000/' "$record"
expect 1 'contradicts itself'
tree=$(sed -n 's/.*`files` is \(sha256:[0-9a-f]*\).*/\1/p' out)
was=$(sed -n 's/.*component `tor` is \(sha256:[0-9a-f]*\),.*/\1/p' out)
sed -i "s/$was/$tree/" "$record"
expect 3 'bin/tor'
expect 3 'bin/tor' --uid 12345
