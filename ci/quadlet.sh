#!/usr/bin/env bash
# Lets podman's Quadlet read the units that `compose --systemd` writes: one relay of each role, and two
# side by side with addresses of their own. Skips, aloud, where there is no Quadlet.
#
# usage: ci/quadlet.sh [QUADLET...]   programs of other versions of podman than this machine's
set -euo pipefail
cd "$(dirname "$0")/.."

programs=("$@")
for program in /usr/libexec/podman/quadlet /usr/lib/podman/quadlet; do
    [[ ${#programs[@]} != 0 || ! -x $program ]] || programs=("$program")
done
if ((${#programs[@]} == 0)); then
    echo "SKIPPED: no Quadlet here (it comes with podman 4.4), so no unit was read by one"
    exit 0
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
. ci/relays.sh

# units NAME "ROLE..." OPTION...: the units of the torrcs of these roles.
units() {
    local name=$1 torrcs=() role
    for role in $2; do torrcs+=("$place/$role/torrc"); done
    xtask compose "${torrcs[@]}" --image "$image" --systemd --out "$place/units/$name" "${@:3}"
}
units middle middle
units exit exit
units bridge bridge
units two 'middle exit' --bind 192.0.2.1 --bind 192.0.2.2

for program in "${programs[@]}"; do
    for folder in "$place"/units/*; do
        expected=$(find "$folder" -name '*.container' | wc -l)
        said=$(QUADLET_UNIT_DIRS=$folder "$program" -dryrun 2>&1) || { echo "$said" >&2; exit 1; }
        made=$(grep --count '^ExecStart=.* run .*--health-cmd' <<<"$said") || true
        if [[ $expected == 0 || $made != "$expected" ]] || grep --quiet --ignore-case 'unsupported\|invalid\|error' <<<"$said"; then
            printf 'error: of %s units %s came out of %s:\n%s\n' "$expected" "$made" "${folder##*/}" "$said" >&2
            exit 1
        fi
    done
    echo "Quadlet of podman $("$program" --version) takes the units"
done
