# Compiles musl and the compiler's run-time library, once for all components that link:
# the compiler makes them when a program is first linked and keeps them in its cache.
cat > hello.c <<'END'
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) { (void)argv; return printf("%f\n", sin(argc)) < 0; }
END
for optimisation in '' -O2; do
    cc $optimisation hello.c -lm -lpthread -o hello
done
./hello > hello.out || [ "$TARGET" != x86_64-linux-musl ]
mkdir -p /build/out
mv /build/.zig /build/out/cache
