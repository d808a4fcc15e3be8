# Nothing to compile yet: nyx's recipe takes from it what nyx imports.
mkdir -p /build/out/licenses
cp -R stem /build/out/
cp LICENSE /build/out/licenses/stem
