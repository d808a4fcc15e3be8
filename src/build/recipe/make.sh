# GNU make from its own script, for there is no make yet. Debian's tarball has no doc/, but
# configure wants its makefile.
mkdir -p doc
: > doc/Makefile.in
./configure --build="$BUILD" --host="$TARGET" --disable-nls --disable-dependency-tracking \
    --without-guile
./build.sh
mkdir -p /build/out/bin
cp make /build/out/bin/
