# tor brings its own TLS, so libevent needs none.
./configure --build="$BUILD" --host="$TARGET" --prefix=/build/out \
    --disable-shared --disable-dependency-tracking --disable-debug-mode \
    --disable-libevent-regress --disable-mbedtls --disable-openssl --disable-samples
make
make install-libLTLIBRARIES install-data
mkdir -p /build/out/licenses
cp LICENSE /build/out/licenses/libevent
