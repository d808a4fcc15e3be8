#!/usr/bin/env bash
# Presses Ctrl-C in a terminal while a build goes on, at several moments, and looks at what stays on the
# screen: nothing that was being drawn. The sources have been fetched already.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v tmux >/dev/null; then
    echo "SKIPPED: no tmux here, so no interrupt was looked at"
    exit 0
fi
place=$(mktemp -d)
. ci/terminal.sh
finish() {
    close
    rm -rf "$place"
}
trap finish EXIT

cargo build --quiet --locked --package xtask
# Nothing is built yet, and the downloads are the usual ones.
cache=${RELAYSMITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaysmith}
mkdir -m 700 "$place/cache"
cp -R "$cache/downloads" "$place/cache/"

for width in 80 133; do
    for moment in '\[1/[0-9]+\] unpack the compiler[^:]*$' '\[[0-9]+/[0-9]+\] build [a-z0-9. -]+ [^a-z:.]* [0-9]+s'; do
        rm -rf "$place/cache/built"
        window "$width" 24 xterm-256color \
            "target/debug/xtask build-image --offline --without-arm --cache-dir $place/cache --out $place/dist"
        shows "$moment"
        tmux -S "$socket" send-keys -t shown C-c
        shows '^ended with 130'
        # What it said before, the interrupt, and how it ended; a line of progress has its seconds last.
        if left=$(screen | grep --extended-regexp '[0-9]+s *(\^C)?$|^\^C'); then
            failed "left over after Ctrl-C: $left"
        fi
        screen | grep '^warning: interrupted; run the same command again to continue from here$' >/dev/null ||
            failed "an interrupt was not reported"
        echo "Ctrl-C at \`$moment\`, $width columns: nothing is left over"
    done
done
