# The programs that turn ncurses' descriptions of terminals into its tables, for the machine
# that builds. From the source of ncurses, so that both know the same capabilities.
./configure --build="$BUILD" --host="$TARGET" BUILD_CC=cc \
    --without-shared --without-debug --without-ada --without-cxx --without-cxx-binding \
    --without-manpages --without-tests --without-gpm --without-dlsym --without-pkg-config \
    --disable-stripping --disable-home-terminfo \
    --with-terminfo-dirs=/nonexistent --with-default-terminfo-dir=/nonexistent \
    LDFLAGS=-s
make -C include
make -C ncurses
# Its own way to link static libraries ends in `-dynamic`.
make -C progs tic infocmp LIBS_TIC='-L../lib -lncursesw' LIBS_TINFO=-lncursesw
mkdir -p /build/out/bin /build/out/licenses
cp progs/tic progs/infocmp /build/out/bin/
cp COPYING /build/out/licenses/ncurses
