# One library with every module that nyx may need in it, and a program from it to compile
# nyx with. No modules to be loaded, none for what the image has no library for.
for module in _ctypes _ssl _hashlib _bz2 _lzma _dbm _gdbm _tkinter _uuid _curses_panel \
    readline _decimal _elementtree pyexpat _lsprof _codecs_cn _codecs_hk _codecs_iso2022 \
    _codecs_jp _codecs_kr _codecs_tw _multibytecodec _interpreters _interpchannels \
    _interpqueues xxsubtype xxlimited xxlimited_35 syslog; do
    export "py_cv_module_$module=n/a"
done
printf '*static*\n' > Modules/Setup.local
# Of the machine that runs it, not of the one that builds it.
export ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no ac_cv_posix_semaphores_enabled=yes \
    ac_cv_broken_sem_getvalue=no ac_cv_buggy_getaddrinfo=no ac_cv_working_tzset=yes
# What configure would find out by running a program, and guesses wrongly where it cannot.
case $TARGET in
aarch64-*) signed=no ;;
*) signed=yes ;;
esac
export ac_cv_aligned_required=no ac_cv_pthread_is_default=yes ac_cv_pthread_system_supported=yes \
    ac_cv_wchar_t_signed=$signed
# Build and host are the same here, unlike everywhere else: Python freezes modules with programs
# it has just built. For another machine the Python that was built for this one does it, except
# for the four modules that Python starts with: these are the same bytes only when the program
# without them freezes them, so they are taken over.
early='getpath importlib._bootstrap importlib._bootstrap_external zipimport'
other=
if [ -n "${BUILD_TARGET:-}" ]; then
    other=--with-build-python=/deps/build-python/bin/python3.13
fi
# musl's threads have little stack unless they ask for more.
./configure --build="$(echo "${BUILD_TARGET:-$TARGET}" | sed s/-/-pc-/)" \
    --host="$(echo "$TARGET" | sed s/-/-pc-/)" $other \
    --prefix=/usr/local --disable-shared --disable-test-modules --enable-ipv6 \
    --without-ensurepip --without-doc-strings --without-mimalloc --without-readline \
    --without-c-locale-coercion --with-pkg-config=no --with-computed-gotos=yes \
    --with-builtin-hashlib-hashes=md5,sha1,sha2,sha3,blake2 --with-tzpath= \
    MODULE_BUILDTYPE=static LINKFORSHARED=' ' OPT=-DNDEBUG \
    CFLAGS="$CFLAGS -DTHREAD_STACK_SIZE=0x100000 -Wno-date-time" \
    ZLIB_CFLAGS=-I/deps/zlib/include ZLIB_LIBS='-L/deps/zlib/lib -lz' \
    LIBSQLITE3_CFLAGS=-I/deps/sqlite/include LIBSQLITE3_LIBS='-L/deps/sqlite/lib -lsqlite3' \
    CURSES_CFLAGS=-I/deps/ncurses/include CURSES_LIBS=-lncursesw LDFLAGS='-s -L/deps/ncurses/lib'
if [ -n "$other" ]; then
    # Overrides what configure wrote: called as `early NAME SOURCE HEADER`.
    printf '#!/tools/sh\ncp "/deps/build-python/lib/frozen/$1.h" "$3"\n' > /build/files/early
    chmod +x /build/files/early
    set -- FREEZE_MODULE_BOOTSTRAP=/build/files/early \
        FREEZE_MODULE='$(PYTHON_FOR_FREEZE) $(srcdir)/Programs/_freeze_module.py'
fi
# The time of the build and the compiler's version, which Python tells who asks for them.
make python "$@" CPPFLAGS='-DDATE="\"Jan 1 1970\"" -DTIME="\"00:00:00\"" -DCOMPILER="\"[Clang]\""'
mkdir -p /build/out/bin /build/out/include /build/out/lib/python3.13 /build/out/lib/frozen \
    /build/out/licenses
cp python /build/out/bin/python3.13
cp libpython3.13.a Modules/_hacl/libHacl_Hash_SHA2.a /build/out/lib/
cp -R Include /build/out/include/python3.13
rm -r /build/out/include/python3.13/internal
cp pyconfig.h /build/out/include/python3.13/
cp -R Lib/. /build/out/lib/python3.13/
cp Modules/config.c /build/out/lib/python3.13/
for name in $early; do
    cp "Python/frozen_modules/$name.h" /build/out/lib/frozen/
done
cd /build/out/lib/python3.13
rm -r ensurepip idlelib pydoc_data site-packages test tkinter turtledemo venv
find . -name __pycache__ -prune -exec rm -r {} +
cd /build/src
cp LICENSE /build/out/licenses/python
