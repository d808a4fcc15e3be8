#!/usr/bin/env bash
# What one would type without relaysmith: the same compiler, flags, configure and make, one
# component after the other with `make -jN`. The other side of ci/bench.sh. Needs user
# namespaces, for the paths.
#
# usage: ci/sequential.sh DOWNLOADS FOLDER JOBS
#   DOWNLOADS  a folder with the sources under their own names
#   FOLDER     an empty folder to work in
set -euo pipefail
recipes=$(cd "$(dirname "$0")/../src/build/recipe" && pwd)
downloads=$(realpath "$1") work=$(realpath "$2") jobs=$3
cd "$work"

mkdir -p toolchain/bin tools out cache
python3 -m zipfile -e "$downloads"/ziglang-*.whl wheel
mv wheel/ziglang toolchain/zig
chmod +x toolchain/zig/zig
cat >toolchain/bin/cc <<'END'
#!/tools/sh
zig=/toolchain/zig
set -- --target=x86_64-linux-musl --sysroot=/nonexistent -nostdinc -isystem $zig/lib/include \
    -isystem /deps/musl/include -isystem $zig/lib/libc/include/x86-linux-any \
    -isystem $zig/lib/libc/include/any-linux-any "$@"
for argument do
    case $argument in -c | -E | -S) exec $zig/zig clang "$@" ;; esac
done
exec $zig/zig clang -fPIE -Wno-unused-command-line-argument -nostdlib -static-pie \
    --ld-path=/toolchain/bin/ld -L/deps/musl/lib -Wl,-O2,--gc-sections,-z,relro,-z,now \
    /deps/musl/lib/rcrt1.o "$@" /deps/musl/lib/libc.a
END
for pair in ar:ar ranlib:ranlib ld:ld.lld; do
    printf '#!/tools/sh\nexec /toolchain/zig/zig %s "$@"\n' "${pair#*:}" >"toolchain/bin/${pair%:*}"
done
chmod +x toolchain/bin/*
for tool in $(sed -n '/pub const TOOLS/,/];/p' "$recipes/../sandbox/root.rs" | grep -o '"[a-z]*"' | tr -d '"'); do
    ln -s "$(realpath "$(PATH=/usr/bin:/bin type -P "$tool")")" "tools/$tool"
done
cflags=$(sed -n '/^const CFLAGS/,/;$/p' "$recipes/mod.rs" | tr -d '\\\n' | sed 's/.*"\(.*\)".*/\1/')

# step NAME ARCHIVE NEED...
step() {
    local name=$1 archive=$2
    shift 2
    rm -rf build
    mkdir -p build/src
    case $archive in
    *.tar.gz | *.crate) tar -xzf "$archive" -C build/src --strip-components 1 --no-same-owner ;;
    esac
    unshare --user --map-root-user --mount --net --fork --kill-child bash -euc '
        for place in build toolchain tools; do mkdir -p root/$place; done
        for folder in usr bin lib lib64 sbin dev proc tmp; do
            [ -e /$folder ] || continue
            mkdir -p root/$folder
            mount --rbind /$folder root/$folder
        done
        for place in build toolchain tools; do mount --bind $place root/$place; done
        name=$1 recipe=$2 jobs=$3 cflags=$4
        shift 4
        for need in "$@"; do
            mkdir -p root/deps/$need
            mount --bind out/$need root/deps/$need
        done
        cp "$recipe" build/recipe
        exec chroot root /usr/bin/env -i AR=ar BUILD=x86_64-pc-linux-gnu CC=cc CFLAGS="$cflags" \
            CONFIG_SHELL=/tools/sh HOME=/build LC_ALL=C MAKEFLAGS=-j$jobs \
            PATH=/toolchain/bin:/tools PERL_HASH_SEED=0 RANLIB=ranlib SHELL=/tools/sh TZ=UTC \
            SOURCE_DATE_EPOCH=1782345600 TARGET=x86_64-linux-musl \
            /tools/sh -euc "cd /build/src; . /build/recipe"
    ' bash "$name" "$recipes/$name.sh" "$jobs" "$cflags" "$@" >"$name.log" 2>&1
    mv build/out "out/$name"
}

mkdir root
step musl "$downloads"/musl-*.tar.gz
step zlib "$downloads"/libz-sys-*.crate musl
step zstd "$downloads"/zstd-sys-*.crate musl
step libevent "$downloads"/libevent-*.tar.gz musl
step openssl "$downloads"/openssl-*.tar.gz musl
step mimalloc "$downloads"/libmimalloc-sys-*.crate musl
step tor "$downloads"/tor-*.tar.gz musl openssl libevent zstd zlib mimalloc
