# tor compresses and decompresses streams: no dictionaries, no formats of old versions.
cd lib
make -f - <<'END'
sources = $(wildcard common/*.c compress/*.c decompress/*.c decompress/*.S)
objects = $(addsuffix .o,$(basename $(sort $(sources))))
libzstd.a: $(objects)
	$(AR) rcs $@ $(objects)
%.o: %.c
	$(CC) $(CFLAGS) -DZSTD_LEGACY_SUPPORT=0 -c $< -o $@
%.o: %.S
	$(CC) $(CFLAGS) -c $< -o $@
END
mkdir -p /build/out/lib /build/out/include /build/out/licenses
cp libzstd.a /build/out/lib/
cp zstd.h zstd_errors.h /build/out/include/
cp ../LICENSE /build/out/licenses/zstd
