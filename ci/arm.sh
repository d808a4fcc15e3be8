#!/usr/bin/env bash
# Looks through `arm` as people do: the image in dist/ is unpacked, its tor runs, and a
# terminal (tmux) shows what arm draws, page by page, for each kind of terminal, by cookie and
# by password, while the window changes its size. With a container engine, the same once more
# by `docker exec`.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/archive.sh

place=$(mktemp -d)
. ci/terminal.sh
root=$place/root tor_pid=''
container=relaysmith-arm-$$
finish() {
    close
    [[ -z $tor_pid ]] || kill "$tor_pid" 2>/dev/null || true
    docker rm --force "$container" >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap finish EXIT

# The files of the image.
archive=$(archive arm)
mkdir -p "$place/archive" "$root"
tar -xf "$archive" -C "$place/archive"
grep -o '"Layers":\[[^]]*\]' "$place/archive/manifest.json" | grep -o 'blobs/sha256/[0-9a-f]*' |
    while read -r layer; do
        tar -xzf "$place/archive/$layer" -C "$root" --no-same-owner
    done
mkdir -p "$root/proc" "$root/dev"
chmod 700 "$root/tordata"

# Runs a command with these files and no others, as the user of the image.
cat >"$place/inside" <<'SCRIPT'
#!/bin/sh -eu
exec unshare --user --map-root-user --mount sh -euc '
    root=$1
    shift
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec env -i PATH=/usr/local/sbin:/usr/local/bin TERM="${TERM:-dumb}" "$(command -v unshare)" \
        --user --map-user=45553 --map-group=45553 --root="$root" --wd=/ "$@"' \
    sh "${0%/*}/root" "$@"
SCRIPT
chmod +x "$place/inside"

# A port that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
control=$(free_port) or=$(free_port) password='open sesame'

# A relay of a network that has nobody else in it; nothing leaves this machine.
options=(--TestingTorNetwork 1 --Nickname armtest --Address 127.0.0.1
    --ORPort "127.0.0.1:$or" --PublishServerDescriptor 0 --AssumeReachable 1 --SocksPort 0
    --DirAuthority "nobody orport=9 no-v2 v3ident=$(printf %040d 1) 127.0.0.1:9 $(printf %040d 1)"
    --ControlPort "127.0.0.1:$control" --ControlSocket /tordata/control.sock --ContactInfo none)
printf 'Nickname armtest\n# how arm shows it\n' >"$root/usr/local/etc/tor/torrc"

# start_tor OPTION...: the relay, with these options for its control port.
start_tor() {
    if [[ -n $tor_pid ]]; then
        kill "$tor_pid"
        wait "$tor_pid" || true
    fi
    "$place/inside" tor "${options[@]}" "$@" >"$place/tor.log" 2>&1 &
    tor_pid=$!
    for ((i = 0; i < 600 * patience; i++)); do
        if (: <>"/dev/tcp/127.0.0.1/$control") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo 'error: tor does not start:' >&2
    cat "$place/tor.log" >&2
    exit 1
}

keys() { tmux -S "$socket" send-keys -t shown "$@"; }
resize() { tmux -S "$socket" resize-window -t shown -x "$1" -y "$2"; }

# walk [CONNECTIONS]: every page, a key of each, other sizes, the end. Its own connection is
# on the page of connections.
walk() {
    local connections=${1:-'Connections \(.*1 control'}
    shows 'page 1 / 5' 'armtest - 127\.0\.0\.1' 'Tor 0\.4\.' 'fingerprint: [0-9A-F]{40}' \
        'Download' 'Upload' '^ +5s +10 +15' 'Events \(TOR/NYX NOTICE-ERR\)'
    keys h
    shows 'Page 1 Commands' 'graphed stats'
    keys z
    hides 'Page 1 Commands'
    keys s
    shows 'Graphed Stats:' 'Connections'
    keys Escape
    hides 'Graphed Stats:'

    resize 200 60
    shows '^ +10s +20 .* 1m ' 'flags: none +exit policy: '
    resize 132 43
    hides ' 1m '
    resize 80 24
    shows '^ +5s +10 +15 +20 +25 +5s'

    keys Right
    shows 'page 2 / 5' "$connections"
    keys s
    shows 'Connection Ordering:'
    keys Escape
    hides 'Connection Ordering:'

    keys Right
    shows 'page 3 / 5' "press 'a' to show all" 'BandwidthBurst \(General Option\)' \
        'DataDirectory +/tordata'
    keys Down
    shows 'BandwidthRate \(General Option\)'
    keys a
    shows "press 'a' to hide most"

    keys Right
    shows 'page 4 / 5' '1 Nickname +armtest' '2 # how arm shows it'
    keys s
    hides 'how arm shows it'

    keys Right
    shows 'page 5 / 5' 'press enter'
    keys Enter
    keys 'GETINFO config-file' Enter
    shows 'config-file=/usr/local/etc/tor/torrc'
    keys Enter
    keys Escape

    keys Left
    shows 'page 4 / 5'
    keys q
    shows 'q again to confirm'
    keys q
    shows 'ended with 0'
}

# The processor's time of what runs in the window, in milliseconds.
worked() {
    local shell pid stat
    shell=$(tmux -S "$socket" display-message -p -t shown '#{pane_pid}')
    read -r pid <"/proc/$shell/task/$shell/children" || [[ -n $pid ]]
    read -r -a stat <"/proc/$pid/stat"
    echo $(((stat[13] + stat[14]) * 1000 / $(getconf CLK_TCK)))
}

# By cookie, in each terminal; and how long the first page takes, at best.
arm="'$place/inside' arm -i $control" fastest=99999 least=99999
start_tor --CookieAuthentication 1
for term in xterm-256color screen-256color tmux-256color linux vt100; do
    began=$(date +%s%N)
    window 80 24 "$term" "$arm"
    shows 'page 1 / 5'
    took=$((($(date +%s%N) - began) / 1000000)) work=$(worked)
    ((took >= fastest)) || fastest=$took
    ((work >= least)) || least=$work
    walk
    echo "arm in $term: its pages, by cookie"
done
# What else the machine does lengthens the time by the clock, and hardly that of the processor.
echo "the first page took $fastest ms by the clock, terminal and all, and $least ms of the processor"
((least < 1500 * patience)) || failed 'that is too long'

# By the socket that `cargo xtask torrc` asks tor for.
window 80 24 xterm-256color "'$place/inside' arm -s /tordata/control.sock"
walk 'Connections:'
echo 'arm by the control socket: its pages'

# Under its other name, by password.
start_tor --CookieAuthentication 0 --HashedControlPassword "$("$place/inside" tor --hash-password "$password" | tail -n 1)"
window 80 24 xterm-256color "'$place/inside' nyx -i $control"
shows 'Tor controller password:'
keys "$password" Enter
walk
echo 'nyx: its pages, by password'

# What cannot be reached is said, in a sentence.
says() {
    shows "$1" 'ended with 1'
    ! screen | grep Traceback >/dev/null || failed 'it does not know what to say'
}
window 80 24 xterm-256color "$arm"
shows 'Tor controller password:'
keys wrong Enter
says 'Incorrect password'
window 80 24 xterm-256color "'$place/inside' arm -i $(free_port)"
says 'Unable to connect to 127.0.0.1:[0-9]+: .*Connection refused'
window 80 24 unheard-of "$arm"
says 'unheard-of'
echo 'what is wrong is said'

# A relay in a container, as it should run.
if ! docker info >/dev/null 2>&1; then
    echo "SKIPPED: no Docker daemon here, so 'docker exec -ti … arm' was not tried"
    exit 0
fi
image=$(load arm)
docker run ${PLATFORM:+--platform "$PLATFORM"} --detach --name "$container" --read-only --cap-drop ALL \
    --security-opt no-new-privileges --network none \
    --volume "$root/usr/local/etc/tor/torrc:/usr/local/etc/tor/torrc:ro" \
    "$image" "${options[@]}" --CookieAuthentication 1 >/dev/null
for ((i = 0; i < 600 * patience; i++)); do
    if docker logs "$container" 2>&1 | grep --quiet 'Opened Control listener'; then break; fi
    sleep 0.1
done
window 80 24 xterm-256color "docker exec -ti --env TERM $container arm -i $control"
walk
echo 'arm in a container, read-only, without capabilities: its pages'
