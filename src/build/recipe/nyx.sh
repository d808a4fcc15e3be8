# One program with Python in it, and the modules that it imports, compiled.
files=/build/files
stdlib=/deps/python/lib/python3.13
# Of two Pythons, the one for the machine that builds.
python=/deps/build-python
[ -d $python ] || python=/deps/python
run() { $python/bin/python3.13 -I -B "$@"; }

# What is imported decides what is in the image; modules.txt shows it to who reads a change.
run $files/closure.py $stdlib . /deps/stem $files/left-out.txt > closure.txt
diff $files/modules.txt closure.txt || {
    echo 'error: nyx reaches other modules than src/build/recipe/nyx/modules.txt says (left: it, right: nyx)' >&2
    exit 1
}
run $files/pack.py closure.txt $stdlib . /deps/stem /build/out/lib/nyx
run $files/inittab.py closure.txt $stdlib/config.c > $files/inittab.h

# program OUTPUT DEFINITION...: compiles the launcher. Its table of modules comes before the
# library's own, and what it does not name is not linked.
program() {
    output=$1
    shift
    cc $CFLAGS -I/deps/python/include/python3.13 "$@" -c $files/launcher.c -o launcher.o
    cc launcher.o -o "$output" -s -Wl,--gc-sections -L/deps/python/lib -L/deps/ncurses/lib \
        -L/deps/sqlite/lib -L/deps/zlib/lib \
        -lpython3.13 -lHacl_Hash_SHA2 -lncursesw -lsqlite3 -lz -lm
}
# Nothing may be missing from it: the same, but it imports every module, after nyx: some only
# work in the order in which it imports them. For another machine it cannot run; then nyx was
# built for this one too and passed, and has the same modules, built in and packed.
if [ $python = /deps/python ]; then
    program check -DNYX_CHECK '-DNYX_LIB=L"/build/out/lib/nyx"'
    ./check nyx $(sed 's/.* //' closure.txt)
else
    diff $python/lib/python3.13/config.c $stdlib/config.c
    diff -r /deps/build-nyx/lib/nyx /build/out/lib/nyx
fi
mkdir -p /build/out/bin /build/out/licenses
program /build/out/bin/nyx
cp LICENSE /build/out/licenses/nyx
