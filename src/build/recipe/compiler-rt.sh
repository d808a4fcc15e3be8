# The arithmetic of `long double`, which has 128 bits on aarch64 and riscv64 and no instructions.
cd compiler-rt/lib/builtins
make -f - <<'END'
names = addtf3 comparetf2 divtf3 extenddftf2 extendsftf2 fixtfdi fixtfsi fixunstfdi fixunstfsi \
	floatditf floatsitf floatunditf floatunsitf multf3 subtf3 trunctfdf2 trunctfsf2
objects = $(addsuffix .o,$(names))
libbuiltins.a: $(objects)
	$(AR) rcs $@ $(objects)
%.o: %.c
	$(CC) $(CFLAGS) -c $< -o $@
END
mkdir -p /build/out/lib /build/out/licenses
cp libbuiltins.a /build/out/lib/
cp ../../LICENSE.TXT /build/out/licenses/compiler-rt
