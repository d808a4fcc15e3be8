#!/usr/bin/env bash
# Lets the built tor read every torrc that `cargo xtask torrc` writes: each role with each of its
# options, alone and together; and one with an include, and one that tor refuses.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cargo build --quiet --locked --package xtask
xtask() { target/debug/xtask --quiet "$@"; }

count=0
check() {
    local role=$1 code=0
    shift
    xtask torrc "$role" --nickname relay1 --contact-email ada@example.org "$@" \
        --out "$place/torrc" --force 2>/dev/null </dev/null
    target/debug/xtask --json check-torrc "$place/torrc" --role "$role" >"$place/said" 2>/dev/null || code=$?
    if [[ $code != 0 ]] || ! grep --quiet '"tor_not_asked": null' "$place/said"; then
        echo "error: torrc $role $*: code $code" >&2
        cat "$place/torrc" "$place/said" >&2
        exit 1
    fi
    count=$((count + 1))
}

common=(
    "--contact-name Ada" "--obfuscate-email" "--ciiss" "--address 203.0.113.1"
    "--ipv6 2001:db8::1" "--or-port 443" "--rate 100Mbit" "--rate 100Mbit --burst 200Mbit"
    "--accounting-max 100TB" "--accounting-max 100TB --accounting-start day@00:00"
    "--control-socket /tordata/other.sock" "--control-port 9051" "--metrics-port 9035"
    "--metrics" "--metrics=192.168.7.0/24 --metrics-port 9036"
    "--offline-master-key"
)
family="--my-family 65E45DB4F4C312B8B23790937E6EB819204F67F3"
for role in bridge middle exit; do
    case $role in
    bridge) own=("--bridge-distribution none" "--bridge-distribution email") ;;
    middle) own=("$family" "--family-id *") ;;
    exit) own=("$family" "--exit-policy web" "--exit-policy reduced" "--exit-policy full" "--exit-policy guide-2016") ;;
    esac
    check "$role"
    for options in "${common[@]}" "${own[@]}"; do
        read -ra words <<<"$options"
        check "$role" "${words[@]//@/ }"
    done
    check "$role" --ciiss --address 203.0.113.1 --ipv6 2001:db8::1 --or-port 443 --rate 100Mbit \
        --burst 200Mbit --control-port 9051 --metrics-port 9035 --offline-master-key
done

# What is included is at its place in the container, and nowhere else.
mkdir "$place/torrc.d"
echo 'NumCPUs 2' >"$place/torrc.d/cpus"
check middle
echo '%include /usr/local/etc/tor/torrc.d/*' >>"$place/torrc"
xtask check-torrc "$place/torrc" --role middle
echo 'VirtualAddrNetworkIPv4 10.192.0.0/24' >"$place/torrc.d/cpus"
if said=$(xtask check-torrc "$place/torrc" --role middle 2>&1) || ! grep --quiet 'error: tor says: .*\[tor\]' <<<"$said"; then
    printf 'error: expected tor to refuse it, got:\n%s\n' "$said" >&2
    exit 1
fi
# On a terminal what is wrong is in colour, and nothing else steers it.
printf 'Nickname a\033[2Jb\n' >"$place/torrc"
TERM=xterm script --quiet --command "target/debug/xtask check-torrc '$place/torrc' --without-tor" \
    /dev/null >"$place/said" </dev/null
if ! grep --quiet $'\033\\[1;31merror\033\\[0m: ' "$place/said" ||
    sed $'s/\033\\[[01;]*[0-9]*m//g' "$place/said" | grep --quiet $'\033'; then
    echo "error: on a terminal it says:" >&2
    cat --show-nonprinting "$place/said" >&2
    exit 1
fi
# What the check says of some hundreds of other torrcs is what this tor says.
cargo test --quiet --locked --package relaysmith --test torrcs 2>&1 | tee "$place/agrees"
if grep --quiet SKIPPED "$place/agrees"; then
    echo "error: the built tor was not found" >&2
    exit 1
fi
echo "tor takes all $count torrc files, and refuses one that is wrong"
