#!/usr/bin/env bash
# What one would type without relaysmith: the same compiler, flags, configure and make, one
# component after the other with `make -jN`, for tor and for arm. The other side of ci/bench.sh.
# Needs user namespaces, for the paths, and patch, and an x86_64 machine, which it compiles for.
#
# usage: ci/sequential.sh DOWNLOADS FOLDER JOBS
#   DOWNLOADS  a folder with the sources under their own names, and `epochs`: for each component its
#              name and its date in seconds, as SOURCE_DATE_EPOCH has it
#   FOLDER     an empty folder to work in
set -euo pipefail
if [[ $(uname -m) != x86_64 ]]; then
    echo "error: this script needs an x86_64 machine, and this one is $(uname -m)" >&2
    exit 1
fi
recipes=$(cd "$(dirname "$0")/../src/build/recipe" && pwd)
patches=$(cd "$(dirname "$0")/../patches" && pwd)
downloads=$(realpath "$1") work=$(realpath "$2") jobs=$3
cd "$work"

mkdir -p toolchain/bin toolchain/libexec/lib toolchain/include tools out
python3 - "$downloads"/ziglang-*.whl <<'END'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    kept = ('ziglang/zig', 'ziglang/lib/include/', 'ziglang/lib/libc/include/x86-linux-any/',
            'ziglang/lib/libc/include/any-linux-any/')
    wheel.extractall('wheel', [name for name in wheel.namelist() if name.startswith(kept)])
END
mv wheel/ziglang/zig toolchain/libexec/zig
mv wheel/ziglang/lib/include toolchain/include/clang
mv wheel/ziglang/lib/libc/include/x86-linux-any toolchain/include/x86_64
mv wheel/ziglang/lib/libc/include/any-linux-any toolchain/include/linux
chmod +x toolchain/libexec/zig
cat >toolchain/bin/cc <<'END'
#!/tools/sh
set -- --target=x86_64-linux-musl --sysroot=/nonexistent -fno-ident \
    -mllvm -disable-fp-call-folding -nostdinc -isystem /toolchain/include/clang \
    -isystem /deps/musl/include -isystem /toolchain/include/x86_64 \
    -isystem /toolchain/include/linux "$@"
for argument do
    case $argument in -c | -E | -S) exec /toolchain/libexec/zig clang "$@" ;; esac
done
export LLD_VERSION='Linker: LLD'
exec /toolchain/libexec/zig clang -fPIE -Wno-unused-command-line-argument -nostdlib -static-pie \
    --ld-path=/toolchain/bin/ld \
    -Wl,-O2,--gc-sections,--build-id=none,-z,relro,-z,now,-z,stack-size=16777216 \
    -L/deps/musl/lib /deps/musl/lib/rcrt1.o "$@" /deps/musl/lib/libc.a
END
for pair in ar:ar ranlib:ranlib ld:ld.lld; do
    printf '#!/tools/sh\nexec /toolchain/libexec/zig %s "$@"\n' "${pair#*:}" \
        >"toolchain/bin/${pair%:*}"
done
chmod +x toolchain/bin/*
for tool in $(sed -n '/pub const TOOLS/,/];/p' "$recipes/../sandbox/root.rs" | grep -o '"[a-z]*"' | tr -d '"'); do
    ln -s "$(realpath "$(PATH=/usr/bin:/bin type -P "$tool")")" "tools/$tool"
done
cflags=$(sed -n '/^const CFLAGS/,/;$/p' "$recipes/mod.rs" | tr -d '\\\n' | tr -s ' ' | sed 's/.*"\(.*\)".*/\1/')

# step NAME ARCHIVE NEED...
step() {
    local name=$1 archive=$2 epoch
    shift 2
    epoch=$(sed -n "s/^$name //p" "$downloads/epochs")
    rm -rf build
    mkdir -p build/src build/files
    tar -xf "$archive" -C build/src --strip-components 1 --no-same-owner
    for patch in "$patches/$name"/*.patch; do
        [[ ! -e $patch ]] || patch --silent --strip=1 --directory=build/src <"$patch"
    done
    [[ ! -d $recipes/$name ]] || cp "$recipes/$name"/* build/files/
    unshare --user --map-root-user --mount --net --fork --kill-child bash -euc '
        for place in build toolchain tools; do mkdir -p root/$place; done
        for folder in usr bin lib lib64 sbin dev proc tmp; do
            [ -e /$folder ] || continue
            mkdir -p root/$folder
            mount --rbind /$folder root/$folder
        done
        for place in build toolchain tools; do mount --bind $place root/$place; done
        name=$1 recipe=$2 jobs=$3 cflags=$4 epoch=$5
        shift 5
        for need in "$@"; do
            mkdir -p root/deps/$need
            mount --bind out/$need root/deps/$need
        done
        cp "$recipe" build/recipe
        exec chroot root /usr/bin/env -i AR=ar BUILD=x86_64-pc-linux-gnu CC=cc CFLAGS="$cflags" \
            CONFIG_SHELL=/tools/sh HOME=/build LC_ALL=C MAKEFLAGS=-j$jobs \
            PATH=/toolchain/bin:/tools PERL_HASH_SEED=0 RANLIB=ranlib SHELL=/tools/sh TZ=UTC \
            SOURCE_DATE_EPOCH=$epoch TARGET=x86_64-linux-musl \
            /tools/sh -euc "cd /build/src; . /build/recipe"
    ' bash "$name" "$recipes/$name.sh" "$jobs" "$cflags" "$epoch" "$@" >"$name.log" 2>&1
    mv build/out "out/$name"
}

mkdir root
step musl "$downloads"/musl-*.tar.gz
step openssl "$downloads"/openssl-*.tar.gz musl
step libevent "$downloads"/libevent-*.tar.gz musl
step zstd "$downloads"/libzstd_*.tar.xz musl
step zlib "$downloads"/zlib_*.tar.gz musl
step mimalloc "$downloads"/libmimalloc-sys-*.crate musl
step tor "$downloads"/tor-*.tar.gz musl openssl libevent zstd zlib mimalloc
step tic "$downloads"/ncurses-*.tgz musl
step ncurses "$downloads"/ncurses-*.tgz musl tic
step sqlite "$downloads"/sqlite3_*.tar.xz musl
step python "$downloads"/Python-*.tar.xz musl ncurses sqlite zlib
step stem "$downloads"/stem-*.tar.gz musl
step nyx "$downloads"/nyx_*.tar.gz musl python stem ncurses sqlite zlib
