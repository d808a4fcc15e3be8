# tor's allocator: the C library's gives each freed buffer back to the kernel at once, which
# costs a relay half as much processor time again (docs/benchmarks.md). One object of all its
# files. Secure: guard pages around its own data, random addresses, encoded lists of free
# blocks; tor ends when such a list, or what is behind a block, was overwritten.
# MI_NO_GETENV: the environment has no say in it, and so it never prints.
cd c_src/mimalloc/v2
cc $CFLAGS -fno-builtin-malloc -DNDEBUG -DMI_SECURE=4 -DMI_MALLOC_OVERRIDE -DMI_LIBC_MUSL=1 \
    -DMI_NO_GETENV -Iinclude -c src/static.c -o mimalloc.o
mkdir -p /build/out/lib /build/out/licenses
cp mimalloc.o /build/out/lib/
cp LICENSE /build/out/licenses/mimalloc
