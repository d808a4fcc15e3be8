# zlib has no dependency and needs no configure: its headers find out all there is to know.
make -f - <<'END'
objects = adler32.o compress.o crc32.o deflate.o gzclose.o gzlib.o gzread.o gzwrite.o \
	infback.o inffast.o inflate.o inftrees.o trees.o uncompr.o zutil.o
libz.a: $(objects)
	$(AR) rcs $@ $(objects)
%.o: %.c
	$(CC) $(CFLAGS) -DHAVE_HIDDEN -D_LARGEFILE64_SOURCE=1 -c $<
END
mkdir -p /build/out/lib /build/out/include /build/out/licenses
cp libz.a /build/out/lib/
cp zlib.h zconf.h /build/out/include/
cp LICENSE /build/out/licenses/zlib
