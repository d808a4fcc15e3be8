#!/usr/bin/env bash
# To be sourced. DIST is where the images are, if not in dist/. With PLATFORM, as `linux/arm64`, and
# MACHINE, as `aarch64`, they are those for another machine than this one, which runs them by
# emulation; then PLATFORMS is where the images for several platforms are.
#
#   archive relay|arm    prints the path of that image
#   loadable relay|arm   prints the path of what Docker loads it from. One for another machine has
#                        a name of its own, and takes nobody's.
#   load relay|arm       has Docker load it, and prints its name there
shopt -s extglob
archive() {
    one_of_ "${DIST:-dist}/tor-*-${MACHINE:-$(uname -m)}-linux-musl" "$1"
}

loadable() {
    [[ -n ${PLATFORM:-} ]] || { archive "$1"; return; }
    one_of_ "${PLATFORMS:-dist/platforms}/tor-+([0-9.])" "$1"
}

load() {
    local path
    path=$(loadable "$1") || return
    docker load --quiet --input "$path" | sed -n 's/^Loaded image: //p' |
        grep -- "${PLATFORM:+-${PLATFORM##*/}}\$"
}

# one_of_ STEM VARIANT: the one file whose name begins so and ends as that image's.
one_of_() {
    local found=() all path ending=.tar
    [[ $2 == relay ]] || ending=-$2.tar
    # The stem is a pattern.
    # shellcheck disable=SC2206
    all=($1$ending)
    for path in "${all[@]}"; do
        [[ ! -e $path ]] || found+=("$path")
    done
    if ((${#found[@]} != 1)); then
        echo "error: expected one archive of the image '$2' as $1$ending, found ${#found[@]}" >&2
        return 1
    fi
    echo "${found[0]}"
}
