#!/usr/bin/env bash
# To be sourced: what a program draws on a terminal, by tmux. `$place` is a folder of the script's own, whose
# `finish` calls `close`.

# How many times longer than usual to wait: where the image is for another machine and emulated.
# What is waited for comes within a second on a quiet machine; a minute is for one that has five
# other things to do.
patience=${PATIENCE:-1}

windows=0
socket=${place:?}/tmux-0

# window WIDTH HEIGHT TERM COMMAND: a terminal with the command in it, which says how it ended.
window() {
    close
    windows=$((windows + 1)) socket=$place/tmux-$windows
    tmux -u -S "$socket" -f /dev/null new-session -d -s shown -x "$1" -y "$2" \
        "TERM=$3; export TERM; $4; echo \"ended with \$?\"; sleep 1000"
}
close() { tmux -S "$socket" kill-server 2>/dev/null || true; }
screen() { tmux -S "$socket" capture-pane -p -t shown; }
screen_in_colour() { tmux -S "$socket" capture-pane -p -e -t shown; }

# shows PATTERN...: waits until all of them are on the screen.
shows() {
    local pattern
    for pattern in "$@"; do
        for ((i = 0; i < 1200 * patience; i++)); do
            if screen | grep --extended-regexp -- "$pattern" >/dev/null; then continue 2; fi
            sleep 0.05
        done
        failed "\`$pattern\` did not appear"
    done
}
# hides PATTERN: waits until it is not.
hides() {
    for ((i = 0; i < 1200 * patience; i++)); do
        if ! screen | grep --extended-regexp -- "$1" >/dev/null; then return; fi
        sleep 0.05
    done
    failed "\`$1\` did not go away"
}
failed() {
    echo "error: $*; the screen:" >&2
    screen >&2 || true
    exit 1
}
