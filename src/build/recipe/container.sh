# What the image has of ours: its entry (`start.c`) and its health check (`health.c`).
mkdir -p /build/out/bin
for name in start health; do
    "$CC" $CFLAGS -std=c11 -Wall -Wextra -Werror -s "/build/files/$name.c" -o "/build/out/bin/$name"
done
