#!/usr/bin/env bash
# Parts of a long run, one after the other or side by side, each with a log of its own and its
# time. To be sourced; the folder of the logs is $logs.
#
#   part NAME COMMAND...     runs the command and waits for it; its output is shown
#   beside NAME COMMAND...   starts the command; its output is shown when it has ended
#   steady COMMAND...        runs the command, and a second time if it fails, saying so: for what
#                            waits for several programs at once, on a machine that may be slow
#   settle                   waits for all that was started beside, and goes on whatever came of it
#   together                 waits for all that was started beside; ends the run if any of it failed
#
# A part that fails ends the run, once those beside it have ended. The times are printed at the
# end, whatever it is, and after them once more the last lines of each part that failed: who reads
# a long log reads its end first.

: "${logs:?}"
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs"/*.time
declare -A beside_=()
began_=$SECONDS

# The command, its output in the log, its time in a file.
timed_() {
    local name=$1 begun=$SECONDS code=0
    shift
    "$@" >"$logs/$name.log" 2>&1 || code=$?
    echo "$((SECONDS - begun)) $code $name" >"$logs/$name.time"
    return "$code"
}

steady() {
    "$@" && return
    echo "WARNING: failed, and is tried once more: $*"
    "$@" || return
    echo "WARNING: passed at the second try only: $*"
}

part() {
    local name=$1 begun=$SECONDS code=0
    shift
    echo "== $name: $*"
    # Without a condition around it, a failure inside a function ends it as it ends a script.
    "$@" 2>&1 | tee "$logs/$name.log" || code=$?
    echo "$((SECONDS - begun)) $code $name" >"$logs/$name.time"
    [[ $code == 0 ]] || { echo "error: $name failed" >&2; exit 1; }
}

beside() {
    local name=$1
    echo "== $name, beside the rest: ${*:2}"
    timed_ "$@" &
    beside_[$name]=$!
}

settle() {
    local job
    for job in "${beside_[@]}"; do
        wait "$job" || true
    done
}

together() {
    local name failed=()
    for name in "${!beside_[@]}"; do
        echo "== $name:"
        wait "${beside_[$name]}" || failed+=("$name")
        cat "$logs/$name.log"
    done
    beside_=()
    ((${#failed[@]} == 0)) || { echo "error: failed: ${failed[*]}" >&2; exit 1; }
}

times_() {
    local code=$? job
    settle
    echo "== seconds by the clock, of $((SECONDS - began_)) together; the logs are in $logs"
    sort --numeric-sort --reverse "$logs"/*.time |
        awk '{ printf "%6d  %s%s\n", $1, $3, $2 == 0 ? "" : ": failed with " $2 }'
    grep '^WARNING: passed at the second try' "$logs"/*.log || true
    awk '$2 != 0 { print $3 }' "$logs"/*.time | while read -r job; do
        echo "== the end of $logs/$job.log"
        tail -n 60 "$logs/$job.log"
    done
    exit "$code"
}
trap times_ EXIT
