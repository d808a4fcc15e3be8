# Nothing to compile yet: nyx's recipe takes from it what nyx imports.
mkdir -p /build/out/licences
cp -R stem /build/out/
cp LICENSE /build/out/licences/stem
