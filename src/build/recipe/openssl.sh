# Only what tor calls: TLS, X.509, the ciphers and curves of the Tor protocol. No programs,
# no modules loaded at run time, no old algorithms.
case $TARGET in
x86_64-*) platform=linux-x86_64 ;;
aarch64-*) platform=linux-aarch64 ;;
riscv64-*) platform=linux64-riscv64 ;;
esac
perl ./Configure $platform --prefix=/usr/local --openssldir=/usr/local/etc/ssl --libdir=lib \
    no-shared no-module no-dso no-engine no-legacy no-apps no-docs no-tests \
    no-afalgeng no-aria no-bf no-camellia no-cast no-cmp no-cms no-comp no-ct no-dtls no-gost \
    no-idea no-md4 no-mdc2 no-psk no-quic no-rc2 no-rc4 no-rmd160 no-seed no-sm2 no-sm3 no-sm4 \
    no-srp no-srtp no-ssl3 no-ts no-uplink no-whirlpool
make build_libs
mkdir -p /build/out/lib /build/out/include /build/out/licenses
cp libcrypto.a libssl.a /build/out/lib/
cp -R include/openssl /build/out/include/
rm /build/out/include/openssl/*.in
cp LICENSE.txt /build/out/licenses/openssl
