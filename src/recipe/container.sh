# What the image has of ours: its entry (`start.c`) and its health check (`health.c`).
mkdir -p /build/out/bin
for name in start health; do
    "$CC" $CFLAGS -std=c11 -Wall -Wextra -Werror -c "/build/files/$name.c" -o "$name.o"
    # The flags again: they choose the C library that is compiled already.
    "$CC" $CFLAGS -s "$name.o" -o "/build/out/bin/$name"
done
