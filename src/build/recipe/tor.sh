# A relay: no directory authority, no manual, no tests.
./configure --build="$BUILD" --host="$TARGET" \
    --prefix=/usr/local --sysconfdir=/usr/local/etc --localstatedir=/var \
    --disable-asciidoc --disable-html-manual --disable-manpage --disable-unittests \
    --disable-dependency-tracking --disable-tool-name-check --disable-gcc-hardening \
    --disable-module-dirauth --disable-lzma --disable-seccomp --disable-libscrypt \
    --disable-systemd --enable-zstd \
    --with-libevent-dir=/deps/libevent --with-openssl-dir=/deps/openssl --with-zlib-dir=/deps/zlib \
    ZSTD_CFLAGS=-I/deps/zstd/include ZSTD_LIBS='-L/deps/zstd/lib -lzstd'
# The allocator is an object, not a library: so it is linked whether or not anything asks for
# it, and before the C library's. Only here, for `configure` asks what the C library has.
make src/app/tor LDFLAGS='-s /deps/mimalloc/lib/mimalloc.o'
mkdir -p /build/out/bin /build/out/share/tor /build/out/licenses
cp src/app/tor /build/out/bin/
cp src/config/geoip src/config/geoip6 /build/out/share/tor/
cp LICENSE /build/out/licenses/tor
